//! A session's stream log in memory.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

use crate::store::{LogLimits, LogSlice, StreamName, StreamState};

/// A session's stream log.
#[derive(Default)]
pub(super) struct Log {
    messages: VecDeque<(u64, StreamName, Bytes)>,
    bytes: usize,
    pub(super) last: u64,
    /// For each stream that lost messages, the position of the last one lost.
    trimmed: HashMap<StreamName, u64>,
    /// The streams forgotten from `trimmed` lost nothing after this position.
    forgotten: u64,
    /// Streams that were begun: what was said about them, until they are finished.
    begun: HashMap<StreamName, StreamState>,
}

impl Log {
    pub(super) fn begin(&mut self, stream: &StreamName, about: Bytes) {
        self.begun.entry(stream.clone()).or_insert(StreamState::Open(about));
    }

    pub(super) fn finish(&mut self, stream: &StreamName) {
        self.begun.insert(stream.clone(), StreamState::Finished);
    }

    /// Forgets all streams but the listening one.
    pub(super) fn forget_calls(&mut self) {
        self.messages.retain(|(_, stream, _)| *stream == StreamName::LISTEN);
        self.bytes = self.messages.iter().map(|(_, _, message)| message.len()).sum();
        self.trimmed.retain(|stream, _| *stream == StreamName::LISTEN);
        self.begun.clear();
        self.forgotten = self.last;
    }

    pub(super) fn state(&self, stream: &StreamName) -> StreamState {
        self.begun.get(stream).cloned().unwrap_or_default()
    }

    pub(super) fn slice(&self, stream: &StreamName, after: u64, max: usize) -> LogSlice {
        let wanted = |(position, name, _): &&(u64, StreamName, Bytes)| *position > after && name == stream;
        let kept = self.messages.iter().filter(wanted).take(max);
        LogSlice {
            messages: kept.map(|(position, _, message)| (*position, message.clone())).collect(),
            gap: self.has_gap(stream, after),
            state: self.state(stream),
        }
    }

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
        self.forget_if_many(limits.messages);
    }

    fn forget_if_many(&mut self, messages: usize) {
        if self.trimmed.len().max(self.begun.len()) > messages.saturating_mul(2).saturating_add(64) {
            self.forget_finished_streams();
        }
    }

    /// Forgets what streams lost that have no message left, but for how far the losses of all of them went.
    fn forget_finished_streams(&mut self) {
        let alive: HashSet<&StreamName> = self.messages.iter().map(|(_, stream, _)| stream).collect();
        let open = |state: Option<&StreamState>| matches!(state, Some(StreamState::Open(_)));
        let forgotten = &mut self.forgotten;
        self.trimmed.retain(|stream, lost| {
            let keep = alive.contains(stream) || *stream == StreamName::LISTEN || open(self.begun.get(stream));
            if !keep {
                *forgotten = (*forgotten).max(*lost);
            }
            keep
        });
        self.begun.retain(|stream, state| alive.contains(stream) || open(Some(state)));
    }

    /// Whether the stream may have lost messages after a position. A forgotten stream looks like a new one from 0 on.
    fn has_gap(&self, stream: &StreamName, after: u64) -> bool {
        let known = *stream == StreamName::LISTEN
            || self.begun.contains_key(stream)
            || self.messages.iter().any(|(_, name, _)| name == stream);
        match self.trimmed.get(stream) {
            Some(last_lost) => *last_lost > after,
            None => !known && after > 0 && after < self.forgotten,
        }
    }
}
