//! Server-sent events: splitting a byte stream into messages, and writing our own.
//!
//! The splitter follows the WHATWG event stream format as far as a relay needs it: it reads past a byte order mark, finds where
//! a message ends and what its `data` is, and leaves the bytes as they are.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use crate::protocol::bom::BOM;

/// One message of an event stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SseMessage {
    /// The bytes as they came, blank line included.
    pub(crate) raw: Bytes,
    /// The `data` lines joined by line feeds; empty for comments, priming events and bare `retry`s.
    pub(crate) data: Vec<u8>,
    /// The cursor after this message.
    pub(crate) id: Option<String>,
    /// When to come back, in milliseconds.
    pub(crate) retry: Option<u64>,
}

/// Splits an event stream into messages, whatever the chunks it arrives in.
#[derive(Default)]
pub(crate) struct Splitter {
    pending: BytesMut,
    /// The stream has begun: a byte order mark would be a part of it.
    has_begun: bool,
    /// How much of `pending` is known to hold no message end.
    scanned: usize,
}

impl Splitter {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.pending.extend_from_slice(chunk);
        let may_be_cut = self.pending.len() < BOM.len() && BOM.starts_with(&self.pending);
        if !self.has_begun && !may_be_cut {
            self.has_begun = true;
            if self.pending.starts_with(BOM) {
                self.pending.advance(BOM.len());
            }
        }
    }

    /// The next whole message, if it has arrived.
    pub(crate) fn next_message(&mut self) -> Option<SseMessage> {
        let end = self.find_end()?;
        self.scanned = 0;
        let raw = self.pending.split_to(end).freeze();
        Some(read(raw))
    }

    /// What has arrived of a message that is not whole.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.scanned = 0;
        self.pending.split().freeze()
    }

    /// The index after the blank line that ends the first message.
    fn find_end(&mut self) -> Option<usize> {
        let bytes = &self.pending[..];
        let mut at = self.scanned;
        while let Some(step) = bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let first = line_end(bytes, at + step)?;
            if first < bytes.len() && matches!(bytes[first], b'\n' | b'\r') {
                return line_end(bytes, first);
            }
            if first == bytes.len() {
                self.scanned = at + step;
                return None;
            }
            at = first;
        }
        self.scanned = bytes.len();
        None
    }
}

/// The index after the line break at `at`. A `\r` at the very end may be half of a `\r\n`, but ends the line all the same;
/// the `\n` that follows it then reads as an empty line of the next message, which readers ignore.
fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'\r' if bytes.get(at + 1) == Some(&b'\n') => Some(at + 2),
        _ => Some(at + 1),
    }
}

fn read(raw: Bytes) -> SseMessage {
    let (mut data, mut id, mut retry) = (Vec::new(), None, None);
    for line in raw.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(value) = field(line, b"data") {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(value);
        } else if let Some(value) = field(line, b"id") {
            id = std::str::from_utf8(value).ok().map(ToOwned::to_owned);
        } else if let Some(value) = field(line, b"retry") {
            retry = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        }
    }
    SseMessage { raw, data, id, retry }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// A message with a cursor that carries one JSON-RPC message.
pub(crate) fn event(id: &str, json: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(json.len() + id.len() + 16);
    event.extend_from_slice(format!("id: {id}\n").as_bytes());
    write_data(&mut event, json);
    event.freeze()
}

/// A message that carries one JSON-RPC message.
pub(crate) fn message(json: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(json.len() + 16);
    write_data(&mut message, json);
    message.freeze()
}

/// JSON may be broken into lines; each is a `data` line of its own.
fn write_data(to: &mut BytesMut, json: &[u8]) {
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        to.extend_from_slice(b"data: ");
        to.extend_from_slice(line);
        to.extend_from_slice(b"\n");
    }
    to.extend_from_slice(b"\n");
}

/// A priming event: a cursor, when to come back with it, and no message (MCP 2025-11-25, Streamable HTTP).
pub(crate) fn priming(id: &str, retry: Duration) -> Bytes {
    Bytes::from(format!("id: {id}\nretry: {}\ndata:\n\n", retry.as_millis()))
}

/// Tells the client when to come back, without ending its stream.
pub(crate) fn retry(after: Duration) -> Bytes {
    Bytes::from(format!("retry: {}\n\n", after.as_millis()))
}

/// A comment that keeps idle connections from being cut by middleboxes.
pub(crate) const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");

#[cfg(test)]
mod tests {
    use super::*;

    fn split_in_steps(stream: &str, step: usize) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        for chunk in stream.as_bytes().chunks(step) {
            splitter.push(chunk);
            while let Some(message) = splitter.next_message() {
                found.push(String::from_utf8(message.data).unwrap());
            }
        }
        found
    }

    #[test]
    fn messages_are_found_in_any_chunking_and_with_any_line_break() {
        let stream = "id: 0\nretry: 3000\ndata:\n\nevent: message\ndata: {\"a\":1}\n\n: hi\n\ndata: x\ndata: y\n\n";
        let expected = ["", "{\"a\":1}", "", "x\ny"];
        for step in 1..=stream.len() {
            assert_eq!(split_in_steps(stream, step), expected, "step {step}");
        }
        for line_break in ["\r\n", "\r"] {
            let stream = stream.replace('\n', line_break);
            assert_eq!(split_in_steps(&stream, stream.len()), expected, "{line_break:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_read_past_at_the_beginning_and_nowhere_else() {
        let stream = "\u{feff}data: {\"a\":1}\n\ndata: \u{feff}\n\n\u{feff}data: 2\n\n";
        for step in 1..=stream.len() {
            let mut splitter = Splitter::default();
            stream.as_bytes().chunks(step).for_each(|chunk| splitter.push(chunk));
            let first = splitter.next_message().unwrap();
            assert_eq!((&first.raw[..], &first.data[..]), (&b"data: {\"a\":1}\n\n"[..], &b"{\"a\":1}"[..]));
            assert_eq!(splitter.next_message().unwrap().data, "\u{feff}".as_bytes());
            assert_eq!(splitter.next_message().unwrap().data, b"", "no field is called so");
        }
    }

    #[test]
    fn cursors_and_retries_are_read_and_written() {
        let mut splitter = Splitter::default();
        splitter.push(b"id:7\nretry: 250\ndata: {\n\nretry: soon\n\n");
        let first = splitter.next_message().unwrap();
        assert_eq!((first.id.as_deref(), first.retry, &first.data[..]), (Some("7"), Some(250), &b"{"[..]));
        let second = splitter.next_message().unwrap();
        assert_eq!((second.id, second.retry), (None, None));
        splitter.push(&event("a.1", b"{\n}"));
        let third = splitter.next_message().unwrap();
        assert_eq!((third.id.as_deref(), &third.data[..]), (Some("a.1"), &b"{\n}"[..]));
        assert_eq!(priming("a.0", Duration::from_secs(1)), "id: a.0\nretry: 1000\ndata:\n\n");
    }

    #[test]
    fn raw_bytes_come_out_as_they_went_in() {
        let mut splitter = Splitter::default();
        splitter.push(b"data: 1\r\n\r\ndata: 2");
        assert_eq!(splitter.next_message().unwrap().raw, "data: 1\r\n\r\n");
        assert_eq!(splitter.next_message(), None);
    }
}
