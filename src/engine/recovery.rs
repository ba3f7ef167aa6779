//! How often an inner service that speaks of a lost session is asked back, and how often the handshake is replayed to it: what
//! one replica remembers of that for one session.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::inner_lost_session::Symptom;

const MINUTE: Duration = Duration::from_secs(60);
/// Replays a minute: an inner service may restart several times, and must not lock its clients out; one that keeps forgetting
/// must not be told everything again with every request.
const REPLAYS: usize = 5;
/// Kinds of answers remembered.
const SYMPTOMS: usize = 4;

#[derive(Default)]
pub(crate) struct Recovery {
    /// Kinds of answers after which a ping told that the session lives.
    disproved: Vec<(Symptom, Instant)>,
    /// Replays that succeeded.
    replayed: Vec<Instant>,
}

impl Recovery {
    /// Whether a ping told less than a minute ago that such an answer says nothing of the session.
    pub(crate) fn is_disproved(&self, symptom: Symptom, now: Instant) -> bool {
        self.disproved.iter().any(|&(known, at)| known == symptom && is_recent(at, now))
    }

    /// A ping told that the session lives, whatever such an answer says.
    pub(crate) fn disprove(&mut self, symptom: Symptom, now: Instant) {
        self.disproved.retain(|&(known, at)| known != symptom && is_recent(at, now));
        if self.disproved.len() == SYMPTOMS {
            self.disproved.remove(0);
        }
        self.disproved.push((symptom, now));
    }

    pub(crate) fn may_replay(&self, now: Instant) -> bool {
        self.replayed.iter().filter(|at| is_recent(**at, now)).count() < REPLAYS
    }

    /// A replay succeeded.
    pub(crate) fn note_replay(&mut self, now: Instant) {
        self.replayed.retain(|at| is_recent(*at, now));
        self.replayed.push(now);
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < MINUTE
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn symptom(status: u16) -> Symptom {
        Symptom::of_message(StatusCode::from_u16(status).unwrap(), None)
    }

    #[tokio::test]
    async fn what_a_ping_disproved_is_not_asked_again_within_a_minute() {
        let (mut recovery, now) = (Recovery::default(), Instant::now());
        recovery.disprove(symptom(404), now);
        assert!(recovery.is_disproved(symptom(404), now + MINUTE / 2));
        assert!(!recovery.is_disproved(symptom(400), now));
        assert!(!recovery.is_disproved(symptom(404), now + MINUTE));
    }

    #[tokio::test]
    async fn few_kinds_of_answers_are_remembered() {
        let (mut recovery, now) = (Recovery::default(), Instant::now());
        for status in [400, 401, 403, 404, 404, 418] {
            recovery.disprove(symptom(status), now);
        }
        assert_eq!(recovery.disproved.len(), SYMPTOMS);
        assert!(!recovery.is_disproved(symptom(400), now) && recovery.is_disproved(symptom(418), now));
    }

    #[tokio::test]
    async fn replays_are_counted_by_the_minute() {
        let (mut recovery, now) = (Recovery::default(), Instant::now());
        for _ in 0..REPLAYS {
            assert!(recovery.may_replay(now));
            recovery.note_replay(now);
        }
        assert!(!recovery.may_replay(now + MINUTE / 2));
        assert!(recovery.may_replay(now + MINUTE));
    }
}
