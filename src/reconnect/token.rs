//! [`ReconnectToken`], a secret, and what one says.

use std::error::Error;
use std::fmt;

use http::HeaderValue;

use crate::id::SessionKey;
use crate::session::{Principal, SessionOrigin};

/// A reconnect token as a client holds it: whoever shows it gets the session.
///
/// It is a secret: `Debug` is redacted and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ReconnectToken(String);

impl ReconnectToken {
    /// Longest token read; ours have about 350 bytes and a principal.
    const MAX_LEN: usize = 4096;

    /// Reads what a client sent; `None` unless it is 1 to 4,096 visible ASCII characters. Says nothing about who made it.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        fits.then(|| Self(String::from_utf8(text.to_vec()).expect("visible ASCII is UTF-8")))
    }

    /// The secret itself, to be handed to its client: this is the one way to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The token as a header value marked sensitive, so that HTTP stacks keep it out of their logs and header tables.
    pub(crate) fn header_value(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.0).expect("visible ASCII may stand in a header");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for ReconnectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReconnectToken(…)")
    }
}

/// What a token is minted for.
pub(crate) struct Grant<'a> {
    pub(crate) session: SessionKey,
    /// The reconnect generation in which the token is good.
    pub(crate) generation: u32,
    /// Whose session it is.
    pub(crate) principal: Option<&'a Principal>,
}

/// What a verified token says.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) session: SessionKey,
    pub(crate) generation: u32,
    /// As [`subject`] writes it: empty for nobody.
    pub(crate) subject: String,
    /// The token's own name (`jti`); not a secret.
    pub(crate) id: String,
}

impl Claims {
    /// The generation of a session in which the token is good for a principal; `None` if one of them is somebody else's. A token
    /// from the last generation in which the session was anonymous is its adopter's.
    pub(crate) fn generation_for(&self, principal: Option<&Principal>, session: &SessionOrigin) -> Option<u32> {
        if session.principal.as_ref() != principal {
            return None;
        }
        match session.adopted {
            Some(adopted) if self.is_for(None) && self.generation < adopted => {
                let is_last = self.generation.checked_add(1) == Some(adopted);
                Some(if is_last { adopted } else { self.generation })
            }
            Some(_) | None => self.is_for(principal).then_some(self.generation),
        }
    }

    /// Whether the token was minted for this principal; one for nobody is for requests without a principal alone.
    pub(super) fn is_for(&self, principal: Option<&Principal>) -> bool {
        self.subject == subject(principal)
    }
}

/// The claim `sub`: empty for an anonymous session, `principal/alice` for that of `alice`. The prefix keeps a principal whose
/// subject is empty from being nobody.
pub(super) fn subject(principal: Option<&Principal>) -> String {
    principal.map_or_else(String::new, |principal| format!("principal/{principal}"))
}

/// A token could not be minted.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// The operating system has no randomness to give.
    Randomness(getrandom::Error),
    /// The principal is so long that the token would not be read.
    TooLong,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Randomness(_) => "no randomness for a reconnect token",
            Self::TooLong => "the principal is too long for a reconnect token; keep it under 2,000 bytes",
        })
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Randomness(source) => Some(source),
            Self::TooLong => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::version::ProtocolVersion;
    use crate::session::ClientInfo;

    fn claims(principal: Option<&Principal>) -> Claims {
        let session = SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap();
        Claims { session, generation: 0, subject: subject(principal), id: String::new() }
    }

    #[test]
    fn a_token_is_visible_ascii_of_bounded_length() {
        for text in ["", "a b", "a\u{e9}", "a\n", &"a".repeat(4097)] {
            assert!(ReconnectToken::parse(text.as_bytes()).is_none(), "{text:?}");
        }
        assert_eq!(ReconnectToken::parse(&[b'a'; 4096]).unwrap().expose().len(), 4096);
    }

    #[test]
    fn a_token_is_for_one_principal_or_for_nobody() {
        let principals = [None, Some(""), Some("alice"), Some("principal/"), Some("Alice")];
        let principals = principals.map(|subject| subject.map(Principal::from));
        for (minted, one) in principals.iter().enumerate() {
            for (shown, other) in principals.iter().enumerate() {
                assert_eq!(claims(one.as_ref()).is_for(other.as_ref()), minted == shown, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_token_of_an_anonymous_session_is_its_adopters() {
        let of = |minted_for: Option<&Principal>, generation| Claims { generation, ..claims(minted_for) };
        let (alice, mallory) = (Principal::from("alice"), Principal::from("mallory"));
        let origin = |principal: Option<&Principal>, adopted| SessionOrigin {
            protocol_version: ProtocolVersion::V2025_11_25,
            client: ClientInfo::default(),
            principal: principal.cloned(),
            adopted,
            replica: "a".into(),
            inner_has_sessions: false,
        };
        let adopted = origin(Some(&alice), Some(3));
        assert_eq!(
            of(None, 2).generation_for(Some(&alice), &adopted),
            Some(3),
            "as good as one from after the adoption"
        );
        assert_eq!(of(None, 1).generation_for(Some(&alice), &adopted), Some(1), "spent before");
        assert_eq!(of(None, 3).generation_for(Some(&alice), &adopted), None, "nobody had a token then");
        assert_eq!(of(Some(&alice), 3).generation_for(Some(&alice), &adopted), Some(3));
        for generation in 0..5 {
            for stranger in [None, Some(&mallory)] {
                assert_eq!(of(None, generation).generation_for(stranger, &adopted), None);
                assert_eq!(of(stranger, generation).generation_for(stranger, &adopted), None);
            }
            assert_eq!(of(None, generation).generation_for(Some(&alice), &origin(Some(&alice), None)), None);
            assert_eq!(of(None, generation).generation_for(Some(&alice), &origin(None, None)), None);
            assert_eq!(of(None, generation).generation_for(None, &origin(None, None)), Some(generation));
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = ReconnectToken::parse(b"s3cret").unwrap();
        assert!(!format!("{token:?} {:?}", token.header_value()).contains("s3cret"));
    }
}
