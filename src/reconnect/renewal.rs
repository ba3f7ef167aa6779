//! The id that a session goes on with, for a client that marks its attempts with a nonce: the same for all of them.
//!
//! Attempts overtake each other: one that its client has given up may still be on its way, and arrive after the one that was
//! answered. If each made an id of its own, the late one would take away the id that its own client holds by then. So the id
//! follows from what all attempts have in common: the token, the nonce, and the key that the token was signed with.
//! Without that key nobody can tell it, whoever finds token and nonce later.

use super::keys::ReconnectKeys;
use super::token::ReconnectToken;
use crate::id::{NonceDigest, SessionId, SessionKey};

/// No token begins like this, so no signature of one is ever an id.
const DOMAIN: &[u8] = b"session id of ";

impl ReconnectKeys {
    /// The id by which the bearer of a verified token gets its session, however often it asks with this nonce; `None` if it
    /// is no token of ours.
    pub(crate) fn renewed_id(
        &self,
        session: &SessionKey,
        token: &ReconnectToken,
        nonce: &NonceDigest,
    ) -> Option<SessionId> {
        let key = self.key_of(token)?;
        let secret = key.sign(&[DOMAIN, token.expose().as_bytes(), b" ", nonce.as_bytes()].concat());
        SessionId::with_secret(session, &secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconnect::token::Grant;
    use crate::session::Timestamp;

    const OLD: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NEW: &[u8] = b"fedcba9876543210fedcba9876543210";

    fn session() -> SessionKey {
        SessionKey::parse("0123456789abcdef").unwrap()
    }

    fn token_of(keys: &ReconnectKeys) -> ReconnectToken {
        let grant = Grant { session: session(), generation: 3, principal: None };
        keys.mint(&grant, Timestamp(1_000_000)).unwrap()
    }

    fn id(keys: &ReconnectKeys, token: &ReconnectToken, nonce: &str) -> SessionId {
        keys.renewed_id(&session(), token, &NonceDigest::of(nonce.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn all_replicas_make_the_same_id_while_keys_are_changed() {
        let old = ReconnectKeys::new("old", OLD).unwrap();
        let token = token_of(&old);
        let wanted = id(&old, &token, "n");
        assert_eq!(wanted.key(), session());
        let before = old.accept("new", NEW).unwrap();
        let after = ReconnectKeys::new("new", NEW).unwrap().accept("old", OLD).unwrap();
        assert!(id(&before, &token, "n") == wanted && id(&after, &token, "n") == wanted);
    }

    /// Made once of this token, nonce and key: another release's replica beside this one makes the same.
    #[test]
    fn a_golden_id_is_made_again_as_it_was() {
        let keys = ReconnectKeys::new("k", OLD).unwrap();
        let token =
            ReconnectToken::parse(b"eyJhbGciOiJIUzI1NiIsInR5cCI6Im1jcC1yZWNvbm5lY3Qrand0Iiwia2lkIjoiayJ9.e30.AA")
                .unwrap();
        assert_eq!(id(&keys, &token, "n").expose(), "0123456789abcdef4s9Px-P-AKqHp1hFeFl2S1AUwmU");
    }

    #[test]
    fn another_token_nonce_or_key_makes_another_id() {
        let keys = ReconnectKeys::new("k", OLD).unwrap();
        let token = token_of(&keys);
        let ids = [
            id(&keys, &token, "n"),
            id(&keys, &token, "m"),
            id(&keys, &token_of(&keys), "n"),
            id(&ReconnectKeys::new("k", NEW).unwrap(), &token, "n"),
        ];
        for (at, one) in ids.iter().enumerate() {
            assert!(ids[at + 1..].iter().all(|other| other.digest() != one.digest()));
        }
    }

    #[test]
    fn what_is_no_token_of_ours_makes_none() {
        let keys = ReconnectKeys::new("k", OLD).unwrap();
        let nonce = NonceDigest::of(b"n").unwrap();
        let foreign = token_of(&ReconnectKeys::new("other", OLD).unwrap());
        for token in [foreign, ReconnectToken::parse(b"nonsense").unwrap()] {
            assert!(keys.renewed_id(&session(), &token, &nonce).is_none());
        }
    }
}
