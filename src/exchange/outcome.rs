//! What becomes of the inner service's answer: plain JSON, a stream that can be resumed, or a relay.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body::Body;
use tokio::sync::mpsc;

use super::purpose::{Purpose, Takes};
use super::relay::Relay;
use super::translate;
use crate::body::{ResponseBody, read_whole};
use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::config::Resumable;
use crate::engine::inner_stream::InnerStream;
use crate::engine::outgoing::Speaker;
use crate::engine::reader::Reader;
use crate::engine::record::Recording;
use crate::engine::shape;
use crate::engine::verdict::Admission;
use crate::protocol::message::{self, RequestId};
use crate::protocol::version::ProtocolVersion;
use crate::protocol::{headers, response};
use crate::rejection::{self, Rejection};
use crate::store::{Shaped, Shaping};
use crate::stream::early::{self, Beginning};
use crate::stream::{first, pass_at_once};

/// What a recording may have handed over before its client's reader takes it.
const BUFFER: usize = 8;
/// Longest plain answer that is looked into.
const LIMIT: usize = 4 << 20;

type Passed = Result<Response<ResponseBody>, Rejection>;

/// A request that the inner service has answered.
pub(super) struct Answering {
    pub(super) engine: Arc<Engine>,
    pub(super) admission: Admission,
    pub(super) binding: Arc<Binding>,
    pub(super) purpose: Purpose,
    pub(super) takes: Takes,
}

/// A request whose answer is looked into.
struct Call {
    id: RequestId,
    shaping: Option<Shaping>,
}

impl Answering {
    /// Brings the inner service's answer to the client. `request` is what was asked, if that may shape the session.
    pub(super) async fn pass_on(self, response: Response<ResponseBody>, request: &Bytes) -> Passed {
        let response = translate::status(response, &self.purpose, &self.admission).await?;
        if matches!(self.purpose, Purpose::Word(_)) && response.status().is_success() {
            // A notification has no answer but that it was taken: a body that goes with it is dropped after its head.
            return Ok(taken(response));
        }
        let is_event_stream = headers::has_media_type(response.headers(), &headers::EVENT_STREAM);
        if is_event_stream && headers::is_encoded(response.headers()) {
            return Err(Rejection::InnerAnswerCompressed);
        }
        let Some(call) = self.call(request) else { return Ok(self.relay(response)) };
        match (is_event_stream, self.engine.config.resumable) {
            (true, Resumable::All) if self.takes.stream() => Ok(self.record(response, call)),
            (true, _) => Box::pin(self.look(response, call)).await,
            (false, Resumable::All) if self.takes.stream() && is_plain_answer(&response) => {
                Box::pin(self.record_plain(response, call)).await
            }
            (false, _) if call.shaping.is_some() && is_plain_answer(&response) => {
                Box::pin(self.keep_plain(response, &call)).await
            }
            (false, _) if self.may_be_batch(&response) => {
                Ok(self.relay(Box::pin(first::out_of_batch(response, &call.id)).await?))
            }
            (false, _) => Ok(self.relay(response)),
        }
    }

    /// Only revision 2025-03-26 has batches; elsewhere a plain answer goes out without a look at it.
    fn may_be_batch(&self, response: &Response<ResponseBody>) -> bool {
        self.admission.record.origin.protocol_version == ProtocolVersion::V2025_03_26 && is_plain_answer(response)
    }

    fn call(&self, request: &Bytes) -> Option<Call> {
        let Purpose::Call(id, method) = &self.purpose else { return None };
        let shaping = match self.binding.inner_id() {
            Some(_) => shape::shaping(&self.engine.replica_id, *method, request),
            None => None,
        };
        Some(Call { id: id.clone(), shaping })
    }

    /// An answer that is there at once needs no stream; one that takes its time is recorded.
    async fn look(self, response: Response<ResponseBody>, call: Call) -> Passed {
        let (mut head, body) = response.into_parts();
        let beginning = if self.takes.json() { early::look(body, &call.id).await } else { Beginning::Stream(body) };
        match (beginning, self.engine.config.resumable) {
            (Beginning::Response(json), _) => {
                headers::make_json(&mut head.headers);
                let response = Response::from_parts(head, ResponseBody::whole(json));
                match call.shaping {
                    Some(_) => self.keep_plain(response, &call).await,
                    None => Ok(response),
                }
            }
            // A shaping call's answer has to be seen, which only a recording does.
            (Beginning::Stream(body), Resumable::ListenOnly | Resumable::Nothing) if call.shaping.is_none() => {
                Ok(self.relay(Response::from_parts(head, body)))
            }
            (Beginning::Stream(body), _) => Ok(self.record(Response::from_parts(head, body), call)),
        }
    }

