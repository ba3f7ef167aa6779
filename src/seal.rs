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
#[cfg(feature = "reconnect")]
const SEALED: u8 = 1;

/// Without the feature nobody has any.
#[cfg(not(feature = "reconnect"))]
pub(crate) enum ReconnectKeys {}

#[cfg(not(feature = "reconnect"))]
impl ReconnectKeys {
    fn can_seal(&self) -> bool {
        match *self {}
    }
}

/// Seals what is known of a session's inner session; where no key is configured, it stays readable. A key made at start counts
/// as none: nobody else could open what it seals. `None` if the operating system has no randomness to give.
pub(crate) fn seal(keys: Option<&ReconnectKeys>, session: &SessionKey, plain: &[u8]) -> Option<Bytes> {
    match keys.filter(|keys| keys.can_seal()) {
        #[cfg(feature = "reconnect")]
        Some(keys) => keys.seal(SEALED, session, plain),
        #[cfg(not(feature = "reconnect"))]
        Some(keys) => match *keys {},
        None => Some([&[PLAIN], plain].concat().into()),
    }
}

/// Opens what [`seal`] made, with whichever of the configured keys; readable text is taken whatever is configured, as some may
/// be left from before there was a key. `None` if it cannot be opened: the inner session is lost.
pub(crate) fn open(keys: Option<&ReconnectKeys>, session: &SessionKey, sealed: &[u8]) -> Option<Vec<u8>> {
    match sealed.split_first()? {
        (&PLAIN, plain) => Some(plain.to_vec()),
        #[cfg(feature = "reconnect")]
        (&SEALED, rest) => keys?.unseal(SEALED, session, rest),
        _ => None,
    }
}
