//! An event stream in which some messages are replaced and everything else stays as it came.

use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::body::{BoxError, ResponseBody};
use crate::protocol::sse::{self, Splitter, SseMessage};

/// Passes a stream through; `edit` says what takes a message's place.
pub(crate) fn events(body: ResponseBody, edit: fn(&[u8]) -> Option<Bytes>) -> ResponseBody {
    let editing = Some((body, Splitter::default()));
    let frames = stream::unfold(editing, move |editing| async move {
        let (mut body, mut splitter) = editing?;
        match body.frame().await {
            Some(Ok(frame)) => {
                splitter.push(frame.data_ref().map_or(&[], |data| data));
                Some((Ok(Frame::data(edited(&mut splitter, edit))), Some((body, splitter))))
            }
            Some(Err(error)) => Some((Err::<_, BoxError>(error), None)),
            None => Some((Ok(Frame::data(splitter.rest())), None)),
        }
    });
    ResponseBody::stream(StreamBody::new(Box::pin(frames)))
}

fn edited(splitter: &mut Splitter, edit: fn(&[u8]) -> Option<Bytes>) -> Bytes {
    let mut out = BytesMut::new();
    while let Some(message) = splitter.next_message() {
        edited_message(&mut out, &message, edit);
    }
    out.freeze()
}

fn edited_message(out: &mut BytesMut, message: &SseMessage, edit: fn(&[u8]) -> Option<Bytes>) {
    let Some(json) = edit(&message.data) else { return out.extend_from_slice(&message.raw) };
    if message.raw.starts_with(b"\n") {
        // The second half of the line break before, which came in two parts.
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(&message.id.as_ref().map_or_else(|| sse::message(&json), |id| sse::event(id, &json)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shout(data: &[u8]) -> Option<Bytes> {
        (data == b"quiet").then(|| Bytes::from_static(b"LOUD"))
    }

    #[tokio::test]
    async fn only_what_is_edited_changes_whatever_the_chunks() {
        let stream = ": hi\n\nid: 7\ndata: quiet\n\nevent: x\ndata: other\r\n\r\ndata: quiet\n\ndata: cut";
        for step in [1, 3, 1000] {
            let chunks =
                stream.as_bytes().chunks(step).map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::from_static(chunk))));
            let chunks: Vec<_> = chunks.collect();
            let body = ResponseBody::stream(StreamBody::new(stream::iter(chunks)));
            let text = events(body, shout).collect().await.unwrap().to_bytes();
            assert_eq!(
                String::from_utf8_lossy(&text),
                ": hi\n\nid: 7\ndata: LOUD\n\nevent: x\ndata: other\r\n\r\ndata: LOUD\n\ndata: cut"
            );
        }
    }
}
