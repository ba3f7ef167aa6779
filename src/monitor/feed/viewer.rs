//! One viewer, over whichever transport: it stands somewhere in the row of updates and reads on from there.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast::{self, error::RecvError};

use super::cursor::Cursor;
use super::filter::Filter;
use super::hub::{Attached, Hub, Published};
use super::update::{Mode, Update};
use crate::monitor::access::Role;
use crate::store::StoreError;

pub(crate) struct Viewer {
    hub: Arc<Hub>,
    cursor: Option<Cursor>,
    missed: VecDeque<Arc<Update>>,
    coming: broadcast::Receiver<Published>,
    /// Bytes published up to the last update taken.
    taken: u64,
    /// It no longer stands in the row, and has to attach again.
    is_adrift: bool,
    /// It wants to see other sessions than it was shown.
    looks_anew: bool,
    filter: Filter,
}

impl Viewer {
    /// Begins after a cursor; without a good one, with a snapshot.
    pub(crate) async fn begin(hub: Arc<Hub>, cursor: Option<Cursor>, filter: Filter) -> Result<Self, StoreError> {
        let Attached { missed, coming, bytes } = hub.attach(cursor.as_ref()).await?;
        Ok(Self {
            hub,
            cursor,
            missed: missed.into(),
            coming,
            taken: bytes,
            is_adrift: false,
            looks_anew: false,
            filter,
        })
    }

    /// Sees other sessions and events from now on, beginning with a snapshot of them; what it had not seen of the row it still
    /// sees, by the new filter.
    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.looks_anew = true;
    }

    /// It may see more, or less, from now on.
    pub(crate) fn set_role(&mut self, role: Option<Role>) {
        let filter = self.filter.clone().seen_by(role);
        if filter.shows_sessions() != self.filter.shows_sessions() {
            self.set_filter(filter);
        }
    }

    /// Published bytes that were not taken yet.
    pub(crate) fn behind(&self) -> u64 {
        self.hub.published().saturating_sub(self.taken)
    }

    /// The next update. Nothing is lost if this is dropped and called again.
    ///
    /// # Errors
    ///
    /// If the viewer has to be given a snapshot, and the store has none to give.
    pub(crate) async fn next(&mut self) -> Result<Arc<Update>, StoreError> {
        loop {
            if self.is_adrift || self.looks_anew {
                self.attach_again().await?;
            }
            if let Some(update) = self.missed.pop_front() {
                // The pages of a snapshot are told apart by the sessions between them.
                if update.more && !self.filter.shows_sessions() {
                    continue;
                }
                return Ok(self.take(&update));
            }
            match self.coming.recv().await {
                Ok(Published { update, bytes }) => {
                    self.taken = bytes;
                    if update.from == self.cursor {
                        return Ok(self.take(&update));
                    }
                    self.is_adrift = true;
                }
                Err(RecvError::Lagged(_) | RecvError::Closed) => self.is_adrift = true,
            }
        }
    }

    fn take(&mut self, update: &Arc<Update>) -> Arc<Update> {
        self.cursor = Some(update.to.clone());
        match update.mode == Mode::Snapshot && !self.filter.shows_sessions() {
            true => Arc::new(update.of_counts()),
            false => self.filter.apply(update),
        }
    }

    async fn attach_again(&mut self) -> Result<(), StoreError> {
        let Attached { missed, coming, bytes } = match self.looks_anew {
            true => self.hub.show_anew(self.cursor.as_ref()).await?,
            false => self.hub.attach(self.cursor.as_ref()).await?,
        };
        (self.missed, self.coming, self.taken) = (missed.into(), coming, bytes);
        (self.is_adrift, self.looks_anew) = (false, false);
        Ok(())
    }
}
