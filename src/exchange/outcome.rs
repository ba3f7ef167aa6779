//! What becomes of the inner service's answer: plain JSON, a stream that can be resumed, or a relay.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body::Body;
use tokio::sync::mpsc;

use super::relay::Relay;
use super::session::{Purpose, Takes};
use super::{Exchange, Outcome, translate};
use crate::body::{ResponseBody, read_whole};
use crate::engine::binding::Binding;
use crate::engine::config::Resumable;
use crate::engine::inner_stream::InnerStream;
use crate::engine::outgoing::Speaker;
use crate::engine::reader::Reader;
use crate::engine::record::Recording;
use crate::engine::shape;
use crate::engine::verdict::Admission;
use crate::inner::InnerService;
use crate::protocol::headers;
use crate::protocol::message::{self, RequestId};
use crate::rejection::{self, Rejection};
use crate::store::{Shaped, Shaping};
use crate::stream::early::{self, Beginning};

/// What a recording may have handed over before its client's reader takes it.
const BUFFER: usize = 8;
/// Longest plain answer that is looked into.
const LIMIT: usize = 4 << 20;

impl<S: InnerService> Exchange<S> {
    /// Brings the inner service's answer to the client.
    pub(super) async fn pass_on(
        self,
        admission: Admission,
        binding: Arc<Binding>,
        response: Response<ResponseBody>,
        purpose: Purpose,
        request: &Bytes,
        takes: Takes,
    ) -> Outcome<S> {
        let mut response = translate::status(response, &purpose, &admission).await?;
        response.headers_mut().remove(headers::SESSION_ID);
        let is_event_stream = headers::has_media_type(response.headers(), &headers::EVENT_STREAM);
        let Purpose::Call(id, method) = &purpose else {
            return Ok(self.relay(admission, binding, response, purpose));
        };
        let call = Call {
            id: id.clone(),
            shaping: binding.inner_id().and_then(|_| shape::shaping(&self.engine.replica_id, *method, request)),
        };
        match (is_event_stream, self.engine.config.resumable) {
            (true, Resumable::All) if takes.stream => Ok(self.record(admission, &binding, response, call)),
            (true, resumable) => {
                Box::pin(self.look(admission, binding, response, purpose, call, takes, resumable)).await
            }
            (false, Resumable::All) if takes.stream && is_plain_answer(&response) => {
                Box::pin(self.record_plain(admission, &binding, response, call)).await
            }
            (false, _) if call.shaping.is_some() && is_plain_answer(&response) => {
                Box::pin(self.keep_plain(&admission, &binding, response, &call)).await
            }
            (false, _) => Ok(self.relay(admission, binding, response, purpose)),
        }
    }

    /// An answer that is there at once needs no stream; one that takes its time is recorded.
    #[expect(clippy::too_many_arguments, reason = "it is the middle of one function that would be too long")]
    async fn look(
        self,
        admission: Admission,
        binding: Arc<Binding>,
        response: Response<ResponseBody>,
        purpose: Purpose,
        call: Call,
        takes: Takes,
        resumable: Resumable,
    ) -> Outcome<S> {
        let (mut head, body) = response.into_parts();
        let beginning = if takes.json { early::look(body).await } else { Beginning::Stream(body) };
        match beginning {
            Beginning::Response(json) => {
                headers::make_json(&mut head.headers);
                let response = Response::from_parts(head, ResponseBody::whole(json));
                match call.shaping {
                    Some(_) => self.keep_plain(&admission, &binding, response, &call).await,
                    None => Ok(response),
                }
            }
            Beginning::Stream(body) => {
                let response = Response::from_parts(head, body);
                match resumable {
                    // A shaping call's answer has to be seen, which only a recording does.
                    Resumable::ListenOnly | Resumable::Nothing if call.shaping.is_none() => {
                        Ok(self.relay(admission, binding, response, purpose))
                    }
                    _ => Ok(self.record(admission, &binding, response, call)),
                }
            }
        }
    }

