//! What a viewer gets that does not stand in the row of updates: what it missed, read from the store, or all sessions as they
//! are, in pages.
//!
//! The sessions are read in the order in which they were last seen, so one that is used meanwhile moves to where the reader
//! has already been. Those are read a second time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::Instant;

use super::cursor::{Cursor, Mark, Reading};
use super::hub::{Attached, Hub, Pages};
use super::update::{Shown, Told, Update};
use crate::event::SessionEvent;
use crate::monitor::stats::Stats;
use crate::session::Timestamp;
use crate::store::{Place, StoreError, StoreErrorKind};

/// Sessions on a page.
const PAGE: usize = 500;
/// Pages of a snapshot, each time the sessions are read: it tells of those last seen; the list has the others.
const PAGES: u32 = 20;
/// Missed events read at once, and how many a snapshot is better than.
const PART: usize = 500;
const MOST_MISSED: usize = 5_000;
/// A snapshot serves all viewers that come within this time.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// How often to try to attach to a row that moves on faster than it is read.
const ATTEMPTS: usize = 5;
/// How much later than it happened the store may be told of activity.
const TOLD_LATE: Duration = Duration::from_secs(5);

/// Where a snapshot stands in the row.
fn end(pages: &[Arc<Update>]) -> &Cursor {
    &pages.last().expect("a snapshot has a page").to
}

impl Hub {
    /// Attaches a viewer at its cursor; without a good one, after a snapshot.
    pub(crate) async fn attach(self: &Arc<Self>, cursor: Option<&Cursor>) -> Result<Attached, StoreError> {
        self.start();
        self.marks().await?;
        if let Some(cursor) = cursor.filter(|cursor| cursor.reading.is_none())
            && let Some(attached) = self.attach_at(cursor).await?
        {
            return Ok(attached);
        }
        self.attach_anew().await
    }

    /// Attaches where a cursor stands, if nothing is missing from there on. At the end of what was missed stands how things
    /// are, which may have changed without an event.
    async fn attach_at(&self, cursor: &Cursor) -> Result<Option<Attached>, StoreError> {
        let Some(mut attached) = self.find_place(cursor).await? else { return Ok(None) };
        // Without viewers nobody counted.
        let stats = if self.viewers() > 1 { self.stats() } else { self.fresh_stats().await };
        let seen = self.seen_after(cursor).await;
        attached.end_with(cursor, |end| Update::delta(end.clone(), end, self.time(), seen).with(self.state(), stats));
        Ok(Some(attached))
    }

    /// What changed without an event since a snapshot was taken: of that, the row keeps nothing.
    fn catch_up_with(&self, snapshot: &Pages, attached: &mut Attached) {
        let (state, stats) = (self.state(), self.stats());
        let last = snapshot.last().expect("a snapshot has a page");
        let steady = |stats: &Option<Arc<Stats>>| stats.as_ref().map(|stats| stats.without_drift());
        if last.state != state || steady(&last.stats) != steady(&stats) {
            attached
                .end_with(&last.to, |end| Update::delta(end.clone(), end, self.time(), Vec::new()).with(state, stats));
        }
        self.forget_told();
    }

    async fn find_place(&self, cursor: &Cursor) -> Result<Option<Attached>, StoreError> {
        if let Some(attached) = self.read_on(cursor) {
            return Ok(Some(attached));
        }
        for (part, (theirs, ours)) in cursor.marks.iter().zip(&self.marks().await?).enumerate() {
            if theirs.is_ahead_of(ours) && !self.holds(part, theirs).await? {
                return Ok(None);
            }
        }
        self.catch_up(cursor).await;
        if let Some(attached) = self.read_on(cursor) {
            return Ok(Some(attached));
        }
        let Some(missed) = self.missed(cursor, &self.marks().await?).await? else { return Ok(None) };
        let attached = self.read_on(&missed.to).map(|mut attached| {
            attached.missed.insert(0, Arc::new(missed.with(self.state(), None)));
            attached
        });
        Ok(attached)
    }

    /// Attaches a viewer at its cursor, with a snapshot on the way: where in the row that was taken.
    pub(crate) async fn show_anew(&self, cursor: Option<&Cursor>) -> Result<Attached, StoreError> {
        // Who has not seen a snapshot to its end begins with this one.
        let cursor = cursor.filter(|cursor| cursor.reading.is_none());
        for _ in 0..ATTEMPTS {
            let snapshot = self.shared_snapshot().await?;
            let Some(mut attached) = cursor.and_then(|cursor| self.read_on(cursor)) else { break };
            let ends = cursor.into_iter().chain(attached.missed.iter().map(|update| &update.to));
            if let Some(place) = ends.into_iter().position(|cursor| cursor == end(&snapshot)) {
                attached.missed.splice(place..place, snapshot.iter().cloned());
                self.catch_up_with(&snapshot, &mut attached);
                return Ok(attached);
            }
            *self.snapshot.lock().await = None;
        }
        self.attach_anew().await
    }

