//! What a viewer gets that does not stand in the row of updates: what it missed, read from the store, or all sessions as they
//! are, in pages.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cursor::Cursor;
use super::hub::{Attached, Hub};
use super::update::{Shown, Told, Update};
use crate::monitor::stats::Stats;
use crate::store::{EventHead, Place, StoreError};

/// Sessions on a page.
const PAGE: usize = 500;
/// Pages of a snapshot: it tells of the sessions last seen; the list has the others.
const PAGES: usize = 20;
/// Missed events read at once, and how many a snapshot is better than.
const PART: usize = 500;
const MOST_MISSED: usize = 5_000;
/// A snapshot serves all viewers that come within this time.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// How often to try to attach to a row that moves on faster than it is read.
const ATTEMPTS: usize = 5;

/// All sessions as they were, in pages.
pub(crate) struct Snapshot {
    pages: Vec<Arc<Update>>,
}

impl Snapshot {
    fn end(&self) -> &Cursor {
        &self.pages.last().expect("a snapshot has a page").to
    }
}

impl Hub {
    /// Attaches a viewer at its cursor; without a good one, after a snapshot.
    pub(crate) async fn attach(self: &Arc<Self>, cursor: Option<&Cursor>) -> Result<Attached, StoreError> {
        self.start();
        let heads = self.heads().await?;
        if let Some(cursor) = cursor.filter(|cursor| cursor.place.is_none()) {
            if let Some(attached) = self.read_on(cursor) {
                return Ok(attached);
            }
            if let Some(missed) = self.missed(cursor, &heads).await?
                && let Some(mut attached) = self.read_on(&missed.to)
            {
                attached.missed.insert(0, Arc::new(missed));
                return Ok(attached);
            }
        }
        self.attach_anew().await
    }

    async fn attach_anew(&self) -> Result<Attached, StoreError> {
        for _ in 0..ATTEMPTS {
            let snapshot = self.shared_snapshot().await?;
            if let Some(mut attached) = self.read_on(snapshot.end()) {
                attached.missed.splice(0..0, snapshot.pages.iter().cloned());
                return Ok(attached);
            }
            *self.snapshot.lock().await = None;
        }
        Err(crate::store::StoreErrorKind::Unavailable.into())
    }

    /// What a poller gets: what it missed, or the next page of a snapshot.
    pub(crate) async fn poll(self: &Arc<Self>, cursor: Option<&Cursor>) -> Result<Arc<Update>, StoreError> {
        self.start();
        let heads = self.heads().await?;
        let (state, stats) = (self.state(), self.fresh_stats().await);
        match cursor {
            Some(Cursor { heads: begun, place: Some(place) }) => {
                let page = self.page(begun, Some(place), cursor.cloned(), 0).await?;
                Ok(Arc::new(page.with(state, stats)))
            }
            Some(cursor) => match self.missed(cursor, &heads).await? {
                Some(missed) => Ok(Arc::new(missed.with(state, stats))),
                None => Ok(Arc::new(self.page(&heads, None, None, 0).await?.with(state, stats))),
            },
            None => Ok(Arc::new(self.page(&heads, None, None, 0).await?.with(state, stats))),
        }
    }

    async fn fresh_stats(&self) -> Option<Arc<Stats>> {
        let vitals = self.engine.store.vitals(&self.ages).await.ok();
        vitals.map(|vitals| Arc::new(Stats::of(&vitals))).or_else(|| self.stats())
    }

    /// Everything between a cursor and where the row ends, if it can be proven to be whole.
    async fn missed(&self, cursor: &Cursor, heads: &[EventHead]) -> Result<Option<Update>, StoreError> {
        if cursor.heads.len() != heads.len() {
            return Ok(None);
        }
        let (mut events, mut end) = (Vec::new(), heads.to_vec());
        for (part, (from, to)) in cursor.heads.iter().zip(heads).enumerate() {
            if from.epoch != to.epoch {
                return Ok(None);
            }
            let mut after = from.offset;
            while after < to.offset {
                let slice = self.engine.store.events(part, after, PART).await?;
                let last = slice.events.last().map(|event| event.offset);
                let (false, true, Some(last)) = (slice.gap, slice.head.epoch == to.epoch, last) else {
                    return Ok(None);
                };
                after = last;
                events.extend(slice.events.into_iter().filter(|event| event.offset <= to.offset));
                if events.len() > MOST_MISSED {
                    return Ok(None);
                }
            }
            if from.offset > to.offset {
                // Another replica was faster: its word is checked against the store.
                let slice = self.engine.store.events(part, from.offset, 1).await?;
                if slice.head.epoch != from.epoch || slice.head.offset < from.offset {
                    return Ok(None);
                }
                end[part].offset = from.offset;
            }
        }
        events.sort_by_key(|event| event.at);
        let at = events.last().map_or_else(|| self.time(), |event| event.at);
        let told = events.into_iter().map(|event| Told::Event(Arc::new(event))).collect();
        Ok(Some(Update::delta(cursor.clone(), Cursor::at(end), at, told)))
    }

    /// The snapshot of a moment ago, or a new one: of many viewers that come at once one reads it.
    async fn shared_snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut shared = self.snapshot.lock().await;
        if let Some((taken_at, snapshot)) = shared.as_ref().filter(|(taken_at, _)| taken_at.elapsed() < SHARED_FOR)
            && taken_at.elapsed() < SHARED_FOR
        {
            return Ok(Arc::clone(snapshot));
        }
        let (state, stats) = (self.state(), self.fresh_stats().await);
        let begun = self.heads().await?;
        let (mut pages, mut place, mut from) = (Vec::new(), None, None);
        loop {
            let page = self.page(&begun, place.as_ref(), from, pages.len()).await?;
            (place, from) = (page.to.place.clone(), Some(page.to.clone()));
            pages.push(Arc::new(page.with(state, stats.clone())));
            if place.is_none() {
                break;
            }
        }
        let snapshot = Arc::new(Snapshot { pages });
        *shared = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// One page of a snapshot that was begun where the row ended then.
    async fn page(
        &self,
        begun: &[EventHead],
        place: Option<&Place>,
        from: Option<Cursor>,
        before: usize,
    ) -> Result<Update, StoreError> {
        let sessions = self.engine.store.page(None, place, PAGE).await?;
        let last = sessions.last().map(|session| Place { last_seen: session.last_seen, key: session.key });
        let is_last = sessions.len() < PAGE || before + 1 >= PAGES;
        let to = match last {
            Some(place) if !is_last => Cursor::within(begun.to_vec(), place),
            Some(_) | None => Cursor::at(begun.to_vec()),
        };
        let now = self.engine.now().await?;
        let told = sessions.into_iter().map(|session| Told::Session(Shown::new(session, now))).collect();
        Ok(Update::snapshot(from, to, now, told))
    }
}
