//! The counts as viewers were told them: again only when there is news in them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::monitor::stats::Stats;

/// How old the average duration and the count of modern requests may be that viewers see: they change all the time.
const DRIFT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Counts {
    latest: Option<Arc<Stats>>,
    /// The latest are news to some viewers.
    is_due: bool,
    told_at: Option<Instant>,
}

impl Counts {
    pub(super) fn latest(&self) -> Option<Arc<Stats>> {
        self.latest.clone()
    }

    /// Takes in what was counted: whether viewers have to be told.
    pub(super) fn learn(&mut self, stats: &Arc<Stats>) -> bool {
        let is_news = self.latest.as_ref().is_none_or(|known| {
            let is_old = self.told_at.is_none_or(|at| at.elapsed() >= DRIFT);
            if is_old { known != stats } else { known.without_drift() != stats.without_drift() }
        });
        if is_news {
            self.latest = Some(Arc::clone(stats));
            self.is_due = true;
        }
        self.is_due
    }

    /// Takes in what one viewer was told: if others know better or worse, all are told again.
    pub(super) fn told_one(&mut self, stats: &Arc<Stats>) {
        match self.latest {
            Some(_) => drop(self.learn(stats)),
            None => (self.latest, self.told_at) = (Some(Arc::clone(stats)), Some(Instant::now())),
        }
    }

    /// What all viewers are to be told now, if it is news.
    pub(super) fn due(&mut self) -> Option<Arc<Stats>> {
        if !std::mem::take(&mut self.is_due) {
            return None;
        }
        self.told_at = Some(Instant::now());
        self.latest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Ages, Vitals};

    fn stats(active: u64, lived: u64) -> Arc<Stats> {
        let ages = Ages { healthy: active, aging: 0, stale: 0 };
        let lived = Duration::from_secs(lived);
        Arc::new(Stats::of(&Vitals { active, ages, lived, ..Vitals::default() }))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_news_is_not_told_again() {
        let mut counts = Counts::default();
        assert!(counts.learn(&stats(1, 0)));
        assert_eq!(counts.due(), Some(stats(1, 0)));
        assert!(!counts.learn(&stats(1, 0)));
        assert_eq!(counts.due(), None);
        assert!(counts.learn(&stats(2, 0)));
        assert_eq!(counts.due(), Some(stats(2, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_always_changes_is_told_now_and_then_and_with_the_rest() {
        let mut counts = Counts::default();
        counts.learn(&stats(1, 0));
        counts.due();
        assert!(!counts.learn(&stats(1, 5)));
        assert!(counts.learn(&stats(2, 6)));
        assert_eq!(counts.due(), Some(stats(2, 6)));
        assert!(!counts.learn(&stats(2, 16)));
        tokio::time::advance(DRIFT).await;
        assert!(counts.learn(&stats(2, 16)));
        assert_eq!(counts.due(), Some(stats(2, 16)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_told_something_else_alone_is_told_with_all() {
        let mut counts = Counts::default();
        counts.told_one(&stats(1, 0));
        assert_eq!(counts.due(), None, "the first one knows");
        counts.told_one(&stats(2, 0));
        assert!(counts.learn(&stats(1, 0)), "one session left at once: what the late viewer knows is wrong by now");
        assert_eq!(counts.due(), Some(stats(1, 0)));
    }
}
