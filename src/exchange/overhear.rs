//! *Who makes modern requests?* What a client says of itself stands in a body that passes by unread: it is looked at once it
//! has passed.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::Engine;
use crate::protocol::introduction;

/// Longest body that is looked at; the client of a longer one remains unnamed.
const LONGEST: usize = 64 << 10;

/// Counts a modern request when it is dropped, with what it heard of the body by then.
pub(super) struct Overheard {
    engine: Arc<Engine>,
    heard: Vec<Bytes>,
    len: usize,
}

impl Overheard {
    pub(super) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine, heard: Vec::new(), len: 0 }
    }

    pub(super) fn hear(&mut self, data: &Bytes) {
        self.len += data.len();
        if self.len <= LONGEST {
            self.heard.push(data.clone());
        } else {
            self.heard.clear();
        }
    }
}

impl Drop for Overheard {
    fn drop(&mut self) {
        let whole = match self.heard.as_slice() {
            [whole] => whole.clone(),
            pieces => pieces.concat().into(),
        };
        self.engine.asides.count_modern(introduction::modern_client_info(&whole));
    }
}