    async fn attach_anew(&self) -> Result<Attached, StoreError> {
        for _ in 0..ATTEMPTS {
            let snapshot = self.shared_snapshot().await?;
            if let Some(mut attached) = self.read_on(end(&snapshot)) {
                attached.missed.splice(0..0, snapshot.iter().cloned());
                self.catch_up_with(&snapshot, &mut attached);
                return Ok(attached);
            }
            *self.snapshot.lock().await = None;
        }
        Err(StoreErrorKind::Unavailable.into())
    }

    /// What a poller gets: what it missed and who was active, or the next page of a snapshot.
    pub(crate) async fn poll(self: &Arc<Self>, cursor: Option<&Cursor>) -> Result<Arc<Update>, StoreError> {
        self.start();
        let marks = self.marks().await?;
        let (state, stats) = (self.state(), self.fresh_stats().await);
        let update = match cursor {
            Some(cursor) if cursor.reading.is_some() => self.page(cursor).await?,
            Some(cursor) => match self.missed(cursor, &marks).await? {
                Some(missed) => missed.and(self.seen_after(cursor).await),
                None => self.page(&Cursor::within(marks, Reading::default())).await?,
            },
            None => self.page(&Cursor::within(marks, Reading::default())).await?,
        };
        Ok(Arc::new(update.with(state, stats)))
    }

    /// The same for whoever may see no session: there is nothing to page through, and no place in it that a cursor could name.
    pub(crate) async fn poll_counts(self: &Arc<Self>, cursor: Option<&Cursor>) -> Result<Arc<Update>, StoreError> {
        self.start();
        let marks = self.marks().await?;
        let (state, stats) = (self.state(), self.fresh_stats().await);
        let missed = match cursor.filter(|cursor| cursor.reading.is_none()) {
            Some(cursor) => self.missed(cursor, &marks).await?,
            None => None,
        };
        let anew = || Update::snapshot(None, Cursor::at(marks), self.time(), Vec::new());
        Ok(Arc::new(missed.unwrap_or_else(anew).with(state, stats)))
    }

    async fn fresh_stats(&self) -> Option<Arc<Stats>> {
        let vitals = self.engine.store.vitals(&self.engine.config.ages).await.ok();
        let stats = vitals.map(|vitals| Arc::new(Stats::of(&vitals))).or_else(|| self.stats())?;
        self.told_one(&stats);
        Some(stats)
    }

    /// Whether the event of a mark stands in the log.
    async fn holds(&self, part: usize, mark: &Mark) -> Result<bool, StoreError> {
        let Some(before) = mark.head.offset.checked_sub(1) else { return Ok(true) };
        let slice = self.engine.store.events(part, before, 1).await?;
        let stands = |event: &SessionEvent| event.offset == mark.head.offset && event.at == mark.at;
        Ok(slice.head.epoch == mark.head.epoch && slice.events.first().is_some_and(stands))
    }

    /// Everything between a cursor and where the row ends, if it can be proven to be whole.
    async fn missed(&self, cursor: &Cursor, marks: &[Mark]) -> Result<Option<Update>, StoreError> {
        if cursor.marks.len() != marks.len() {
            return Ok(None);
        }
        let parts = cursor.marks.iter().zip(marks).enumerate();
        let parts = try_join_all(parts.map(|(part, (from, to))| self.between(part, from, to))).await?;
        let Some(events) = parts.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        if events.iter().map(Vec::len).sum::<usize>() > MOST_MISSED {
            return Ok(None);
        }
        // Another replica may have been faster.
        let farther = |(from, to): (&Mark, &Mark)| if from.is_ahead_of(to) { from.clone() } else { to.clone() };
        let end = cursor.marks.iter().zip(marks).map(farther).collect();
        let events = merged(events);
        let at = events.last().map_or_else(|| self.time(), |event| event.at);
        let told = events.into_iter().map(|event| Told::Event(Arc::new(event))).collect();
        Ok(Some(Update::delta(cursor.clone(), Cursor::at(end), at, told)))
    }

    /// A part's events from a mark to where the row ends, if they are proven to be whole: the event that the viewer knows has to
    /// stand in its place, or the log is another one.
    async fn between(&self, part: usize, from: &Mark, to: &Mark) -> Result<Option<Vec<SessionEvent>>, StoreError> {
        if from == to {
            return Ok(Some(Vec::new()));
        }
        if from.head.epoch != to.head.epoch || !self.holds(part, from).await? {
            return Ok(None);
        }
        let (mut found, mut after) = (Vec::new(), from.head.offset);
        while after < to.head.offset {
            let slice = self.engine.store.events(part, after, PART).await?;
            let last = slice.events.last().map(|event| event.offset);
            let (false, true, Some(last)) = (slice.gap, slice.head.epoch == to.head.epoch, last) else {
                return Ok(None);
            };
            after = last;
            found.extend(slice.events.into_iter().filter(|event| event.offset <= to.head.offset));
            if found.len() > MOST_MISSED {
                break;
            }
        }
        Ok(Some(found))
    }

