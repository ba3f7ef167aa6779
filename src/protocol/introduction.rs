//! What the two sides say of themselves, in whichever message they do.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::map_or::MapOr;
use crate::protocol::names;
use crate::protocol::version::ProtocolVersion;
use crate::session::ClientInfo;

/// Who the client says it is: `params.clientInfo` of its `initialize`. Missing or malformed parts read as empty.
pub(crate) fn client_info(initialize: &[u8]) -> ClientInfo {
    #[derive(Default, Deserialize)]
    struct Initialize {
        #[serde(default)]
        params: MapOr<InitializeParams>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeParams {
        #[serde(default)]
        client_info: MapOr<ClientInfo>,
    }
    let read = names::object::<Initialize>(initialize).unwrap_or_default();
    read.params.map.client_info.map.bounded()
}

/// Who the client of a modern request says it is, as it wrote it: `clientInfo` in `_meta` (MCP 2026-07-28, General Fields).
pub(crate) fn modern_client_info(request: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow, default)]
        params: MapOr<Params<'a>>,
    }
    #[derive(Default, Deserialize)]
    struct Params<'a> {
        #[serde(borrow, default, rename = "_meta")]
        meta: MapOr<Meta<'a>>,
    }
    #[derive(Default, Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
        client_info: Option<&'a RawValue>,
    }
    names::object::<Request<'_>>(request).ok()?.params.map.meta.map.client_info.map(RawValue::get)
}

/// The protocol version an `initialize` answer settles on; `None` if it is no successful answer.
pub(crate) fn negotiated_version(answer: &[u8]) -> Option<ProtocolVersion> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        result: MapOr<InitializeResult>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeResult {
        protocol_version: Option<ProtocolVersion>,
    }
    names::object::<Answer>(answer).ok()?.result.map.protocol_version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initialize_answer_names_its_version() {
        let version = |answer: &str| negotiated_version(answer.as_bytes());
        let accepted = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
        assert_eq!(version(accepted), Some(ProtocolVersion::V2025_11_25));
        assert_eq!(version(r#"{"id":0,"error":{"code":-32602,"message":"no"}}"#), None);
        assert_eq!(version(r#"{"id":0,"result":{"protocolVersion":"draft"}}"#), None);
    }

    #[test]
    fn a_modern_request_names_its_client() {
        let named = |meta: &str| format!(r#"{{"id":1,"method":"x","params":{{"a":[],"_meta":{meta}}}}}"#);
        let found = |request: &str| modern_client_info(request.as_bytes()).map(ClientInfo::from_json);
        let known =
            named(r#"{"b":1,"io.modelcontextprotocol/clientInfo": {"name":"cursor","version":"2\n","more":{}} }"#);
        let expected = ClientInfo { name: "cursor".to_owned(), version: "2\u{fffd}".to_owned() };
        assert_eq!(found(&known), Some(expected));
        assert_eq!(found(&named(r#"{"io.modelcontextprotocol/clientInfo":7}"#)), Some(ClientInfo::default()));
        for silent in ["{}", "7", r#"{"clientInfo":{"name":"x"}}"#] {
            assert_eq!(found(&named(silent)), None, "{silent}");
        }
        for other in ["", "[]", r#"{"id":1,"method":"x"}"#] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
