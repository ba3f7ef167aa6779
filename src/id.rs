//! A session's two names: the [`SessionId`] a client holds and the [`SessionKey`] everybody else may see.
//!
//! An id is 32 random bytes in base64url, 43 characters. Its first 16 characters (12 bytes) are the *key*, the public
//! name; the other 20 bytes are a secret of which the store keeps only a [`SecretDigest`].

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ID_BYTES: usize = 32;
const ID_CHARS: usize = 43;
const KEY_CHARS: usize = 16;
const KEY_BYTES: usize = 12;

/// What a client sends as `Mcp-Session-Id`: a name and a password in one.
///
/// It is a secret: `Debug` is redacted and there is no `Display`. Show people its [`key`](Self::key).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId {
    bytes: [u8; ID_BYTES],
}

impl SessionId {
    /// Makes a new id from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self { bytes })
    }

    /// A new id by the same public name: another secret.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness to give.
    pub fn renewed(key: &SessionKey) -> Result<Self, getrandom::Error> {
        let mut id = Self::generate()?;
        let written = URL_SAFE_NO_PAD.decode_slice(key.text, &mut id.bytes[..KEY_BYTES]);
        debug_assert_eq!(written, Ok(KEY_BYTES), "16 characters are 12 bytes");
        Ok(id)
    }

    /// The id by a public name whose secret half is the beginning of `secret`; `None` if that is too short.
    #[cfg(feature = "reconnect")]
    pub(crate) fn with_secret(key: &SessionKey, secret: &[u8]) -> Option<Self> {
        let mut bytes = [0; ID_BYTES];
        let written = URL_SAFE_NO_PAD.decode_slice(key.text, &mut bytes[..KEY_BYTES]);
        debug_assert_eq!(written, Ok(KEY_BYTES), "16 characters are 12 bytes");
        bytes[KEY_BYTES..].copy_from_slice(secret.get(..ID_BYTES - KEY_BYTES)?);
        Some(Self { bytes })
    }

    /// Reads an id as a client sent it; `None` unless it is one that [`generate`](Self::generate) could have made.
    ///
    /// Nothing is looked up: a malformed id costs no command in the store.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != ID_CHARS {
            return None;
        }
        let mut bytes = [0; ID_BYTES];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (written == ID_BYTES).then_some(Self { bytes })
    }

    /// The session's public name.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        let mut text = [0; KEY_CHARS];
        URL_SAFE_NO_PAD.encode_slice(&self.bytes[..KEY_BYTES], &mut text).expect("12 bytes are 16 characters");
        SessionKey { text }
    }

    /// What the store keeps of the secret half.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(&self.bytes[KEY_BYTES..]).into())
    }

    /// The id as a client has to send it. Whoever sees it owns the session.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// The id as a header value marked sensitive, so that HTTP stacks keep it out of their logs and header tables.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.expose()).expect("base64url is visible ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.key())
    }
}

/// A session's public name for life: the first 16 characters of its id.
///
/// It stands in store keys, logs, events, the API and the dashboard. Knowing it opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    text: [u8; KEY_CHARS],
}

impl SessionKey {
    /// Reads a key; `None` unless it is 16 characters of base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text: [u8; KEY_CHARS] = text.as_bytes().try_into().ok()?;
        let known = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        text.iter().all(known).then_some(Self { text })
    }

    /// The 16 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).expect("a key is ASCII")
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({self})")
    }
}

/// SHA-256 of an id's secret half. Compared in constant time; never printed.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Wraps the digest as a store kept it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest, for a store to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretDigest {}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// SHA-256 of what a client sends along to be recognised if it has to ask again. Compared in constant time; never printed.
#[derive(Clone, Copy)]
pub struct NonceDigest([u8; 32]);

impl NonceDigest {
    /// Of a nonce; an empty one is none.
    #[must_use]
    pub fn of(nonce: &[u8]) -> Option<Self> {
        (!nonce.is_empty()).then(|| Self(Sha256::digest(nonce).into()))
    }

    /// Of this nonce together with what it was sent along with: neither alone makes the same digest.
    #[cfg(feature = "reconnect")]
    pub(crate) fn along_with(&self, token: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(token).finalize().into())
    }

    /// Wraps the digest as a store kept it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest, for a store to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for NonceDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for NonceDigest {}

impl fmt::Debug for NonceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(id: &SessionId) -> String {
        id.header_value().to_str().unwrap().to_owned()
    }

    #[test]
    fn an_id_survives_the_wire_and_begins_with_its_key() {
        let id = SessionId::generate().unwrap();
        let text = text_of(&id);
        assert_eq!(text.len(), ID_CHARS);
        assert_eq!(SessionId::parse(text.as_bytes()), Some(id.clone()));
        assert!(text.starts_with(id.key().as_str()));
        assert_eq!(SessionKey::parse(id.key().as_str()), Some(id.key()));
    }

    #[test]
    fn only_the_canonical_spelling_of_an_id_is_read() {
        let text = text_of(&SessionId::generate().unwrap());
        let mut trailing_bits = text.clone().into_bytes();
        trailing_bits[ID_CHARS - 1] = b'B'; // two bits that no 32 bytes encode to
        let foreign_alphabet = text.replacen(|_| true, "+", 1);
        let cases: [&[u8]; 6] = [
            b"",
            &text.as_bytes()[1..],
            &trailing_bits,
            foreign_alphabet.as_bytes(),
            &[b'A'; 8192],
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
        ];
        for case in cases {
            assert_eq!(SessionId::parse(case), None, "{}", case.escape_ascii());
        }
    }

    #[test]
    fn debug_shows_the_public_half_alone() {
        let id = SessionId::generate().unwrap();
        let secret = &text_of(&id)[KEY_CHARS..];
        assert!(!format!("{id:?} {:?}", id.digest()).contains(secret));
    }
}