    /// Records a stream for as long as it lasts, and reads it to the client from there.
    fn record(
        self,
        admission: Admission,
        binding: &Arc<Binding>,
        response: Response<ResponseBody>,
        call: Call,
    ) -> Response<ResponseBody> {
        let (mut head, body) = response.into_parts();
        head.headers.remove(header::CONTENT_LENGTH);
        let inner = InnerStream::resuming(binding, body);
        let (recording, reader) = self.recording(admission, binding, call, inner);
        self.engine.drain.calls.spawn(recording.run());
        Response::from_parts(head, reader.into_body())
    }

    /// Makes a plain answer one that can be resumed.
    async fn record_plain(
        self,
        admission: Admission,
        binding: &Arc<Binding>,
        response: Response<ResponseBody>,
        call: Call,
    ) -> Outcome<S> {
        let body = read_whole(response.into_body(), LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        let inner = InnerStream::once(ResponseBody::whole(""));
        let (recording, reader) = self.recording(admission, binding, call, inner);
        self.engine.drain.calls.spawn(recording.of_response(body).run());
        Ok(reader.into_response())
    }

    fn recording(
        &self,
        admission: Admission,
        binding: &Arc<Binding>,
        call: Call,
        inner: InnerStream,
    ) -> (Recording, Reader) {
        let engine = Arc::clone(&self.engine);
        let (client, handed) = mpsc::channel(BUFFER);
        let speaker = Speaker {
            key: admission.record.key,
            generation: admission.record.generation,
            stream: engine.name_stream(),
            binding: Arc::clone(binding),
        };
        let reader = Reader::of_call(Arc::clone(&engine), admission.again(&engine), speaker.stream.clone(), handed);
        let recording = Recording::new(engine, admission.lease, speaker, call.id, call.shaping, inner, client);
        (recording, reader)
    }

    /// A shaping call that was answered at once: kept before its client hears of it.
    async fn keep_plain(
        &self,
        admission: &Admission,
        binding: &Arc<Binding>,
        response: Response<ResponseBody>,
        call: &Call,
    ) -> Outcome<S> {
        let (head, body) = response.into_parts();
        let mut body = read_whole(body, LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        if let Some(shaping) = call.shaping.as_ref().filter(|_| message::is_result(&body)) {
            let speaker = Speaker {
                key: admission.record.key,
                generation: admission.record.generation,
                stream: self.engine.name_stream(),
                binding: Arc::clone(binding),
            };
            let kept = self.engine.keep_shaping(&speaker, shaping).await;
            match kept.map_err(|error| self.engine.store_failed("shape", &speaker.key, &error))? {
                Shaped::Shaped => {}
                Shaped::TooLarge => body = rejection::too_shapely_message(&call.id).into(),
                Shaped::Superseded | Shaped::Gone => return Err(Rejection::SessionNotFound.into()),
            }
        }
        let mut response = Response::from_parts(head, ResponseBody::whole(body));
        response.headers_mut().remove(header::CONTENT_LENGTH);
        Ok(response)
    }

    /// Everything else goes on as it comes.
    pub(super) fn relay(
        &self,
        admission: Admission,
        binding: Arc<Binding>,
        response: Response<ResponseBody>,
        purpose: Purpose,
    ) -> Response<ResponseBody> {
        let is_event_stream = headers::has_media_type(response.headers(), &headers::EVENT_STREAM);
        if !is_event_stream && response.body().size_hint().exact().is_some() {
            return response;
        }
        let relay = Relay::new(&self.engine, admission, binding, purpose);
        let (mut head, body) = response.into_parts();
        let (body, pump) = if is_event_stream {
            head.headers.remove(header::CONTENT_LENGTH);
            relay.events(body)
        } else {
            relay.bytes(body)
        };
        self.engine.drain.calls.spawn(pump);
        Response::from_parts(head, body)
    }
}

/// A request whose answer is looked into.
struct Call {
    id: RequestId,
    shaping: Option<Shaping>,
}

fn is_plain_answer(response: &Response<ResponseBody>) -> bool {
    response.status() == StatusCode::OK && headers::has_media_type(response.headers(), &headers::JSON)
}
