//! Watching the store for all viewers: events as they are told, gaps repaired from the log, and every few seconds a look
//! whether nothing was missed.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::try_join_all;
use futures::{Stream, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::cursor::{Cursor, Mark};
use super::hub::{Hub, ToldActivity};
use super::update::{Shown, State, Told};
use crate::event::SessionEvent;
use crate::monitor::stats::Stats;
use crate::session::{SessionStatus, Timestamp};
use crate::store::{Epoch, EventHead, EventSignal, StoreError};

/// Events that come this close together go out as one update.
const GATHER: Duration = Duration::from_millis(10);
/// Events in one update.
const MOST: usize = 256;
/// How often positions are compared with the store, and the counts told.
const LOOK: Duration = Duration::from_secs(5);
/// How soon after an event the counts are told.
const RECOUNT: Duration = Duration::from_millis(500);
/// Events read at once.
const PART: usize = 500;
/// Sessions whose last activity is told at once.
const SHOWN: usize = 200;
/// How much later than it happened viewers may be told of activity: the store is told of it in batches, and a snapshot is shared
/// for a moment.
const LATE: Duration = Duration::from_secs(1);
/// How long to leave the store alone after it failed.
const PAUSE: Duration = Duration::from_millis(250);

async fn run(hub: Weak<Hub>) {
    while let Some(store) = hub.upgrade().map(|hub| hub.engine.store.clone()) {
        let heard = store.hear_events().await;
        drop(store);
        match heard {
            Ok(signals) => watch(&hub, signals).await,
            Err(error) => {
                tracing::warn!(%error, "cannot listen to the session store's events; trying again");
                if let Some(hub) = hub.upgrade() {
                    hub.degrade();
                }
            }
        }
        sleep(PAUSE).await;
    }
}

/// Watches until the store no longer tells anything, or the hub is gone. However much happens, its own duties come first: they
/// are rare.
async fn watch(hub: &Weak<Hub>, signals: impl Stream<Item = EventSignal>) {
    let mut signals = pin!(signals);
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut recount_at = None;
    let Some(nudged) = hub.upgrade().map(|hub| Arc::clone(&hub.nudged)) else { return };
    loop {
        let recount = recount_at.unwrap_or_else(|| Instant::now() + LOOK);
        tokio::select! {
            biased;
            _ = looks.tick() => {
                let Some(hub) = hub.upgrade() else { return };
                hub.look().await;
            }
            () = sleep_until(recount), if recount_at.is_some() => {
                let Some(hub) = hub.upgrade() else { return };
                hub.recount(false).await;
                recount_at = None;
            }
            () = nudged.notified() => {
                let Some(hub) = hub.upgrade() else { return };
                hub.reconcile_or_degrade().await;
            }
            signal = signals.next() => {
                let Some(signal) = signal else { return };
                let together = gather(signal, &mut signals).await;
                let Some(hub) = hub.upgrade() else { return };
                hub.take(together).await;
                recount_at.get_or_insert_with(|| Instant::now() + RECOUNT);
            }
        }
    }
}

/// What comes close together.
async fn gather(first: EventSignal, signals: &mut (impl Stream<Item = EventSignal> + Unpin)) -> Vec<EventSignal> {
    let until = Instant::now() + GATHER;
    let mut together = vec![first];
    while together.len() < MOST {
        match timeout_at(until, signals.next()).await {
            Ok(Some(signal)) => together.push(signal),
            Ok(None) | Err(_) => break,
        }
    }
    together
}

impl Hub {
    /// Begins to watch the store with the first viewer.
    pub(super) fn start(self: &Arc<Self>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        task.get_or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(run(Arc::downgrade(self)))));
    }

    /// Takes events in that follow on what is known; if others were missed, looks them up.
    async fn take(&self, signals: Vec<EventSignal>) {
        let Some(mut marks) = self.known_marks() else { return self.look().await };
        let (mut events, mut is_behind) = (Vec::new(), false);
        for signal in signals {
            match signal {
                EventSignal::Event { part, epoch, event } if follows(marks.get(part), &epoch, &event) => {
                    marks[part].move_to(&event);
                    events.push(event);
                }
                EventSignal::Event { .. } | EventSignal::Gap => is_behind = true,
            }
        }
        if let Some(last) = events.last() {
            let at = last.at;
            self.publish(marks, at, events.into_iter().map(|event| Told::Event(Arc::from(event))).collect());
        }
        if is_behind {
            self.reconcile_or_degrade().await;
        }
    }

    /// Compares with the store, and tells how things are.
    async fn look(&self) {
        if self.reconcile_or_degrade().await {
            self.recount(true).await;
        }
    }

    async fn reconcile_or_degrade(&self) -> bool {
        match self.reconcile().await {
            Ok(()) => {
                if self.state() == State::Degraded {
                    self.publish_state(State::Live, self.time(), Vec::new());
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the feed cannot look into the session store");
                self.degrade();
                false
            }
        }
    }

    fn degrade(&self) {
        if self.state() == State::Live {
            tracing::warn!("the session store is away: viewers see the last that was known");
            self.publish_state(State::Degraded, self.time(), Vec::new());
        }
    }

    /// Brings the row of updates to where the store's logs end.
    async fn reconcile(&self) -> Result<(), StoreError> {
        let found = self.engine.store.event_heads().await?;
        let Some(mut marks) = self.known_marks().filter(|marks| marks.len() == found.len()) else {
            let marks = found.into_iter().enumerate().map(|(part, head)| self.mark(part, head));
            self.begin_anew(try_join_all(marks).await?, self.time());
            return Ok(());
        };
        for (part, head) in found.into_iter().enumerate() {
            let known = &marks[part].head;
            if head.epoch != known.epoch {
                tracing::warn!(part, "the event log began another epoch: viewers get a snapshot");
                marks[part] = self.mark(part, head).await?;
                self.begin_anew(marks.clone(), self.time());
            } else if head.offset < known.offset {
                tracing::warn!(part, "the event log lost events: viewers get a snapshot");
                let head = self.engine.store.renew_epoch(part, known).await?;
                marks[part] = self.mark(part, head).await?;
                self.begin_anew(marks.clone(), self.time());
            } else if head.offset > known.offset {
                self.repair(part, &mut marks).await?;
            }
        }
        Ok(())
    }

    /// Where a log ends, with the event that stands there.
    async fn mark(&self, part: usize, head: EventHead) -> Result<Mark, StoreError> {
        let mut mark = Mark { head, at: Timestamp::default() };
        if let Some(before) = mark.head.offset.checked_sub(1) {
            let slice = self.engine.store.events(part, before, 1).await?;
            let last = slice.events.iter().find(|event| event.offset == mark.head.offset);
            if let Some(last) = last.filter(|_| slice.head.epoch == mark.head.epoch) {
                mark.at = last.at;
            }
        }
        Ok(mark)
    }

    /// Reads what was missed of a part.
    async fn repair(&self, part: usize, marks: &mut [Mark]) -> Result<(), StoreError> {
        loop {
            let slice = self.engine.store.events(part, marks[part].head.offset, PART).await?;
            if slice.gap || slice.head.epoch != marks[part].head.epoch {
                tracing::warn!(part, "events were dropped from the log before this replica read them");
                marks[part] = self.mark(part, slice.head).await?;
                self.begin_anew(marks.to_vec(), self.time());
                return Ok(());
            }
            let Some(last) = slice.events.last() else { return Ok(()) };
            let (at, is_whole) = (last.at, slice.events.len() < PART);
            marks[part].move_to(last);
            let told = slice.events.into_iter().map(|event| Told::Event(Arc::new(event))).collect();
            self.publish(marks.to_vec(), at, told);
            if is_whole {
                return Ok(());
            }
        }
    }

    /// Tells the counts, and with `activity` which sessions were seen lately.
    async fn recount(&self, activity: bool) {
        if self.viewers() == 0 {
            // Whoever comes next comes with a snapshot.
            self.told().until = None;
            return;
        }
        let Ok(vitals) = self.engine.store.vitals(&self.engine.config.ages).await else { return };
        let is_news = self.learn(&Arc::new(Stats::of(&vitals)));
        // What cannot be read now is told with the next look.
        let shown = if activity { self.seen_lately(vitals.now).await.unwrap_or_default() } else { Vec::new() };
        if is_news || !shown.is_empty() {
            self.publish_state(self.state(), vitals.now, shown);
        }
    }

    /// The sessions whose last activity viewers were not told of yet, or some of them.
    async fn seen_lately(&self, now: Timestamp) -> Result<Vec<Told>, StoreError> {
        // Where nobody was told yet: who watches came with a snapshot since the last look.
        let since = *self.told().until.get_or_insert(now.before(LOOK));
        // A store's clock may go back.
        let since = since.min(now.before(LOOK));
        let mut seen = self.seen_since(since).await?;
        let mut told = self.told();
        let last = |told: &Told| told.session().map(|session| (session.key, session.last_seen));
        let known: HashMap<_, _> = seen.iter().filter_map(last).collect();
        seen.retain(|one| last(one).is_some_and(|(key, at)| told.sessions.get(&key) != Some(&at)));
        *told = ToldActivity { sessions: known, until: Some(now) };
        Ok(seen)
    }

    /// The sessions of whose activity a viewer may not know, or some of them: it was told of events at once, and of activity
    /// with the last look before.
    pub(super) async fn seen_after(&self, cursor: &Cursor) -> Vec<Told> {
        self.seen_since(cursor.time().before(LOOK)).await.unwrap_or_default()
    }

    /// The sessions that were seen since a moment, or some of them.
    async fn seen_since(&self, since: Timestamp) -> Result<Vec<Told>, StoreError> {
        let seen = self.engine.store.page(Some(SessionStatus::Active), None, SHOWN).await?;
        let (since, now) = (since.before(LATE), self.time());
        let lately = seen.into_iter().filter(|session| session.last_seen >= since);
        Ok(lately.map(|session| Told::Session(Shown::new(session, now))).collect())
    }

    /// Somebody comes with a snapshot of a moment ago, and may not know what was told since.
    pub(super) fn forget_told(&self) {
        self.told().sessions.clear();
    }

    fn told(&self) -> MutexGuard<'_, ToldActivity> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn follows(mark: Option<&Mark>, epoch: &Epoch, event: &SessionEvent) -> bool {
    mark.is_some_and(|mark| mark.head.epoch == *epoch && mark.head.offset.checked_add(1) == Some(event.offset))
}
