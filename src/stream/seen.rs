//! What was read of a stream and has to be said again.

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyStream, StreamBody};

use crate::body::{BoxError, ResponseBody};

/// The chunks so far.
#[derive(Default)]
pub(super) struct Seen {
    chunks: Vec<Bytes>,
    length: usize,
}

impl Seen {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(mut self, chunk: Bytes) -> Self {
        self.length += chunk.len();
        self.chunks.push(chunk);
        self
    }

    fn frames(self) -> impl futures::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
        stream::iter(self.chunks).map(|chunk| Ok(Frame::data(chunk)))
    }

    pub(super) fn and(self, rest: ResponseBody) -> ResponseBody {
        if self.chunks.is_empty() {
            return rest;
        }
        ResponseBody::stream(StreamBody::new(self.frames().chain(BodyStream::new(rest))))
    }

    pub(super) fn and_error(self, error: BoxError) -> ResponseBody {
        ResponseBody::stream(StreamBody::new(self.frames().chain(stream::iter([Err(error)]))))
    }
}
