//! The MCP tool `reconnect_session`, for clients that can call tools but not choose what their `initialize` says.
//!
//! It is off by default: what a tool answers stands in the model's transcript, and this one answers with secrets.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::token::ReconnectToken;
use crate::id::{SessionId, SessionKey};
use crate::protocol::message::RequestId;
use crate::protocol::rewrite;

/// What the tool is called.
pub(crate) const NAME: &str = "reconnect_session";

/// The tool as `tools/list` shows it. One line, because it may travel in one of an event stream.
const DEFINITION: &str = concat!(
    r#"{"name":"reconnect_session","title":"Reconnect a session","#,
    r#""description":"Takes over an MCP session of this server with its reconnect token. The session gets a new id and a new "#,
    r#"reconnect token; the old ones stop working. Warning: the result holds both. They are secrets, and they end up in the "#,
    r#"transcript of this conversation: whoever reads it can use the session.","#,
    r#""inputSchema":{"type":"object","properties":{"#,
    r#""session_id":{"type":"string","description":"The session: its id, or the first 16 characters of it"},"#,
    r#""reconnect_token":{"type":"string","description":"The newest Mcp-Reconnect-Token of that session; it works once"}},"#,
    r#""required":["session_id","reconnect_token"],"additionalProperties":false},"#,
    r#""annotations":{"title":"Reconnect a session","readOnlyHint":false,"destructiveHint":false,"#,
    r#""idempotentHint":false,"openWorldHint":false}}"#,
);

/// The answer to `tools/list` as clients get it, `None` if it stays as it is: our tool stands at the end of the last page, and no
/// other of its name on any, for calls of that name come to us. The rest stays as it was written, byte for byte.
pub(crate) fn list(response: &[u8]) -> Option<Bytes> {
    let result = rewrite::value(response, &["result"])?.get().as_bytes();
    let tools = rewrite::value(result, &["tools"])?.get();
    let is_last = rewrite::value(result, &["nextCursor"]).is_none_or(|cursor| cursor.get() == "null");
    let listed: Vec<&RawValue> = serde_json::from_str(tools).ok()?;
    let (hidden, shown): (Vec<&RawValue>, Vec<&RawValue>) = listed.into_iter().partition(|tool| has_our_name(tool));
    if hidden.is_empty() && !is_last {
        return None;
    }
    // `tools` is a slice of `response`: where it stands is the difference of where they begin, and its last byte is the `]`.
    let start = tools.as_ptr().addr() - response.as_ptr().addr();
    let (before, after) = (&response[..start], &response[start + tools.len() - 1..]);
    let kept = match hidden.is_empty() {
        true => tools.as_bytes()[..tools.len() - 1].to_vec(),
        false => format!("[{}", shown.iter().map(|tool| tool.get()).collect::<Vec<_>>().join(",")).into_bytes(),
    };
    let comma: &[u8] = if is_last && !shown.is_empty() { b"," } else { b"" };
    let ours: &[u8] = if is_last { DEFINITION.as_bytes() } else { b"" };
    Some([before, &kept, comma, ours, after].concat().into())
}

fn has_our_name(tool: &RawValue) -> bool {
    rewrite::text(tool.get().as_bytes(), &["name"]).is_some_and(|name| name == NAME)
}

/// What a call of the tool says. What is missing or malformed is `None`.
pub(crate) struct ToolCall {
    /// `session_id`: a key, or a whole id, of which only the key counts.
    pub(crate) session: Option<SessionKey>,
    pub(crate) token: Option<ReconnectToken>,
}

/// Reads a `tools/call` of our tool; `None` for anything else.
pub(crate) fn arguments(request: &[u8]) -> Option<ToolCall> {
    let says = |path: &[&str], wanted: &str| rewrite::text(request, path).is_some_and(|text| text == wanted);
    if !rewrite::may_say(request, NAME) || !says(&["params", "name"], NAME) || !says(&["method"], "tools/call") {
        return None;
    }
    let argument = |name| rewrite::text(request, &["params", "arguments", name]);
    let key = |id: String| SessionKey::parse(&id).or_else(|| SessionId::parse(id.as_bytes()).map(|id| id.key()));
    Some(ToolCall {
        session: argument("session_id").and_then(key),
        token: argument("reconnect_token").and_then(|token| ReconnectToken::parse(token.as_bytes())),
    })
}

