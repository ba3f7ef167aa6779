//! The same hint from several replicas: "the list has changed" is said by every inner service that sees it change, and
//! delivered once.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::protocol::names;
use crate::store::ReplicaId;

/// Equal hints within this time are about the same change.
const WINDOW: Duration = Duration::from_millis(250);

/// A message of the listening stream as the log keeps it: who said it, then what.
pub(crate) fn signed(replica: &ReplicaId, message: &[u8]) -> Bytes {
    [replica.as_str().as_bytes(), message].concat().into()
}

/// The hints of the last moment.
#[derive(Default)]
pub(crate) struct Hints(HashMap<Bytes, Recent>);

struct Recent {
    /// Until when the same hint of another replica is taken to be about the same change.
    until: Instant,
    by: [u8; ReplicaId::CHARS],
    /// Another replica said it too: it may have meant a later change, which must not go unsaid for good.
    again: bool,
}

impl Hints {
    /// Takes the signature off a message; `false` if it is a hint that was just delivered for another replica. It is said
    /// again at the end of its time, for the change it may have been about. What one replica says twice is two changes.
    pub(crate) fn admit(&mut self, message: &mut Bytes) -> bool {
        let Some(by) = message.first_chunk::<{ ReplicaId::CHARS }>().copied() else { return false };
        message.advance(ReplicaId::CHARS);
        if !is_hint(message) {
            return true;
        }
        let now = Instant::now();
        self.0.retain(|_, recent| recent.again || recent.until > now);
        match self.0.get_mut(message) {
            Some(recent) if recent.by != by => {
                recent.again = true;
                false
            }
            Some(_) | None => {
                self.0.insert(message.clone(), Recent { until: now + WINDOW, by, again: false });
                true
            }
        }
    }

    /// Hints that have to be said again now.
    pub(crate) fn due(&mut self) -> Vec<Bytes> {
        let now = Instant::now();
        self.0.extract_if(|_, recent| recent.again && recent.until <= now).map(|(hint, _)| hint).collect()
    }

    /// Hints that have to be said again, now or later: for whoever listens next.
    pub(crate) fn owed(&mut self) -> Vec<Bytes> {
        self.0.extract_if(|_, recent| recent.again).map(|(hint, _)| hint).collect()
    }

    /// How long until there is one.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let waiting = self.0.values().filter(|recent| recent.again);
        waiting.map(|recent| recent.until.saturating_duration_since(Instant::now())).min()
    }
}

/// Whether a message only says that something can be asked for again.
fn is_hint(message: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        method: std::borrow::Cow<'a, str>,
    }
    names::object::<Named<'_>>(message)
        .is_ok_and(|named| named.method == "notifications/resources/updated" || named.method.ends_with("/list_changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(hints: &mut Hints, by: &str, message: &str) -> bool {
        let mut message = signed(&ReplicaId::parse(by).unwrap(), message.as_bytes());
        hints.admit(&mut message)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hint_of_several_replicas_is_one_and_the_last_change_is_told() {
        let mut hints = Hints::default();
        let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        assert!(admitted(&mut hints, "AAAAAAAA", changed));
        assert_eq!(hints.next_due(), None);
        assert!(!admitted(&mut hints, "BBBBBBBB", changed));
        assert!(!admitted(&mut hints, "CCCCCCCC", changed));
        assert!(hints.due().is_empty());
        tokio::time::advance(hints.next_due().unwrap()).await;
        assert_eq!(hints.due(), [changed], "once more, for a change that came after the first was told");
        assert!(hints.due().is_empty() && hints.owed().is_empty());
        assert!(admitted(&mut hints, "BBBBBBBB", changed));
        assert!(admitted(&mut hints, "BBBBBBBB", changed), "what one replica says twice is two changes");
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}"#;
        assert!(admitted(&mut hints, "AAAAAAAA", log) && admitted(&mut hints, "BBBBBBBB", log));
        assert!(!admitted(&mut hints, "AAAAAAAA", changed));
        assert_eq!(hints.owed(), [changed], "a listener that leaves owes it to the next one");
    }
}
