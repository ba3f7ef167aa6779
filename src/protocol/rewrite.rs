//! Changing one value deep in a JSON message and leaving everything else as it was written.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// Where a request's or response's id stands.
pub(crate) const ID: &[&str] = &["id"];
/// Where the progress token of a request stands.
pub(crate) const ASKED_TOKEN: &[&str] = &["params", "_meta", "progressToken"];
/// Where a progress notification names its token.
pub(crate) const TOKEN: &[&str] = &["params", "progressToken"];
/// Where `notifications/cancelled` names its request.
pub(crate) const REQUEST_ID: &[&str] = &["params", "requestId"];
/// Where a subscription names its resource.
pub(crate) const URI: &[&str] = &["params", "uri"];

/// The value at a path, as it is written; `None` if there is none.
pub(crate) fn value<'a>(message: &'a [u8], path: &[&str]) -> Option<&'a RawValue> {
    let (first, rest) = path.split_first()?;
    let object: Object<'a> = serde_json::from_slice(message).ok()?;
    let found = object.0.into_iter().find(|(name, _)| name == first)?.1;
    let Cow::Borrowed(found) = found else { return None };
    if rest.is_empty() { Some(found) } else { value(found.get().as_bytes(), rest) }
}

/// The string at a path.
pub(crate) fn text(message: &[u8], path: &[&str]) -> Option<String> {
    serde_json::from_str(value(message, path)?.get()).ok()
}

/// The message with another value at a path; `None` if it has none there.
pub(crate) fn replace(message: &[u8], path: &[&str], json: &str) -> Option<Bytes> {
    let (first, rest) = path.split_first()?;
    let mut object: Object<'_> = serde_json::from_slice(message).ok()?;
    let member = &mut object.0.iter_mut().find(|(name, _)| name == first)?.1;
    let replaced = match rest {
        [] => json.to_owned(),
        rest => String::from_utf8(replace(member.get().as_bytes(), rest, json)?.to_vec()).ok()?,
    };
    *member = Cow::Owned(RawValue::from_string(replaced).ok()?);
    serde_json::to_vec(&object).ok().map(Bytes::from)
}

/// A string as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

/// An object's members, in their order.
struct Object<'a>(Vec<(String, Cow<'a, RawValue>)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((name, Cow::Borrowed(value)));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value.as_ref())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] =
        br#"{"jsonrpc":"2.0", "id":0,"method":"x","params":{"a":1.50,"_meta":{"progressToken":7,"k":[1, 2]}}}"#;

    #[test]
    fn a_value_is_found_as_it_is_written() {
        assert_eq!(value(QUESTION, ID).unwrap().get(), "0");
        assert_eq!(value(QUESTION, ASKED_TOKEN).unwrap().get(), "7");
        assert!(value(QUESTION, URI).is_none() && value(b"[1]", ID).is_none());
        assert_eq!(text(br#"{"params":{"uri":"a\u0041"}}"#, URI).as_deref(), Some("aA"));
    }

    #[test]
    fn one_value_is_replaced_and_the_rest_stays() {
        let renamed = replace(QUESTION, ID, &quoted("a\"b")).unwrap();
        let renamed = replace(&renamed, ASKED_TOKEN, "\"t\"").unwrap();
        assert_eq!(
            renamed,
            &br#"{"jsonrpc":"2.0","id":"a\"b","method":"x","params":{"a":1.50,"_meta":{"progressToken":"t","k":[1, 2]}}}"#[..]
        );
        assert_eq!(replace(QUESTION, TOKEN, "1"), None);
    }
}
