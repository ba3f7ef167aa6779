//! Reads of records that are asked for at the same time travel together.
//!
//! The first asker starts a task that lets everybody who is ready go first, and then asks for what has gathered in one
//! pipeline: under load one system call carries many reads, and a lone read waits for nobody.

use std::sync::{Arc, Mutex, PoisonError};

use deadpool_redis::redis::Pipeline;
use tokio::sync::oneshot;

use super::failure::too_late;
use super::link::Link;
use crate::store::StoreError;

type Value = Option<Vec<u8>>;

/// Reads that have been asked for and not sent yet.
#[derive(Default)]
pub(super) struct Gather {
    asked: Mutex<Vec<Asked>>,
}

struct Asked {
    key: String,
    answer: oneshot::Sender<Result<Value, StoreError>>,
}

impl Gather {
    /// The value of a key, as of some moment after this was called.
    pub(super) async fn get(self: &Arc<Self>, link: &Arc<Link>, key: String) -> Result<Value, StoreError> {
        let (answer, told) = oneshot::channel();
        if self.push(Asked { key, answer }) {
            let carrier = Carrier { gather: Arc::clone(self), link: Arc::clone(link), has_left: false };
            tokio::spawn(carrier.carry());
        }
        told.await.unwrap_or_else(|_| Err(too_late()))
    }

    /// `true` if somebody has to carry what gathers from here on.
    fn push(&self, asked: Asked) -> bool {
        let mut gathered = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.push(asked);
        gathered.len() == 1
    }

    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Carries one load of reads.
struct Carrier {
    gather: Arc<Gather>,
    link: Arc<Link>,
    /// From then on the next asker sends a carrier of its own.
    has_left: bool,
}

impl Carrier {
    async fn carry(mut self) {
        tokio::task::yield_now().await;
        self.has_left = true;
        let load = self.gather.take();
        let mut reads = Pipeline::with_capacity(load.len());
        for asked in &load {
            reads.get(&asked.key);
        }
        match self.link.ask::<Vec<Value>>(&reads).await {
            Ok(values) => {
                for (asked, value) in load.into_iter().zip(values) {
                    // Whoever has left misses nothing.
                    let _ = asked.answer.send(Ok(value));
                }
            }
            Err(error) => {
                for asked in load {
                    let _ = asked.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Drop for Carrier {
    /// If its runtime ends before it has left, whoever waits for it is told so, and the next asker sends another.
    fn drop(&mut self) {
        if !self.has_left {
            drop(self.gather.take());
        }
    }
}
