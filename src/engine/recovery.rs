//! How often an inner service that speaks of a lost session is asked back, and how often the handshake is replayed to it: what
//! one replica remembers of that for one session.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::inner_lost_session::Symptom;

const MINUTE: Duration = Duration::from_secs(60);
/// Replays a minute: an inner service may restart several times, and must not lock its clients out; one that keeps forgetting
/// must not be told everything again with every request.
const REPLAYS: usize = 5;
/// Pings a minute that may find the session alive after a plain 404, which is how MCP says that it is gone: a tool that says so
/// of something else must not hide a session that is lost a moment later. After any other kind of answer: one.
const PINGS_AFTER_404: usize = 5;
/// Pings remembered.
const PINGS: usize = 16;

#[derive(Default)]
pub(crate) struct Recovery {
    /// Pings that told that the session lives, and after which kind of answer they were sent.
    disproved: Vec<(Symptom, Instant)>,
    /// Replays that succeeded.
    replayed: Vec<Instant>,
}

impl Recovery {
    /// Whether enough pings told within a minute that such an answer says nothing of the session.
    pub(crate) fn is_disproved(&self, symptom: Symptom, now: Instant) -> bool {
        let pings = self.disproved.iter().filter(|&&(known, at)| known == symptom && is_recent(at, now)).count();
        pings >= if symptom.is_plain_404() { PINGS_AFTER_404 } else { 1 }
    }

    /// A ping told that the session lives, whatever such an answer says.
    pub(crate) fn disprove(&mut self, symptom: Symptom, now: Instant) {
        self.disproved.retain(|&(_, at)| is_recent(at, now));
        if self.disproved.len() == PINGS {
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
        recovery.disprove(symptom(400), now);
        assert!(recovery.is_disproved(symptom(400), now + MINUTE / 2));
        assert!(!recovery.is_disproved(symptom(401), now));
        assert!(!recovery.is_disproved(symptom(400), now + MINUTE));
    }

    #[tokio::test]
    async fn a_404_is_asked_about_a_few_times_a_minute() {
        let (mut recovery, now) = (Recovery::default(), Instant::now());
        for _ in 0..PINGS_AFTER_404 {
            assert!(!recovery.is_disproved(symptom(404), now));
            recovery.disprove(symptom(404), now);
        }
        assert!(recovery.is_disproved(symptom(404), now + MINUTE / 2));
    }

    #[tokio::test]
    async fn few_pings_are_remembered() {
        let (mut recovery, now) = (Recovery::default(), Instant::now());
        recovery.disprove(symptom(400), now);
        for status in 400..400 + PINGS as u16 {
            recovery.disprove(symptom(status + 1), now);
        }
        assert_eq!(recovery.disproved.len(), PINGS);
        assert!(!recovery.is_disproved(symptom(400), now) && recovery.is_disproved(symptom(401), now));
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
