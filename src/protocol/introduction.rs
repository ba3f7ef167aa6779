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

/// What a successful `initialize` answer says.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The version it settles on.
    pub(crate) protocol_version: ProtocolVersion,
    /// Who the server says it is, as it wrote it.
    server_info: Option<Box<RawValue>>,
}

impl Accepted {
    /// Reads it; `None` if it is none, or names no version.
    pub(crate) fn read(answer: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            result: MapOr<InitializeResult>,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct InitializeResult {
            protocol_version: Option<ProtocolVersion>,
            server_info: Option<Box<RawValue>>,
        }
        let InitializeResult { protocol_version, server_info } = names::object::<Answer>(answer).ok()?.result.map;
        Some(Self { protocol_version: protocol_version?, server_info })
    }

    /// `serverInfo.name`, bounded; empty if the server does not say.
    pub(crate) fn server_name(&self) -> String {
        self.server_info.as_ref().map(|info| ClientInfo::from_json(info.get()).name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initialize_answer_names_its_version() {
        let version = |answer: &str| Accepted::read(answer.as_bytes()).map(|accepted| accepted.protocol_version);
        let accepted = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
        assert_eq!(version(accepted), Some(ProtocolVersion::V2025_11_25));
        assert_eq!(version(r#"{"id":0,"error":{"code":-32602,"message":"no"}}"#), None);
        assert_eq!(version(r#"{"id":0,"result":{"protocolVersion":"draft"}}"#), None);
    }

    #[test]
    fn a_server_that_says_its_name_is_known_by_it() {
        let name = |info: &str| {
            let answer = format!(r#"{{"id":0,"result":{{"protocolVersion":"2025-11-25"{info}}}}}"#);
            Accepted::read(answer.as_bytes()).expect("it is accepted").server_name()
        };
        assert_eq!(name(r#","serverInfo":{"name":"billing","version":"1"}"#), "billing");
        for silent in ["", r#","serverInfo":7"#, r#","serverInfo":{"name":7}"#, r#","serverInfo":null"#] {
            assert_eq!(name(silent), "", "{silent}");
        }
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
