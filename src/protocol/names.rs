//! Members' names as JSON has them: any string, also one with half a character in it (`"\ud800"`), which Rust's text cannot hold.
//!
//! A name is compared by what it says, however it is written: `"\u006dethod"` is `method`. One that says nothing a text could say
//! is none that anybody here looks for.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedBytesDeserializer, BytesDeserializer, MapAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::request_id::unescaped;

/// Whether a name in this JSON may be written otherwise than it says: `false` is certain, and such JSON is read at less cost.
pub(super) fn may_be_escaped(json: &[u8]) -> bool {
    memchr::memchr(b'\\', json).is_some()
}

/// Reads an object whose members may have any names.
pub(crate) fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> serde_json::Result<T> {
    match may_be_escaped(json) {
        true => object_as::<T, true>(json),
        false => object_as::<T, false>(json),
    }
}

/// The same for a caller who knows whether names are `ESCAPED`, and has a type for each.
pub(super) fn object_as<'de, T: Deserialize<'de>, const ESCAPED: bool>(json: &'de [u8]) -> serde_json::Result<T> {
    serde_json::from_slice::<InObject<T, ESCAPED>>(json).map(|read| read.0)
}

/// What a name says; of any string, what stands in it.
pub(super) fn said(name: &RawValue) -> Cow<'_, [u8]> {
    let written = name.get();
    let bare = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(written);
    match bare.contains('\\') {
        true => Cow::Owned(unescaped(written).unwrap_or_default()),
        false => Cow::Borrowed(bare.as_bytes()),
    }
}

/// Whether a name is this one, however it is written.
pub(crate) fn is(name: &RawValue, wanted: &str) -> bool {
    *said(name) == *wanted.as_bytes()
}

/// `T`, read from an object whose members may have any names; where nothing is `ESCAPED`, they are as they are written.
struct InObject<T, const ESCAPED: bool>(T);

impl<'de, T: Deserialize<'de>, const ESCAPED: bool> Deserialize<'de> for InObject<T, ESCAPED> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T, const ESCAPED: bool>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const ESCAPED: bool> Visitor<'de> for Object<T, ESCAPED> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                match ESCAPED {
                    true => T::deserialize(MapAccessDeserializer::new(Named(map))),
                    false => T::deserialize(MapAccessDeserializer::new(map)),
                }
            }
        }
        deserializer.deserialize_map(Object::<T, ESCAPED>(PhantomData)).map(Self)
    }
}

/// An object's members under the names that they are looked for by.
pub(super) struct Named<A>(pub(super) A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Named<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(name) = self.0.next_key::<&'de RawValue>()? else { return Ok(None) };
        match said(name) {
            Cow::Borrowed(name) => seed.deserialize(BorrowedBytesDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(BytesDeserializer::new(&name)),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Read {
        method: Option<u8>,
    }

    fn read(json: &str) -> Option<Option<u8>> {
        object::<Read>(json.as_bytes()).ok().map(|read| read.method)
    }

    #[test]
    fn a_name_is_found_however_it_is_written_and_beside_any_other() {
        for json in
            [r#"{"method":1}"#, r#"{"\u006dethod":1}"#, r#"{"\uD800":[{"\udfff":0}],"\u006D\u0065thod":1,"a\n\"":{}}"#]
        {
            assert_eq!(read(json), Some(Some(1)), "{json}");
        }
        for other in [r#"{"Method":1}"#, r#"{"method\u0000":1}"#, r#"{"\ud800method":1}"#, "{}"] {
            assert_eq!(read(other), Some(None), "{other}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_and_what_is_no_json_are_refused() {
        for json in [r#"{"method":1,"\u006dethod":1}"#, "{\"a\nb\":1}", r#"{"\uD8":1}"#, r#"{"a":1"#, "[]", "{1:2}"] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!(object::<Read>(b"{\"\xff\":1}").is_err(), "text is UTF-8");
    }
}
