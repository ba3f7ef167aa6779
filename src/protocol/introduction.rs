//! What the two sides say of themselves, in whichever message they do.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::version::ProtocolVersion;
use crate::session::ClientInfo;

/// Who the client says it is: `params.clientInfo` of its `initialize`. Missing or malformed parts read as empty.
pub(crate) fn client_info(initialize: &[u8]) -> ClientInfo {
    #[derive(Deserialize)]
    struct Initialize {
        params: InitializeParams,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeParams {
        client_info: ClientInfo,
    }
    serde_json::from_slice::<Initialize>(initialize)
        .map_or_else(|_| ClientInfo::default(), |read| read.params.client_info.bounded())
}

/// Who the client of a modern request says it is, as it wrote it: `clientInfo` in `_meta` (MCP 2026-07-28, General Fields).
pub(crate) fn modern_client_info(request: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        params: Params<'a>,
    }
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "_meta")]
        meta: Meta<'a>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
        client_info: &'a RawValue,
    }
    serde_json::from_slice::<Request<'_>>(request).ok().map(|request| request.params.meta.client_info.get())
}

/// The protocol version an `initialize` answer settles on; `None` if it is no successful answer.
pub(crate) fn negotiated_version(answer: &[u8]) -> Option<ProtocolVersion> {
    #[derive(Deserialize)]
    struct Answer {
        result: InitializeResult,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeResult {
        protocol_version: ProtocolVersion,
    }
    serde_json::from_slice::<Answer>(answer).ok().map(|answer| answer.result.protocol_version)
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