    /// Records a stream for as long as it lasts, and reads it to the client from there.
    fn record(self, response: Response<ResponseBody>, call: Call) -> Response<ResponseBody> {
        let (mut head, body) = response.into_parts();
        head.headers.remove(header::CONTENT_LENGTH);
        pass_at_once(&mut head.headers);
        let inner = InnerStream::resuming(&self.binding, body);
        let engine = Arc::clone(&self.engine);
        let (recording, reader) = self.recording(call, inner);
        engine.drain.calls.spawn(recording.run());
        Response::from_parts(head, reader.into_body())
    }

    /// Makes a plain answer one that can be resumed.
    async fn record_plain(self, response: Response<ResponseBody>, call: Call) -> Passed {
        let body = early::whole(response, &call.id).await?;
        let engine = Arc::clone(&self.engine);
        let (recording, reader) = self.recording(call, InnerStream::once(ResponseBody::whole("")));
        engine.drain.calls.spawn(recording.of_response(body).run());
        Ok(reader.into_response())
    }

    fn recording(self, call: Call, inner: InnerStream) -> (Recording, Reader) {
        let Self { engine, admission, binding, .. } = self;
        let (client, handed) = mpsc::channel(BUFFER);
        let speaker = Speaker::of_call(&engine, &admission, binding, Some(call.id.clone()));
        let reader = Reader::of_call(Arc::clone(&engine), admission.again(&engine), speaker.stream.clone(), handed);
        let recording = Recording::new(engine, admission.lease, speaker, call.id, call.shaping, inner, client);
        (recording, reader)
    }

    /// A shaping call that was answered at once: kept before its client hears of it.
    async fn keep_plain(self, response: Response<ResponseBody>, call: &Call) -> Passed {
        let (mut head, body) = response.into_parts();
        if headers::is_encoded(&head.headers) {
            return Err(Rejection::InnerAnswerCompressed);
        }
        let mut body = read_whole(body, LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        // What is no response to the call shapes nothing, and goes on as it is.
        let response = response::in_body(&call.id, body.clone());
        let is_response = response.is_some();
        body = response.unwrap_or(body);
        if let Some(shaping) = call.shaping.as_ref().filter(|_| is_response && message::is_result(&body)) {
            let engine = &self.engine;
            let speaker = Speaker::of_call(engine, &self.admission, self.binding, None);
            let kept = engine.keep_shaping(&speaker, shaping).await;
            match kept.map_err(|error| engine.store_failed("shape", &speaker.key, &error))? {
                Shaped::Shaped => {}
                Shaped::TooLarge => body = rejection::too_shapely_message(&call.id).into(),
                Shaped::Superseded | Shaped::Gone => return Err(Rejection::SessionNotFound),
            }
        }
        head.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(head, ResponseBody::whole(body)))
    }

    /// Everything else goes on as it comes.
    fn relay(self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let is_event_stream = headers::has_media_type(response.headers(), &headers::EVENT_STREAM);
        if !is_event_stream && response.body().size_hint().exact().is_some() {
            return response;
        }
        let engine = Arc::clone(&self.engine);
        let relay = Relay::new(self.engine, self.admission, self.binding, self.purpose);
        let (mut head, body) = response.into_parts();
        let (body, pump) = if is_event_stream {
            head.headers.remove(header::CONTENT_LENGTH);
            pass_at_once(&mut head.headers);
            relay.events(body)
        } else {
            relay.bytes(body)
        };
        engine.drain.calls.spawn(pump);
        Response::from_parts(head, body)
    }
}

/// 202: the inner service has taken a notification or an answer. What it says to that is for nobody: it is not waited for.
fn taken(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let (mut head, _) = response.into_parts();
    head.status = StatusCode::ACCEPTED;
    headers::take_content(&mut head.headers);
    Response::from_parts(head, ResponseBody::whole(""))
}

fn is_plain_answer(response: &Response<ResponseBody>) -> bool {
    response.status() == StatusCode::OK && headers::has_media_type(response.headers(), &headers::JSON)
}
