//! A session's stream log in memory.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

use crate::store::{LogLimits, StreamName};

/// A session's stream log.
#[derive(Default)]
pub(super) struct Log {
    pub(super) messages: VecDeque<(u64, StreamName, Bytes)>,
    bytes: usize,
    pub(super) last: u64,
    /// For each stream that lost messages, the position of the last one lost.
    trimmed: HashMap<StreamName, u64>,
    /// The streams forgotten from `trimmed` lost nothing after this position.
    forgotten: u64,
}

impl Log {
    pub(super) fn push(&mut self, stream: &StreamName, message: Bytes) {
        self.last += 1;
        self.bytes += message.len();
        self.messages.push_back((self.last, stream.clone(), message));
    }

    pub(super) fn trim(&mut self, limits: &LogLimits) {
        let over = |log: &Self| log.messages.len() > limits.messages.max(1) || log.bytes > limits.bytes;
        while over(self) && self.messages.len() > 1 {
            let Some((position, stream, message)) = self.messages.pop_front() else { return };
            self.bytes -= message.len();
            self.trimmed.insert(stream, position);
        }
        if self.trimmed.len() > 2 * limits.messages + 64 {
            self.forget_finished_streams();
        }
    }

    /// Forgets what streams lost that have no message left, but for how far the losses of all of them went.
    fn forget_finished_streams(&mut self) {
        let alive: HashSet<&StreamName> = self.messages.iter().map(|(_, stream, _)| stream).collect();
        let forgotten = &mut self.forgotten;
        self.trimmed.retain(|stream, lost| {
            let keep = alive.contains(stream);
            if !keep {
                *forgotten = (*forgotten).max(*lost);
            }
            keep
        });
    }

    /// Whether the stream may have lost messages after a position. A forgotten stream looks like a new one from 0 on.
    pub(super) fn has_gap(&self, stream: &StreamName, after: u64) -> bool {
        let known = self.messages.iter().any(|(_, name, _)| name == stream);
        match self.trimmed.get(stream) {
            Some(last_lost) => *last_lost > after,
            None => !known && after > 0 && after < self.forgotten,
        }
    }
}
