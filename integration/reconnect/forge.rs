//! Tokens that were never handed out.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};

use super::SECRET;

/// A token in parts, to be changed and signed anew.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) head: Value,
    pub(super) claims: Value,
}

impl Forged {
    /// A copy of a good one.
    pub(super) fn of(token: &str) -> Self {
        let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
        let mut json = || serde_json::from_slice(&parts.next().expect("three parts")).expect("JSON");
        Self { head: json(), claims: json() }
    }

    /// With another word in its head; null takes it out.
    pub(super) fn head(mut self, name: &str, value: Value) -> Self {
        set(&mut self.head, name, value);
        self
    }

    /// With another claim; null takes it out.
    pub(super) fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// Signed as its server would.
    pub(super) fn signed(&self) -> String {
        self.signed_with(SECRET)
    }

    /// Signed with another secret.
    pub(super) fn signed_with(&self, secret: &[u8]) -> String {
        let message = self.message();
        let signature = match self.head["alg"].as_str() {
            Some("HS384") => mac::<Hmac<Sha384>>(secret, &message),
            Some("HS512") => mac::<Hmac<Sha512>>(secret, &message),
            _ => mac::<Hmac<Sha256>>(secret, &message),
        };
        format!("{message}.{signature}")
    }

    /// Not signed at all.
    pub(super) fn unsigned(&self) -> String {
        format!("{}.", self.message())
    }

    fn message(&self) -> String {
        let [head, claims] = [&self.head, &self.claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        format!("{head}.{claims}")
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], message: &str) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(secret).expect("any length is good");
    mac.update(message.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
