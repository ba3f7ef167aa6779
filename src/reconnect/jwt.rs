//! Writing tokens and judging them. JWT (RFC 7519), always HS256.
//!
//! A token is believed in the order of [`ReconnectKeys::verify`]: nothing it says is looked at before its signature is
//! found good, except which of our keys it claims. A forged token therefore learns nothing but `invalid_token`.
//!
//! The signer and the verifier are taken from jsonwebtoken's `rust_crypto` provider by name. Its `encode` and `decode` would
//! ask for the provider of the whole process, which panics where a program's other crates enabled a second backend; and
//! choosing that provider is the program's right, not a library's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{Key, ReconnectKeys};
use super::token::{Claims, Grant, ReconnectToken, TokenError, subject};
use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;
use crate::session::Timestamp;

const TYP: &str = "mcp-reconnect+jwt";
/// By how much the clocks of those who sign and those who verify may differ, in milliseconds.
const LEEWAY: u64 = 5_000;
const JTI_BYTES: usize = 12;

/// The protected header.
#[derive(Serialize, Deserialize)]
struct Head {
    alg: Algorithm,
    typ: Option<String>,
    kid: String,
    /// Extensions that must be understood; we understand none.
    #[serde(default, skip_serializing)]
    crit: serde_json::Value,
}

/// The claims as they are written. Those without a default must be there.
#[derive(Serialize, Deserialize)]
struct Written {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    #[serde(rename = "gen")]
    generation: u32,
    jti: String,
    /// In seconds, as all times here.
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing)]
    nbf: Option<u64>,
}

impl ReconnectKeys {
    /// Mints a token, good for [`ttl`](Self::ttl) from `now`.
    pub(crate) fn mint(&self, grant: &Grant<'_>, now: Timestamp) -> Result<ReconnectToken, TokenError> {
        let mut jti = [0; JTI_BYTES];
        getrandom::fill(&mut jti).map_err(TokenError::Randomness)?;
        let iat = now.0 / 1000;
        let claims = Written {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: subject(grant.principal),
            sid: grant.session.to_string(),
            generation: grant.generation,
            jti: URL_SAFE_NO_PAD.encode(jti),
            iat,
            exp: iat.saturating_add(self.ttl().as_secs()),
            nbf: None,
        };
        ReconnectToken::parse(self.sign(&claims)?.as_bytes()).ok_or(TokenError::TooLong)
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        let kid = self.accepted[0].kid.to_string();
        let head = Head { alg: Algorithm::HS256, typ: Some(TYP.to_owned()), kid, crit: serde_json::Value::Null };
        let mut text = format!("{}.{}", encoded(&head), encoded(claims));
        let signature = self.accepted[0].sign(text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }

    /// What a token says, if it is to be believed at `now`.
    pub(crate) fn verify(&self, token: &ReconnectToken, now: Timestamp) -> Result<Claims, ReconnectOutcome> {
        let (head, claims) = self.authentic(token.expose(), now).ok_or(ReconnectOutcome::InvalidToken)?;
        if !head.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYP)) {
            return Err(ReconnectOutcome::InvalidTokenPurpose);
        }
        let claims: Written = decoded(claims).ok_or(ReconnectOutcome::InvalidToken)?;
        let session = SessionKey::parse(&claims.sid).ok_or(ReconnectOutcome::InvalidToken)?;
        self.judge(&claims, now)?;
        Ok(Claims { session, generation: claims.generation, subject: claims.sub, id: claims.jti })
    }

    /// The key that a verified token was signed with.
    pub(super) fn key_of(&self, token: &ReconnectToken) -> Option<&Key> {
        let (head, _) = token.expose().split_once('.')?;
        let head: Head = decoded(head)?;
        self.accepted.iter().find(|key| *key.kid == head.kid)
    }

    /// The header and the claims, still encoded, of a token that was signed with a key accepted at `now`.
    fn authentic<'a>(&self, token: &'a str, now: Timestamp) -> Option<(Head, &'a str)> {
        let (message, signature) = token.rsplit_once('.')?;
        let (head, claims) = message.split_once('.')?;
        let head: Head = decoded(head)?;
        if head.alg != Algorithm::HS256 || !head.crit.is_null() {
            return None;
        }
        let key = self.accepted.iter().find(|key| *key.kid == head.kid).filter(|key| key.is_good_at(now))?;
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&Algorithm::HS256, &key.secret).ok()?;
        verifier.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        Some((head, claims))
    }

    /// Judges the claims of an authentic token.
    fn judge(&self, claims: &Written, now: Timestamp) -> Result<(), ReconnectOutcome> {
        let latest = now.0.saturating_add(LEEWAY);
        let is_later = |seconds: u64| seconds.saturating_mul(1000) > latest;
        if claims.iss != self.issuer {
            return Err(ReconnectOutcome::InvalidToken);
        }
        if claims.aud != self.audience {
            return Err(ReconnectOutcome::InvalidTokenPurpose);
        }
        if is_later(claims.iat) || claims.nbf.is_some_and(is_later) || claims.exp <= claims.iat {
            return Err(ReconnectOutcome::InvalidToken);
        }
        if claims.exp.saturating_mul(1000).saturating_add(LEEWAY) < now.0 {
            return Err(ReconnectOutcome::TokenExpired);
        }
        Ok(())
    }
}

impl Key {
    /// HMAC-SHA-256 of a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, &self.signing)
            .map_err(|error| TokenError::Signing(error.into()))?;
        signer.try_sign(message).map_err(|error| TokenError::Signing(error.into()))
    }

    fn is_good_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

fn encoded(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("strings and numbers are JSON"))
}

/// One part of a token, which must be a JSON object: serde alone would take an array for one.
fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    json.starts_with(b"{").then(|| serde_json::from_slice(&json).ok())?
}

#[cfg(test)]
mod tests;
