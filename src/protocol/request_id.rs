//! *Is this the answer to that?* JSON-RPC ids, kept as they were written and compared as the JSON values they are.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON-RPC request id exactly as its sender wrote it, to be echoed byte for byte.
///
/// Two ids are equal if they are the same JSON value, however each is written: `7`, `7.0` and `70e-1` are one id, `"a"` and
/// `"\u0061"` too. `"7"` is another one. Numbers are compared exactly, whatever their size.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// Longest id that is kept beyond its call.
    const KEPT: usize = 4096;

    /// As it stands in JSON.
    pub(crate) fn as_json(&self) -> &str {
        &self.0
    }

    /// An id as JSON text.
    pub(crate) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<&RawValue>(text).ok().and_then(Self::read)
    }

    /// The text of a string id; numbers have none.
    pub(crate) fn text(&self) -> Option<String> {
        serde_json::from_str(&self.0).ok()
    }

    /// Strings and numbers are ids (MCP forbids `null`).
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let scalar = text.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit());
        scalar.then(|| Self(text.into()))
    }

    /// Whether it is short enough to be kept beyond its call, in the session store. A client may make it as long as a body.
    pub(crate) fn is_short(&self) -> bool {
        self.0.len() <= Self::KEPT
    }
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        if self.0 == other.0 {
            return true;
        }
        match (self.0.starts_with('"'), other.0.starts_with('"')) {
            (true, true) => unescaped(&self.0).is_some_and(|text| unescaped(&other.0) == Some(text)),
            (false, false) => Decimal::read(&self.0).is_some_and(|number| Decimal::read(&other.0) == Some(number)),
            (true, false) | (false, true) => false,
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// What a JSON string says. Bytes, because JSON can say halves of characters that Rust's text cannot.
pub(super) fn unescaped(json: &str) -> Option<Vec<u8>> {
    struct Said(Vec<u8>);
    impl<'de> Deserialize<'de> for Said {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Bytes;
            impl Visitor<'_> for Bytes {
                type Value = Said;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a string")
                }

                fn visit_bytes<E>(self, said: &[u8]) -> Result<Said, E> {
                    Ok(Said(said.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Bytes)
        }
    }
    serde_json::from_str::<Said>(json).ok().map(|said| said.0)
}

/// A number without the liberties of writing it: sign, digits without zeros at either end, and where the point stands.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads what JSON calls a number. `None` if its exponent is beyond all reason: then only the same text is the same number.
    fn read(json: &str) -> Option<Self> {
        let unsigned = json.strip_prefix('-').unwrap_or(json);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().ok()?;
        let mut exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.checked_add(1)?;
        }
        match digits.is_empty() {
            true => Some(Self { is_negative: false, digits, exponent: 0 }),
            false => Some(Self { is_negative: json.starts_with('-'), digits, exponent }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> RequestId {
        RequestId::from_json(json.as_bytes()).unwrap_or_else(|| panic!("no id: {json}"))
    }

    #[test]
    fn ids_are_equal_as_json_values_are() {
        for same in [
            ["7", "7.0"],
            ["7", "70e-1"],
            ["7", "0.07E+2"],
            ["0", "-0.0e5"],
            ["-3", "-3.00"],
            ["1000", "1e3"],
            ["9007199254740993", "9007199254740993.0"],
            ["1e99999999999999999999", "1e99999999999999999999"],
            [r#""a""#, r#""\u0061""#],
            [r#""a/b""#, r#""a\/b""#],
            [r#""\ud83d\ude00""#, "\"😀\""],
            [r#""\uD800""#, r#""\ud800""#],
            [r#""""#, r#""""#],
        ] {
            assert_eq!(id(same[0]), id(same[1]));
            assert_eq!(id(same[1]), id(same[0]));
        }
    }

    #[test]
    fn what_only_looks_alike_is_another_id() {
        for different in [
            ["7", r#""7""#],
            ["7", "70"],
            ["7", "0.7"],
            ["7", "-7"],
            ["9007199254740993", "9007199254740992"],
            ["18446744073709551617", "18446744073709551616"],
            ["1e99999999999999999999", "1e99999999999999999998"],
            [r#""a""#, r#""A""#],
            [r#""""#, "0"],
            [r#""7.0""#, r#""7""#],
            [r#""\ud800""#, r#""\ud801""#],
        ] {
            assert_ne!(id(different[0]), id(different[1]));
            assert_ne!(id(different[1]), id(different[0]));
        }
    }

    #[test]
    fn only_strings_and_numbers_are_ids() {
        for other in ["null", "true", "[]", "{}", "", "x"] {
            assert!(RequestId::from_json(other.as_bytes()).is_none(), "{other}");
        }
    }
}
