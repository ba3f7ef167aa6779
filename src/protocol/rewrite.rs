//! Changing one value deep in a JSON message and leaving everything else as it was written.

use std::borrow::Cow;
use std::fmt;
use std::mem;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::names;

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
    let found = object.0.into_iter().find(|(name, _)| names::is(name, first))?.1;
    let Cow::Borrowed(found) = found else { return None };
    if rest.is_empty() { Some(found) } else { value(found.get().as_bytes(), rest) }
}

/// The string at a path.
pub(crate) fn text(message: &[u8], path: &[&str]) -> Option<String> {
    serde_json::from_str(value(message, path)?.get()).ok()
}

/// The message with another value at a path; `None` if it has none there.
pub(crate) fn replace(message: &[u8], path: &[&str], json: &str) -> Option<Bytes> {
    let json = RawValue::from_string(json.to_owned()).ok()?;
    let (changed, ()) = edit(message, path, |object, name| {
        object.0.iter_mut().find(|(known, _)| names::is(known, name))?.1 = Cow::Owned(json);
        Some(())
    })?;
    Some(changed)
}

/// The message without the member at a path, and what stood there: several values where its name is repeated. `None` if it
/// has no such member.
pub(crate) fn remove<'a>(message: &'a [u8], path: &[&str]) -> Option<(Bytes, Vec<Cow<'a, RawValue>>)> {
    edit(message, path, |object, name| {
        let (removed, kept): (Vec<_>, Vec<_>) =
            mem::take(&mut object.0).into_iter().partition(|(known, _)| names::is(known, name));
        object.0 = kept;
        (!removed.is_empty()).then(|| removed.into_iter().map(|(_, value)| value).collect())
    })
}

/// The message without those of these members that are `null`; `None` if none is.
pub(crate) fn without_nulls(message: &[u8], names: &[&str]) -> Option<Bytes> {
    memmem::find(message, b"null")?;
    let mut object: Object<'_> = serde_json::from_slice(message).ok()?;
    let before = object.0.len();
    object.0.retain(|(name, value)| value.get() != "null" || !names.iter().any(|wanted| names::is(name, wanted)));
    (object.0.len() < before).then(|| object.to_bytes())
}

/// Changes the object that a path leads to; `change` is given it and the path's last name.
fn edit<'a, T>(
    message: &'a [u8],
    path: &[&str],
    change: impl FnOnce(&mut Object<'a>, &str) -> Option<T>,
) -> Option<(Bytes, T)> {
    let (first, rest) = path.split_first()?;
    let mut object: Object<'a> = serde_json::from_slice(message).ok()?;
    let told = if rest.is_empty() {
        change(&mut object, first)?
    } else {
        let member = &mut object.0.iter_mut().find(|(name, _)| names::is(name, first))?.1;
        let Cow::Borrowed(before) = *member else { return None };
        let (after, told) = edit(before.get().as_bytes(), rest, change)?;
        *member = Cow::Owned(RawValue::from_string(String::from_utf8(after.into()).ok()?).ok()?);
        told
    };
    Some((object.to_bytes(), told))
}

/// Whether a message may hold a string with this word of ASCII letters, digits and `_` in it. `false` is certain, and cheap.
///
/// JSON has one way to write such a character other than as itself: `\u` and its number. Where neither the word nor a `\u`
/// stands, no parser can read the word.
pub(crate) fn may_say(message: &[u8], word: &str) -> bool {
    memmem::find(message, word.as_bytes()).is_some() || memmem::find(message, br"\u").is_some()
}

/// A string as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

/// An object's members in their order, with their names as they are written.
struct Object<'a>(Vec<(&'a RawValue, Cow<'a, RawValue>)>);

impl Object<'_> {
    fn to_bytes(&self) -> Bytes {
        let length: usize = self.0.iter().map(|(name, value)| name.get().len() + value.get().len() + 2).sum();
        let mut json = Vec::with_capacity(length + 2);
        for (name, value) in &self.0 {
            json.push(if json.is_empty() { b'{' } else { b',' });
            json.extend_from_slice(name.get().as_bytes());
            json.push(b':');
            json.extend_from_slice(value.get().as_bytes());
        }
        if json.is_empty() {
            json.push(b'{');
        }
        json.push(b'}');
        json.into()
    }
}

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
                while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
                    members.push((name, Cow::Borrowed(value)));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
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

    #[test]
    fn names_that_are_no_text_are_in_nobodys_way() {
        let message =
            br#"{"\ud800":0,"\u0069d":1,"params":{"\udc00":null,"uri":"a","_meta":{"\ud800":1,"progressToken":7}}}"#;
        assert_eq!(value(message, ID).unwrap().get(), "1");
        assert_eq!(text(message, URI).as_deref(), Some("a"));
        let renamed = replace(message, ASKED_TOKEN, "8").unwrap();
        assert_eq!(
            replace(&renamed, ID, "2").unwrap(),
            &br#"{"\ud800":0,"\u0069d":2,"params":{"\udc00":null,"uri":"a","_meta":{"\ud800":1,"progressToken":8}}}"#[..]
        );
        let (left, _) = remove(message, &["params", "_meta"]).unwrap();
        assert_eq!(left, &br#"{"\ud800":0,"\u0069d":1,"params":{"\udc00":null,"uri":"a"}}"#[..]);
        assert_eq!(without_nulls(br#"{"\ud800":null,"id":null}"#, &["id"]).unwrap(), &br#"{"\ud800":null}"#[..]);
        assert_eq!(remove(br#"{"id":1}"#, ID).unwrap().0, "{}");
    }

    #[test]
    fn a_member_is_removed_however_often_and_however_it_is_written() {
        let (left, removed) = remove(QUESTION, ASKED_TOKEN).unwrap();
        assert_eq!(left, &br#"{"jsonrpc":"2.0","id":0,"method":"x","params":{"a":1.50,"_meta":{"k":[1, 2]}}}"#[..]);
        assert_eq!(removed.iter().map(|value| value.get()).collect::<Vec<_>>(), ["7"]);
        let doubled = br#"{"params":{"uri":"a","b":0,"\u0075ri":null}}"#;
        let (left, removed) = remove(doubled, URI).unwrap();
        assert_eq!((&left[..], removed.len()), (&br#"{"params":{"b":0}}"#[..], 2));
        assert!(remove(QUESTION, TOKEN).is_none() && remove(b"[1]", ID).is_none());
    }

    #[test]
    fn nulls_are_taken_off_where_they_say_nothing() {
        let names = ["id", "result"];
        let without = |message: &[u8]| without_nulls(message, &names);
        assert_eq!(
            without(br#"{"id": null,"params":{"id":null},"result":null,"x":null}"#).unwrap(),
            &br#"{"params":{"id":null},"x":null}"#[..]
        );
        assert!(without(br#"{"id":0,"params":{"id":null}}"#).is_none() && without(b"null").is_none());
    }

    #[test]
    fn a_word_is_not_missed_where_it_is_escaped() {
        assert!(may_say(br#"{"reconnect":1}"#, "reconnect"));
        assert!(may_say(br#"{"r\u0065connect":1}"#, "reconnect"));
        assert!(!may_say(br#"{"re\nconnect\/\"":"uuu"}"#, "reconnect"));
    }
}
