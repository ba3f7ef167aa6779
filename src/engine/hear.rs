//! Changes made elsewhere, heard over the store's bus: verdicts are dropped, ended sessions forgotten.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;

use crate::engine::Engine;
use crate::engine::inbox::addressee;
use crate::engine::resident::Resident;
use crate::id::SessionKey;
use crate::store::{BusMessage, BusSignal, ReplicaId};

/// How long to wait before listening again after the store refused.
const PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn run(engine: Weak<Engine>) {
    while let Some(store) = engine.upgrade().map(|engine| engine.store.clone()) {
        let subscribed = store.subscribe().await;
        drop(store);
        match subscribed {
            Ok(mut signals) => {
                hear_one(&engine, &BusSignal::Restored);
                while let Some(signal) = signals.next().await {
                    if !hear_one(&engine, &signal) {
                        return;
                    }
                }
                hear_one(&engine, &BusSignal::Lost);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen to the session store's bus; every request asks the store");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `false` once the engine is gone.
fn hear_one(engine: &Weak<Engine>, signal: &BusSignal) -> bool {
    engine.upgrade().map(|engine| engine.hear(signal)).is_some()
}

impl Engine {
    pub(super) fn drop_verdict(&self, key: &SessionKey) {
        self.watch.changed(key);
        if let Some(resident) = self.residents.get(key) {
            resident.set_verdict(None);
        }
    }

    /// The client listens somewhere: what the inner service here says by itself is for it. An inner session that all replicas
    /// share is heard by the one where the client listens.
    fn hear_where_it_is_listened_to(self: &Arc<Self>, resident: &Resident, at: &ReplicaId) {
        match resident.binding() {
            Some(binding) if binding.incarnation().is_none() => self.hear_binding(&resident.key, &binding),
            Some(binding) if *at != self.replica_id => binding.stop_hearing(),
            Some(_) | None => {}
        }
    }

    /// The bell may have rung unheard: every reader and every inbox looks, the inboxes with the next interval.
    fn look_everywhere(&self) {
        for resident in self.residents.all() {
            resident.bell.notify_waiters();
            if let Some(binding) = addressee(&resident) {
                binding.unread.ring();
            }
        }
    }

    fn hear(self: &Arc<Self>, signal: &BusSignal) {
        match signal {
            BusSignal::Lost => {
                self.watch.lost();
                tracing::warn!("the session store's bus is down; every request asks the store");
            }
            BusSignal::Restored => {
                self.watch.restored();
                // What ended unheard is found by telling the store of every session in use.
                self.retouch_all();
                self.look_everywhere();
            }
            BusSignal::Message(BusMessage::Ended(key, _)) => {
                self.watch.changed(key);
                self.forget(key);
            }
            BusSignal::Message(BusMessage::Reconnected(key, generation)) => {
                self.supersede(key, *generation);
            }
            BusSignal::Message(BusMessage::Adopted(key, generation)) => self.hear_of_adoption(key, *generation),
            BusSignal::Message(BusMessage::Disconnected(key)) => {
                self.drop_verdict(key);
                self.give_up_questions(key);
            }
            BusSignal::Message(BusMessage::Revived(key)) => self.drop_verdict(key),
            BusSignal::Message(BusMessage::Appended(key, _)) => {
                if let Some(resident) = self.residents.get(key) {
                    resident.bell.notify_waiters();
                }
            }
            BusSignal::Message(BusMessage::Listening(key, at)) => {
                if let Some(resident) = self.residents.get(key) {
                    resident.bell.notify_waiters();
                    self.hear_where_it_is_listened_to(&resident, at);
                }
            }
            BusSignal::Message(BusMessage::Mail(key)) => {
                if let Some(resident) = self.residents.get(key) {
                    self.read_inbox_soon(resident);
                }
            }
            BusSignal::Message(BusMessage::Opened(_)) => {}
        }
    }
}
