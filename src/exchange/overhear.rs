//! *Who makes modern requests, and what for?* What a client says of itself stands in a body that passes by unread: it is looked
//! at once it has passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use memchr::memmem;

use crate::engine::Engine;
use crate::protocol::introduction;
use crate::protocol::message::{self, Kind, Method};

/// Longest body that is looked at; the client of a longer one remains unnamed.
const LONGEST: usize = 64 << 10;

/// Whether a request that has passed by is an `initialize`, as far as that can be seen.
#[derive(Clone, Default)]
pub(super) struct MayInitialize(Arc<AtomicBool>);

impl MayInitialize {
    /// Of a body that is here.
    pub(super) fn of(body: &[u8]) -> Self {
        Self(Arc::new(AtomicBool::new(is_initialize(body))))
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

fn is_initialize(body: &[u8]) -> bool {
    matches!(message::kind(body), Some(Kind::Request { method: Method::Initialize, .. }))
}

/// Counts a modern request when it is dropped, with what it heard of the body by then.
pub(super) struct Overheard {
    engine: Arc<Engine>,
    heard: Vec<Bytes>,
    len: usize,
    /// The word stands in a body that is too long to be looked at.
    names_initialize: bool,
    may_initialize: MayInitialize,
}

impl Overheard {
    pub(super) const fn new(engine: Arc<Engine>, may_initialize: MayInitialize) -> Self {
        Self { engine, heard: Vec::new(), len: 0, names_initialize: false, may_initialize }
    }

    pub(super) fn hear(&mut self, data: &Bytes) {
        self.len += data.len();
        self.heard.push(data.clone());
        if self.len > LONGEST {
            let named = |data: &Bytes| memmem::find(data, b"\"initialize\"").is_some();
            self.names_initialize |= self.heard.drain(..).any(|data| named(&data));
        }
    }
}

impl Drop for Overheard {
    fn drop(&mut self) {
        let whole = match self.heard.as_slice() {
            [whole] => whole.clone(),
            pieces => pieces.concat().into(),
        };
        let may_initialize = self.names_initialize || is_initialize(&whole);
        self.may_initialize.0.store(may_initialize, Ordering::Release);
        self.engine.asides.count_modern(introduction::modern_client_info(&whole));
    }
}
