//! Changes made elsewhere, heard over the store's bus: verdicts are dropped, ended sessions forgotten.

use std::sync::Weak;
use std::time::Duration;

use futures::StreamExt;

use crate::engine::Engine;
use crate::store::{BusMessage, BusSignal};

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
    fn hear(&self, signal: &BusSignal) {
        match signal {
            BusSignal::Lost => {
                self.watch.lost();
                tracing::warn!("the session store's bus is down; every request asks the store");
            }
            BusSignal::Restored => {
                self.watch.restored();
                // What ended unheard is found by telling the store of every session in use.
                self.retouch_all();
            }
            BusSignal::Message(BusMessage::Ended(key, _)) => {
                self.watch.changed(key);
                self.forget(key);
            }
            BusSignal::Message(BusMessage::Disconnected(key) | BusMessage::Revived(key)) => {
                self.watch.changed(key);
                if let Some(resident) = self.residents.get(key) {
                    resident.set_verdict(None);
                }
            }
            BusSignal::Message(BusMessage::Opened(_) | BusMessage::Appended(..)) => {}
        }
    }
}
