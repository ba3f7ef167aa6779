//! Server-sent events as they come.

use bytes::{Buf, BytesMut};
use reqwest::Response;
use serde_json::Value;

use super::Failure;

/// One event.
pub struct Event {
    /// Where to resume after it.
    pub id: Option<String>,
    /// The message in it; an event may carry none.
    pub message: Option<Value>,
}

/// An open stream.
pub struct Events {
    response: Response,
    read: BytesMut,
}

impl Events {
    pub fn of(response: Response) -> Self {
        Self { response, read: BytesMut::new() }
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(block) = self.block() {
                if let Some(event) = parse(&block)? {
                    return Ok(Some(event));
                }
                continue;
            }
            match self.response.chunk().await? {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The lines up to the next empty one, if they are all there.
    fn block(&mut self) -> Option<String> {
        let text = &self.read[..];
        let unix = text.windows(2).position(|pair| pair == b"\n\n").map(|at| (at, 2));
        let dos = text.windows(4).position(|four| four == b"\r\n\r\n").map(|at| (at, 4));
        let (end, gap) = [unix, dos].into_iter().flatten().min()?;
        let block = String::from_utf8_lossy(&self.read.split_to(end)).into_owned();
        self.read.advance(gap);
        Some(block)
    }
}

/// Reads one event; comments and `retry` alone are none.
fn parse(block: &str) -> Result<Option<Event>, Failure> {
    let (mut id, mut data) = (None, Vec::new());
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => id = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
    }
    let data = data.join("\n");
    if data.is_empty() && id.is_none() {
        return Ok(None);
    }
    let message = match data.is_empty() {
        true => None,
        false => Some(serde_json::from_str(&data).map_err(|_| Failure::NotMcp("an event is not JSON".to_owned()))?),
    };
    Ok(Some(Event { id, message }))
}
