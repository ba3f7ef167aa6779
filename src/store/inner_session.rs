//! [`SealedInner`]: the session that a *shared* inner service has for one of ours.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// Where all replicas reach the same inner service, they share its session too: what the layer knows of it is kept with the
/// session, and is opaque to the store.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedInner {
    /// 1 for the first inner session of a session, and more for each one after it.
    pub incarnation: u64,
    /// What the layer knows of it. A few KiB at most.
    pub sealed: Bytes,
}

impl SealedInner {
    /// How long a session that has ended leaves its inner session behind, for whoever says goodbye to it.
    pub const FAREWELL: Duration = Duration::from_secs(60);
}

/// Shows how much there is, not what: it may not be sealed at all.
impl fmt::Debug for SealedInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incarnation, sealed } = self;
        write!(f, "SealedInner({incarnation}, {} bytes)", sealed.len())
    }
}

/// What came of [`SessionStore::replace_inner`](super::SessionStore::replace_inner).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InnerReplaced {
    /// The session has the caller's inner session.
    Replaced {
        /// Its number.
        incarnation: u64,
    },
    /// Somebody was first: this is the session's inner session now, `None` if it was removed. Nothing changed.
    Lost(Option<SealedInner>),
    /// The session is of another generation; nothing changed.
    Superseded,
    /// The session has ended.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_alone() {
        let inner = SealedInner { incarnation: 3, sealed: Bytes::from_static(b"secret") };
        assert_eq!(format!("{inner:?}"), "SealedInner(3, 6 bytes)");
        assert_eq!(format!("{:?}", InnerReplaced::Lost(Some(inner))), "Lost(Some(SealedInner(3, 6 bytes)))");
    }
}