/// The response to a call: the outcome as text and as structured content.
pub(crate) fn answer(id: &RequestId, outcome_json: &Value) -> Bytes {
    let text = Text { kind: "text", text: outcome_json.to_string() };
    let result = CallToolResult { content: [text], structured_content: outcome_json, is_error: false };
    let response = Response { jsonrpc: "2.0", id, result };
    serde_json::to_vec(&response).expect("an outcome is JSON").into()
}

#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    id: &'a RequestId,
    result: CallToolResult<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallToolResult<'a> {
    content: [Text; 1],
    structured_content: &'a Value,
    is_error: bool,
}

#[derive(Serialize)]
struct Text {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_definition_is_a_tool_and_warns() {
        let tool: Value = serde_json::from_str(DEFINITION).unwrap();
        assert_eq!(tool["name"], NAME);
        assert_eq!(tool["inputSchema"]["required"], json!(["session_id", "reconnect_token"]));
        assert_eq!(tool["inputSchema"]["additionalProperties"], json!(false));
        assert!(tool["description"].as_str().unwrap().contains("transcript"));
        assert!(!DEFINITION.contains('\n'));
    }

    #[test]
    fn the_tool_stands_at_the_end_of_the_last_page_and_nothing_else_changes() {
        for (before, after) in [
            (r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#, "]}}"),
            (
                r#" { "result" : { "z":1.50, "tools" : [ "#,
                "],\n \"nextCursor\": null, \"_meta\":{\"ü\":\"\\u00fc\"} }, \"id\":\"ü\" } ",
            ),
            (
                r#"{"result":{"tools":[{"name":"zwölf","x":[{"name":"reconnect_session"}]},{"name":"b"} "#,
                "\n]},\"id\":0}",
            ),
            (r#"{"result":{"tools":[{"description":"reconnect_session ] }"},{"name":7},5"#, "]}}"),
            (r#"{"result":{"_meta":{"tools":[]},"\u0074ools":["#, "],\"nextCursor\":null}}"),
        ] {
            let response = format!("{before}{after}");
            let listed = String::from_utf8(list(response.as_bytes()).unwrap().into()).unwrap();
            serde_json::from_str::<Value>(&listed).unwrap_or_else(|error| panic!("{listed}: {error}"));
            let at = response.rfind(']').unwrap();
            let comma = if response[..at].trim_end().ends_with('[') { "" } else { "," };
            assert_eq!(listed, format!("{}{comma}{DEFINITION}{}", &response[..at], &response[at..]));
            let again = list(listed.as_bytes()).unwrap();
            let read = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
            assert_eq!(read(&again), read(listed.as_bytes()), "listed once");
        }
    }

    #[test]
    fn another_tool_of_our_name_is_on_no_page() {
        let ours = DEFINITION;
        for (tools, kept) in [
            (r#"{"name":"reconnect_session"}"#, ""),
            (r#" { "name" : "reconnect\u005fsession", "x":[1] } , {"name":"a"}"#, r#"{"name":"a"}"#),
            (r#"{"name":"a"},{"name":"reconnect_session"},{"name":"b"}"#, r#"{"name":"a"},{"name":"b"}"#),
            (r#"{"\ud800":0,"n\u0061me":"reconnect_session"},5"#, "5"),
            (r#"{"name":"reconnect_session"},{"name":"reconnect_session","title":"2"}"#, ""),
        ] {
            for (cursor, is_last) in [("", true), (r#","nextCursor":null"#, true), (r#","nextCursor":"2""#, false)] {
                let page =
                    |tools: &str| format!(r#"{{"id":1,"result":{{"_meta":{{"a":1}},"tools":[{tools}]{cursor}}}}}"#);
                let listed = list(page(tools).as_bytes()).unwrap();
                let comma = if kept.is_empty() || !is_last { "" } else { "," };
                let shown = format!("{kept}{comma}{}", if is_last { ours } else { "" });
                assert_eq!(std::str::from_utf8(&listed).unwrap(), page(&shown));
            }
        }
    }

    #[test]
    fn what_is_not_the_last_page_of_a_list_stays_as_it_is() {
        for response in [
            r#"{"id":1,"result":{"tools":[],"nextCursor":"2"}}"#,
            r#"{"id":1,"result":{"tools":[],"nextCursor":""}}"#,
            r#"{"id":1,"result":{"tools":[{"name":"a"}],"nextCursor":"2"}}"#,
            r#"{"id":1,"result":{"tools":{}}}"#,
            r#"{"id":1,"result":{"prompts":[]}}"#,
            r#"{"id":1,"result":[{"tools":[]}]}"#,
            r#"{"id":1,"error":{"code":-32601,"message":"no","data":{"tools":[]}}}"#,
            r#"[{"id":1,"result":{"tools":[]}}]"#,
            r#"{"id":1,"result":{"tools":[]"#,
            "",
        ] {
            assert_eq!(list(response.as_bytes()), None, "{response}");
        }
    }

    fn call(name: &str, arguments: &str) -> Option<ToolCall> {
        let request = format!(r#"{{"id":1,"method":"tools/call","params":{{"arguments":{arguments},"name":{name}}}}}"#);
        self::arguments(request.as_bytes())
    }

    #[test]
    fn a_call_names_a_session_by_its_key_or_its_id() {
        let id = SessionId::generate().unwrap();
        for name in [id.key().as_str(), id.header_value().to_str().unwrap()] {
            let arguments = format!(r#"{{"session_id":"{name}","reconnect_token":"a.b\u002ec"}}"#);
            let call = call("\"reconnect_session\"", &arguments).unwrap();
            assert_eq!(call.session, Some(id.key()));
            assert_eq!(call.token.unwrap().expose(), "a.b.c");
        }
        assert!(call(r#""reconnect\u005fsession""#, "{}").is_some());
    }

    #[test]
    fn what_a_call_does_not_say_well_is_not_said() {
        for arguments in [
            "{}",
            "[]",
            "null",
            r#"{"session_id":7,"reconnect_token":null}"#,
            r#"{"session_id":"x","reconnect_token":""}"#,
        ] {
            let call = call("\"reconnect_session\"", arguments).unwrap();
            assert!(call.session.is_none() && call.token.is_none(), "{arguments}");
        }
    }

    #[test]
    fn other_calls_are_not_ours() {
        assert!(call("\"reconnect_session2\"", "{}").is_none());
        assert!(call("\"other\"", r#"{"name":"reconnect_session"}"#).is_none());
        assert!(call("7", "\"\\u0041\"").is_none());
        for request in [
            r#"{"id":1,"method":"prompts/get","params":{"name":"reconnect_session"}}"#,
            r#"{"id":1,"method":"tools/call","name":"reconnect_session"}"#,
            "reconnect_session",
        ] {
            assert!(arguments(request.as_bytes()).is_none(), "{request}");
        }
    }

    #[test]
    fn an_answer_says_the_outcome_twice_and_echoes_the_id() {
        let outcome = json!({"success": false, "outcome": "token_expired", "message": "ü\n"});
        for id in ["1.50", r#""\u00fc""#] {
            let answer = answer(&RequestId::from_json(id.as_bytes()).unwrap(), &outcome);
            assert!(answer.starts_with(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#).as_bytes()));
            let result = serde_json::from_slice::<Value>(&answer).unwrap()["result"].take();
            assert_eq!((&result["structuredContent"], &result["isError"]), (&outcome, &json!(false)));
            assert_eq!(result["content"][0]["type"], "text");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), outcome);
        }
    }
}
