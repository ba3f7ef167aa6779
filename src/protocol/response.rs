//! *Whose answer is this?* A call ends with the response to its own id, and with nothing else.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::protocol::message::{self, Kind, RequestId};
use crate::protocol::{bom, names, rewrite};

/// The response to a request, in a body that has nothing else to say: one message, or an array of them.
pub(crate) fn in_body(id: &RequestId, body: Bytes) -> Option<Bytes> {
    let body = bom::strip(body);
    match message::elements(&body) {
        Some(elements) => elements.into_iter().find_map(|element| to(id, body.slice_ref(element.get().as_bytes()))),
        None => to(id, body),
    }
}

/// The message, if it is the response to this request.
pub(crate) fn to(id: &RequestId, message: Bytes) -> Option<Bytes> {
    match message::kind(&message)? {
        Kind::Response(named) => naming(named.as_ref(), id, message),
        Kind::Request { .. } | Kind::Notification(_) => None,
    }
}

/// The response, if the request it names is this one.
///
/// An error that names none (`"id": null`, or no id at all) on an answer of this request's own is for it too: whoever wrote it
/// could not tell the id. It goes on with the id put in, for a client would not know what else to make of it.
pub(crate) fn naming(named: Option<&RequestId>, id: &RequestId, response: Bytes) -> Option<Bytes> {
    match named {
        Some(named) => (named == id).then_some(response),
        None => adopted(id, &response),
    }
}

fn adopted(id: &RequestId, response: &[u8]) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Nameless<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    #[derive(Serialize)]
    struct Named<'a> {
        jsonrpc: &'static str,
        id: &'a RequestId,
        error: &'a RawValue,
    }
    if rewrite::value(response, rewrite::ID).is_some_and(|id| id.get() != "null") {
        return None;
    }
    let error = names::object::<Nameless<'_>>(response).ok()?.error;
    let named = Named { jsonrpc: "2.0", id, error };
    error.get().starts_with('{').then(|| serde_json::to_vec(&named).ok().map(Bytes::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Option<String> {
        let id = RequestId::from_json(b"7").unwrap();
        in_body(&id, Bytes::copy_from_slice(body.as_bytes())).map(|json| String::from_utf8(json.into()).unwrap())
    }

    #[test]
    fn the_response_to_the_own_id_is_the_answer() {
        for own in [
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            r#"{"id":7.0,"result":null}"#,
            r#"{"id":7,"error":{"code":1,"message":"x"}}"#,
            r#"{"id":7,"result":{},"error":null,"method":null}"#,
        ] {
            assert_eq!(found(own).as_deref(), Some(own));
            assert_eq!(found(&format!("\u{feff}{own}")).as_deref(), Some(own), "behind a byte order mark");
            let foreign = r#"{"id":99,"result":{}}, {"method":"notifications/message"}"#;
            assert_eq!(found(&format!(" [{foreign}, {own} ]")).as_deref(), Some(own), "in an array");
        }
    }

    #[test]
    fn nothing_else_is() {
        for other in [
            r#"{"id":99,"result":{}}"#,
            r#"{"id":"7","result":{}}"#,
            r#"{"id":null,"result":{}}"#,
            r#"{"id":[7],"error":{"code":1}}"#,
            r#"{"id":null,"error":null}"#,
            r#"{"id":7,"method":"roots/list"}"#,
            r#"{"id":7,"method":"roots/list","result":null}"#,
            r#"{"method":"notifications/progress"}"#,
            r#"{"id":7}"#,
            "[]",
            "[7]",
            "7",
            "",
            "<html>",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn an_error_that_names_no_request_gets_the_id() {
        let named = Some(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32700,"message":"what?"}}"#);
        let error = r#""error":{"code":-32700,"message":"what?"}"#;
        for nameless in [r#""jsonrpc":"2.0","id":null,"#, r#""jsonrpc":"2.0","#, r#""result":null,"#] {
            assert_eq!(found(&format!("{{{nameless}{error}}}")).as_deref(), named);
        }
    }
}
