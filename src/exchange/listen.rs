//! GET: the client listens to what the server says by itself, or resumes a stream that was cut.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};

use super::purpose::Purpose;
use super::{Answered, Exchange, Outcome, answer, with_token};
use crate::body::ResponseBody;
use crate::classify::Declared;
use crate::engine::binding::Binding;
use crate::engine::config::Resumable;
use crate::engine::get_answer::GetAnswer;
use crate::engine::reader::Reader;
use crate::engine::verdict::Admission;
use crate::inner::{Failure, InnerService};
use crate::protocol::headers::{self, Single, single};
use crate::rejection::Rejection;
use crate::store::{ListenCursor, Listening, StreamName, StreamState};
use crate::stream::cursor::Cursor;

impl<S: InnerService> Exchange<S> {
    /// Opens the session's stream for what the server has to say by itself, or resumes a stream.
    pub(crate) async fn listen(self, parts: Box<Parts>, declared: Declared) -> Answered<S> {
        let outcome = match self.admit(&parts, declared, false).await {
            Ok(_) if self.engine.drain.is_draining() => Err(Rejection::ShuttingDown.into()),
            Ok(admission) => {
                admission.lease.confirm();
                let token = self.token(&admission).await;
                with_token(self.open_stream(admission, parts).await, token)
            }
            Err(rejection) => Err(rejection.into()),
        };
        answer::<S>(outcome, None)
    }

    async fn open_stream(self, admission: Admission, parts: Box<Parts>) -> Outcome<S> {
        match last_event(&parts)? {
            None if self.engine.config.resumable == Resumable::Nothing => {
                self.serve(admission, parts, Bytes::new(), Purpose::Listen).await
            }
            None => self.listen_on(admission, parts, None).await,
            Some(Cursor::Listen(key, cursor)) if key == admission.record.key => {
                self.listen_on(admission, parts, Some(cursor)).await
            }
            Some(Cursor::Listen(..)) => Err(Rejection::EventIdUnknown.into()),
            Some(Cursor::Call { stream, position }) => self.resume(admission, stream, position).await,
        }
    }

    /// The listening stream, from a cursor on or from where the last listener left off. The newest listener wins.
    async fn listen_on(mut self, admission: Admission, parts: Box<Parts>, cursor: Option<ListenCursor>) -> Outcome<S> {
        let mut binding = self.engine.binding(&mut self.inner, &admission, &parts).await?;
        binding.note_head(&parts);
        binding.ear_signal.request_came();
        let mut heard = None;
        if binding.inner_id().is_none() || binding.is_unheard() {
            let answer;
            (answer, binding) = self.ask_inner(&admission, binding, parts).await?;
            match answer {
                GetAnswer::Refused(answer) => return Ok(answer),
                GetAnswer::NoStream => binding.ear_signal.set_no_stream(),
                GetAnswer::NotFound if binding.inner_id().is_none() => {}
                // Of the layer's own stream, until the inner service gives one.
                answer => heard = Some(answer),
            }
        }
        let engine = Arc::clone(&self.engine);
        let (key, generation) = (admission.record.key, admission.record.generation);
        // Before anybody hears of the listener, so that nobody else puts an ear there.
        let ear = heard.and_then(|answer| engine.hear_from(&key, &binding, answer));
        let listening = engine.store.listen(&key, generation, &engine.replica_id, cursor).await;
        match listening.map_err(|error| engine.store_failed("listen", &key, &error))? {
            Listening::Granted { listener, after } => {
                let at = ListenCursor { listener, position: after };
                Ok(Reader::listening(engine, admission, at, ear).into_response())
            }
            Listening::Outdated => Err(Rejection::ListenerOutdated.into()),
            Listening::Unknown => Err(Rejection::EventIdUnknown.into()),
            Listening::Superseded | Listening::Gone => Err(Rejection::SessionNotFound.into()),
        }
    }

    /// Asks the inner service for its stream with the client's own GET.
    async fn ask_inner(
        &mut self,
        admission: &Admission,
        binding: Arc<Binding>,
        parts: Box<Parts>,
    ) -> Result<(GetAnswer, Arc<Binding>), Failure<S::Failure>> {
        match self.call_inner(admission, Arc::clone(&binding), parts, Bytes::new()).await {
            Ok((answer, binding)) => Ok((GetAnswer::of(answer), binding)),
            // The session lives, and its listener may wait for the inner service as its calls may.
            Err(Failure::Inner(_)) => Ok((GetAnswer::FAILED, binding)),
            Err(failure) => Err(failure),
        }
    }

    /// The stream of a call, from a cursor on: what is missing, then what is still to come.
    async fn resume(self, admission: Admission, stream: StreamName, position: u64) -> Outcome<S> {
        let (engine, key) = (&self.engine, &admission.record.key);
        let found = engine.store.read(key, &stream, position, 1).await;
        let found = found.map_err(|error| engine.store_failed("read", key, &error))?;
        match found.state {
            StreamState::Unknown => return Err(Rejection::EventIdUnknown.into()),
            // The final response was the last it heard. A client that is told so by 204 does not come back (WHATWG HTML, Server-sent
            // events); an empty stream would bring it back for ever.
            StreamState::Finished if found.messages.is_empty() && !found.gap => return Ok(nothing_more()),
            StreamState::Finished | StreamState::Open(_) => {}
        }
        Ok(Reader::resumed(Arc::clone(engine), admission, stream, position).into_response())
    }
}

fn nothing_more() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Where the client was cut off, if it says so.
fn last_event(parts: &Parts) -> Result<Option<Cursor>, Rejection> {
    match single(&parts.headers, &headers::LAST_EVENT_ID) {
        Single::Absent => Ok(None),
        Single::Several => Err(Rejection::EventIdUnknown),
        Single::One(value) => {
            let cursor = value.to_str().ok().and_then(Cursor::parse);
            cursor.map(Some).ok_or(Rejection::EventIdUnknown)
        }
    }
}
