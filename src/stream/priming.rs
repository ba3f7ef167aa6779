//! Keeping priming events and `retry` from clients that do not know them.
//!
//! They came with revision 2025-11-25; clients of earlier ones try to read the empty `data` as JSON.

use bytes::{Bytes, BytesMut};

use crate::protocol::sse::Splitter;

/// Drops messages that carry nothing: no data, no comment.
#[derive(Default)]
pub(crate) struct PrimingFilter {
    splitter: Splitter,
}

impl PrimingFilter {
    /// What of the stream so far may go on; an unfinished message waits for its end.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Bytes {
        self.splitter.push(chunk);
        let mut passed = BytesMut::new();
        while let Some(message) = self.splitter.next_message() {
            if !message.data.is_empty() || message.raw.starts_with(b":") {
                passed.extend_from_slice(&message.raw);
            }
        }
        passed.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_with_content_and_comments_pass() {
        let mut filter = PrimingFilter::default();
        assert_eq!(filter.push(b"id: 0\nretry: 3000\ndata:\n\n: ping\n\ndata: {"), ": ping\n\n");
        assert_eq!(filter.push(b"}\n\nretry: 5\n\n"), "data: {}\n\n");
    }
}