    /// The snapshot of a moment ago, or a new one: of many viewers that come at once one reads it.
    async fn shared_snapshot(&self) -> Result<Pages, StoreError> {
        let mut shared = self.snapshot.lock().await;
        if let Some((taken_at, snapshot)) = shared.as_ref()
            && taken_at.elapsed() < SHARED_FOR
        {
            return Ok(Arc::clone(snapshot));
        }
        let (state, stats) = (self.state(), self.fresh_stats().await);
        let mut next = Cursor::within(self.marks().await?, Reading::default());
        let mut pages = Vec::new();
        while next.reading.is_some() {
            let page = self.page(&next).await?;
            next = page.to.clone();
            pages.push(Arc::new(page.with(state, stats.clone())));
        }
        let snapshot: Pages = pages.into();
        *shared = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// The page of a snapshot that stands at a cursor.
    async fn page(&self, cursor: &Cursor) -> Result<Update, StoreError> {
        let reading = cursor.reading.clone().unwrap_or_default();
        let now = self.engine.now().await?;
        let mut sessions = self.engine.store.page(None, reading.place.as_ref(), PAGE).await?;
        if reading.is_second {
            sessions.retain(|session| session.last_seen >= reading.since);
        }
        let last = sessions.last().map(|session| Place { last_seen: session.last_seen, key: session.key });
        let is_first = reading.pages == 0;
        let to = match reading.after(last.filter(|_| sessions.len() == PAGE), now) {
            Some(next) => Cursor::within(cursor.marks.clone(), next),
            None => Cursor::at(cursor.marks.clone()),
        };
        let told = sessions.into_iter().map(|session| Told::Session(Shown::new(session, now))).collect();
        Ok(Update::snapshot((!is_first).then(|| cursor.clone()), to, now, told))
    }
}

impl Reading {
    /// Where it goes on after a page, which ends at a session or is the last one.
    fn after(self, last: Option<Place>, now: Timestamp) -> Option<Self> {
        // A cursor may be forged, and tell any number.
        let pages = self.pages.saturating_add(1);
        let since = if self.pages == 0 { now } else { self.since };
        match last {
            Some(place) if !pages.is_multiple_of(PAGES) => {
                Some(Self { pages, since, is_second: self.is_second, place: Some(place) })
            }
            // Nothing can move past a reader who sees everything at once.
            Some(_) | None if self.is_second || pages == 1 => None,
            Some(_) | None => {
                let since = since.before(TOLD_LATE);
                Some(Self { pages: PAGES, since, is_second: true, place: None })
            }
        }
    }
}

/// Events of several parts as they happened: each part's in its own order, whatever the clocks did.
fn merged(parts: Vec<Vec<SessionEvent>>) -> Vec<SessionEvent> {
    let mut events = Vec::new();
    for part in parts {
        let mut latest = Timestamp::default();
        events.extend(part.into_iter().map(|event| {
            latest = latest.max(event.at);
            (latest, event)
        }));
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Change;
    use crate::id::SessionKey;

    fn place() -> Place {
        Place { last_seen: Timestamp(1), key: SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap() }
    }

    #[test]
    fn a_snapshot_of_one_page_is_read_once() {
        assert_eq!(Reading::default().after(None, Timestamp(9)), None);
    }

    #[test]
    fn longer_ones_are_followed_by_those_who_may_have_moved_past_the_reader() {
        let began = Timestamp(1_000_000);
        let second = Reading::default().after(Some(place()), began).unwrap();
        assert_eq!((second.pages, second.since, second.is_second), (1, began, false));
        assert_eq!(second.place, Some(place()));
        let again = second.after(None, Timestamp(1_000_900)).unwrap();
        assert_eq!((again.is_second, again.since, again.place.as_ref()), (true, began.before(TOLD_LATE), None));
        let more = again.after(Some(place()), Timestamp(1_001_000)).unwrap();
        assert_eq!((more.is_second, more.since), (true, began.before(TOLD_LATE)));
        assert_eq!(more.after(None, Timestamp(1_001_100)), None);
    }

    #[test]
    fn a_snapshot_has_an_end_however_many_sessions_there_are() {
        let (mut reading, mut pages) = (Some(Reading::default()), 0);
        while let Some(this) = reading {
            pages += 1;
            reading = this.after(Some(place()), Timestamp(1_000_000));
        }
        assert_eq!(pages, 2 * PAGES);
    }

    #[test]
    fn a_clock_that_steps_back_turns_no_part_around() {
        let event = |offset, at| SessionEvent { offset, at: Timestamp(at), change: Change::Created, session: None };
        let events = merged(vec![vec![event(1, 50), event(2, 10)], vec![event(7, 20), event(8, 60)]]);
        assert_eq!(events.iter().map(|event| event.offset).collect::<Vec<_>>(), [7, 1, 2, 8]);
    }
}
