//! What the layer keeps of a shared inner service's session, as the store gets it: sealed where a reconnect key is configured.
//!
//! | first byte | what follows |
//! |---|---|
//! | 0 | the text as it is: no key was configured |
//! | 1 | the text sealed for its session: see `reconnect/seal.rs` |

use bytes::Bytes;

use crate::id::SessionKey;
#[cfg(feature = "reconnect")]
use crate::reconnect::ReconnectKeys;

const PLAIN: u8 = 0;
const SEALED: u8 = 1;

/// Seals what is known of a session's inner session; where no key is configured, it stays readable. A key made at start counts
/// as none: nobody else could open what it seals. `None` if the operating system has no randomness to give.
pub(crate) fn seal(keys: Option<&ReconnectKeys>, session: &SessionKey, plain: &[u8]) -> Option<Bytes> {
    match keys.filter(|keys| keys.can_seal()) {
        Some(keys) => keys.seal(SEALED, session, plain),
        None => Some([&[PLAIN], plain].concat().into()),
    }
}

/// Whether what [`seal`] made can be read without a key.
pub(crate) fn is_readable(sealed: &[u8]) -> bool {
    sealed.first() == Some(&PLAIN)
}

/// Opens what [`seal`] made, with whichever of the configured keys; readable text is taken whatever is configured, as some may
/// be left from before there was a key. `None` if it cannot be opened: the inner session is lost.
pub(crate) fn open(keys: Option<&ReconnectKeys>, session: &SessionKey, sealed: &[u8]) -> Option<Vec<u8>> {
    match sealed.split_first()? {
        (&PLAIN, plain) => Some(plain.to_vec()),
        (&SEALED, rest) => keys?.unseal(SEALED, session, rest),
        _ => None,
    }
}

/// Without the feature nobody has any.
#[cfg(not(feature = "reconnect"))]
pub(crate) enum ReconnectKeys {}

/// Without the feature no key seals.
#[cfg(not(feature = "seal"))]
impl ReconnectKeys {
    #[expect(clippy::unused_self, reason = "with the feature it depends on the keys")]
    fn can_seal(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "with the feature it depends on the keys")]
    fn seal(&self, _: u8, _: &SessionKey, _: &[u8]) -> Option<Bytes> {
        None
    }

    #[expect(clippy::unused_self, reason = "with the feature it depends on the keys")]
    fn unseal(&self, _: u8, _: &SessionKey, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_it_stays_readable_and_what_is_sealed_is_lost() {
        let session = SessionKey::parse("0123456789abcdef").unwrap();
        let kept = seal(None, &session, b"text").unwrap();
        assert_eq!(&kept[..], b"\0text");
        assert_eq!(open(None, &session, &kept).as_deref(), Some(&b"text"[..]));
        for lost in [&b""[..], b"\x01text", b"\x02text", &[1; 100]] {
            assert_eq!(open(None, &session, lost), None);
        }
    }
}
