//! Writing tokens and judging them. JWT (RFC 7519), always HS256.
//!
//! A token is believed in the order of [`ReconnectKeys::verify`]: nothing it says is looked at before its signature is
//! found good, except which of our keys it claims. A forged token therefore learns nothing but `invalid_token`.
//!
//! jsonwebtoken reads headers and names algorithms; signatures are our own [`Key::sign`]. Its `encode` and `decode` would ask
//! for the crypto provider of the whole process, which panics where a program has no backend of jsonwebtoken's or two; and
//! which one it has is the program's choice, not a library's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use jsonwebtoken::{Algorithm, Header, decode_header};
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

/// The protected header as it is written. [`Header`] would put its members into another order.
#[derive(Serialize)]
struct Head<'a> {
    alg: Algorithm,
    typ: &'static str,
    kid: &'a str,
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

/// The time that a token is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenTime {
    /// The store's clock.
    pub(crate) now: Timestamp,
    /// The time it would be if that clock had never gone back; not before `now`.
    pub(crate) latest: Timestamp,
}

impl TokenTime {
    pub(crate) fn new(now: Timestamp, latest: Option<Timestamp>) -> Self {
        Self { now, latest: latest.map_or(now, |latest| latest.max(now)) }
    }

    /// The time that has passed for a token issued then. One from before the clock went back ages as if it had not.
    fn since(self, iat: u64) -> Timestamp {
        if is_after(iat, self.now) { self.latest } else { self.now }
    }
}

/// Whether a moment, in seconds, is to come for everybody.
fn is_after(seconds: u64, time: Timestamp) -> bool {
    seconds.saturating_mul(1000) > time.0.saturating_add(LEEWAY)
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
        ReconnectToken::parse(self.sign(&claims).as_bytes()).ok_or(TokenError::TooLong)
    }

    fn sign(&self, claims: &Written) -> String {
        let key = &self.accepted[0];
        let head = Head { alg: Algorithm::HS256, typ: TYP, kid: &key.kid };
        let mut text = format!("{}.{}", encoded(&head), encoded(claims));
        let signature = key.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        text
    }

    /// What a token says, if it is to be believed at this time.
    pub(crate) fn verify(&self, token: &ReconnectToken, time: TokenTime) -> Result<Claims, ReconnectOutcome> {
        let (header, claims) = self.authentic(token.expose(), time.now).ok_or(ReconnectOutcome::InvalidToken)?;
        if !header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYP)) {
            return Err(ReconnectOutcome::InvalidTokenPurpose);
        }
        let claims: Written = decoded(claims).ok_or(ReconnectOutcome::InvalidToken)?;
        let session = SessionKey::parse(&claims.sid).ok_or(ReconnectOutcome::InvalidToken)?;
        self.judge(&claims, time)?;
        Ok(Claims { session, generation: claims.generation, subject: claims.sub, id: claims.jti })
    }

    /// The session of an authentic token that is from later than anybody here knows it to be.
    pub(crate) fn session_to_come(&self, token: &ReconnectToken, time: TokenTime) -> Option<SessionKey> {
        let (_, claims) = self.authentic(token.expose(), time.now)?;
        let claims: Written = decoded(claims)?;
        is_after(claims.iat, time.latest).then(|| SessionKey::parse(&claims.sid))?
    }

    /// The key that a verified token was signed with.
    pub(super) fn key_of(&self, token: &ReconnectToken) -> Option<&Key> {
        self.key_named(&decode_header(token.expose()).ok()?)
    }

    fn key_named(&self, header: &Header) -> Option<&Key> {
        let kid = header.kid.as_deref()?;
        self.accepted.iter().find(|key| *key.kid == *kid)
    }

    /// The header and the claims, still encoded, of a token that was signed with a key accepted at `now`.
    fn authentic<'a>(&self, token: &'a str, now: Timestamp) -> Option<(Header, &'a str)> {
        let header = decode_header(token).ok()?;
        // `crit` names extensions that must be understood; we understand none.
        if header.alg != Algorithm::HS256 || header.crit.is_some() {
            return None;
        }
        let key = self.key_named(&header).filter(|key| key.is_good_at(now))?;
        let (message, signature) = token.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        key.has_signed(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).then_some((header, claims))
    }

    /// Judges the claims of an authentic token.
    fn judge(&self, claims: &Written, time: TokenTime) -> Result<(), ReconnectOutcome> {
        let is_to_come = |seconds: u64| is_after(seconds, time.latest);
        if claims.iss != self.issuer {
            return Err(ReconnectOutcome::InvalidToken);
        }
        if claims.aud != self.audience {
            return Err(ReconnectOutcome::InvalidTokenPurpose);
        }
        if is_to_come(claims.iat) || claims.nbf.is_some_and(is_to_come) || claims.exp <= claims.iat {
            return Err(ReconnectOutcome::InvalidToken);
        }
        if claims.exp.saturating_mul(1000).saturating_add(LEEWAY) < time.since(claims.iat).0 {
            return Err(ReconnectOutcome::TokenExpired);
        }
        Ok(())
    }
}

impl Key {
    /// HMAC-SHA-256 of a message.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.mac.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// Whether this is what [`sign`](Self::sign) makes of the message; how long it takes tells nothing.
    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.mac.clone().chain_update(message).verify_slice(signature).is_ok()
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
