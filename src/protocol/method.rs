//! The methods that mean something to a session layer.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use crate::protocol::names;

/// A message's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `initialize`
    Initialize,
    /// `notifications/initialized`
    Initialized,
    /// `ping`
    Ping,
    /// `logging/setLevel`
    SetLevel,
    /// `resources/subscribe`
    Subscribe,
    /// `resources/unsubscribe`
    Unsubscribe,
    /// `tools/list`
    ToolsList,
    /// `tools/call`
    ToolsCall,
    /// `notifications/cancelled`
    Cancelled,
    /// `notifications/progress`
    Progress,
    /// `notifications/roots/list_changed`
    RootsChanged,
    /// Any other.
    Other,
}

impl Method {
    fn named(name: &[u8]) -> Self {
        match name {
            b"initialize" => Self::Initialize,
            b"notifications/initialized" => Self::Initialized,
            b"ping" => Self::Ping,
            b"logging/setLevel" => Self::SetLevel,
            b"resources/subscribe" => Self::Subscribe,
            b"resources/unsubscribe" => Self::Unsubscribe,
            b"tools/list" => Self::ToolsList,
            b"tools/call" => Self::ToolsCall,
            b"notifications/cancelled" => Self::Cancelled,
            b"notifications/progress" => Self::Progress,
            b"notifications/roots/list_changed" => Self::RootsChanged,
            _ => Self::Other,
        }
    }
}

/// The name is read without copying it, unless it is escaped. JSON can say halves of characters, which no text can: a method that
/// is called so is another one.
impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <&RawValue>::deserialize(deserializer)?;
        match name.get().starts_with('"') {
            true => Ok(Self::named(&names::said(name))),
            false => Err(D::Error::custom("a method has a name")),
        }
    }
}
