//! One answer to the messages of a batch.
//!
//! | the batch holds | the answer |
//! |---|---|
//! | no request, nothing was refused | 202 |
//! | no request, something was refused | the first refusal, which names the others; what is not named was taken |
//! | requests, all refused | the first refusal of a request, as it would be for that one alone |
//! | requests, none was answered with a stream, and the client does not ask for one | an array of their responses, in their order |
//! | other requests | an event stream of all that their own streams say, in the order in which it is said |
//!
//! Beside a request that was answered, a refused one is answered with an error of its own, and refused notifications and answers
//! with one error without an id.
//!
//! A batch of a single request is resumed as that request would be. Of several, a client that is cut off resumes the call whose
//! event it saw last; what the others still had to say is lost to it.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{Stream, StreamExt};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::timeout;

use super::session::accepted;
use crate::body::{BoxError, ResponseBody, read_whole};
use crate::inner::Failure;
use crate::protocol::headers;
use crate::protocol::message::RequestId;
use crate::protocol::response::in_body;
use crate::protocol::sse::{self, Splitter};
use crate::rejection::{self, Rejection};
use crate::stream::event_stream;

/// Longest response that goes into a joint answer.
const LIMIT: usize = 4 << 20;
/// How often a comment proves the connection while nothing is said.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Outcome<E> = Result<Response<ResponseBody>, Failure<E>>;

/// What came of one message.
pub(super) enum Told<E> {
    /// The response, whatever it says.
    Response(Bytes),
    /// An event stream.
    Stream(Response<ResponseBody>),
    /// Anything that is no success.
    Refused(Response<ResponseBody>),
    /// The inner service failed.
    Failed(E),
}

impl<E> Told<E> {
    /// What a request was told.
    pub(super) async fn by(outcome: Outcome<E>, id: &RequestId) -> Self {
        match outcome {
            Ok(response) if !response.status().is_success() => Self::Refused(response),
            Ok(response) if headers::has_media_type(response.headers(), &headers::EVENT_STREAM) => {
                Self::Stream(response)
            }
            Ok(response) => match response_in(response, id).await {
                Some(message) => Self::Response(message),
                None => Self::Response(unreadable(id)),
            },
            Err(failure) => Self::failed(failure, Some(id)),
        }
    }

    fn failed(failure: Failure<E>, id: Option<&RequestId>) -> Self {
        match failure {
            Failure::Refused(rejection) => Self::Refused(rejection.answer(id)),
            Failure::Answered(response) => Self::Refused(*response),
            Failure::Inner(error) => Self::Failed(error),
        }
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::Response(_) | Self::Stream(_))
    }

    /// The response to a request that has no stream.
    async fn into_message(self, id: &RequestId) -> Bytes {
        match self {
            Self::Response(message) => message,
            Self::Stream(_) | Self::Failed(_) => rejection::broken_stream_message(id).into(),
            Self::Refused(response) => {
                let text = reason(&response);
                let own = response_in(response, id).await;
                own.unwrap_or_else(|| rejection::refused_in_batch_message(Some(id), &text).into())
            }
        }
    }
}

/// The response to a request in a plain answer.
async fn response_in(response: Response<ResponseBody>, id: &RequestId) -> Option<Bytes> {
    if headers::is_encoded(response.headers()) {
        return None;
    }
    in_body(id, read_whole(response.into_body(), LIMIT).await.ok()?)
}

fn unreadable(id: &RequestId) -> Bytes {
    rejection::refused_in_batch_message(Some(id), Rejection::InnerAnswerUnreadable.facts().2).into()
}

/// Why something was refused.
fn reason(refusal: &Response<ResponseBody>) -> String {
    match refusal.extensions().get::<Rejection>() {
        Some(rejection) => rejection.facts().2.to_owned(),
        None => format!("The server refused it with status {}", refusal.status().as_u16()),
    }
}

/// A request of a batch that was answered.
pub(super) struct Called<E> {
    /// Its position in the batch.
    pub(super) position: usize,
    pub(super) id: RequestId,
    pub(super) told: Told<E>,
}

impl<E: Send + 'static> Called<E> {
    /// What its client is told, event by event.
    fn events(self) -> BoxStream<'static, Bytes> {
        match self.told {
            Told::Stream(response) => events_in(response.into_body(), self.id).boxed(),
            told => stream::once(async move { sse::message(&told.into_message(&self.id).await) }).boxed(),
        }
    }
}

/// The events of a call's stream, each whole. Where the stream breaks, its call ends with an error and the others go on.
fn events_in(body: ResponseBody, id: RequestId) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((body, Splitter::default())), move |reading| {
        let broken = sse::message(rejection::broken_stream_message(&id).as_bytes());
        async move {
            let (mut body, mut splitter) = reading?;
            loop {
                if let Some(event) = splitter.next_message() {
                    return Some((event.raw, Some((body, splitter))));
                }
                match body.frame().await? {
                    Ok(frame) => splitter.push(frame.data_ref().map_or(&[], |data| data)),
                    Err(_) => return Some((broken, None)),
                }
            }
        }
    })
}

/// The calls of a batch under way, and what was told so far.
pub(super) struct Joint<E> {
    /// Messages in the batch.
    size: usize,
    calls: FuturesUnordered<BoxFuture<'static, Called<E>>>,
    called: Vec<Called<E>>,
    /// Notifications and answers that were refused, by their position.
    refused: Vec<(usize, Told<E>)>,
}

impl<E: Send + 'static> Joint<E> {
    /// For a batch of so many messages.
    pub(super) fn of(size: usize) -> Self {
        Self { size, calls: FuturesUnordered::new(), called: Vec::new(), refused: Vec::new() }
    }

    /// A request, which goes on while others are begun.
    pub(super) fn call(&mut self, call: BoxFuture<'static, Called<E>>) {
        self.calls.push(call);
    }

    /// A notification or an answer, waited for; the calls before it go on.
    pub(super) async fn word(&mut self, position: usize, word: impl Future<Output = Outcome<E>>) {
        let mut word = std::pin::pin!(word);
        let outcome = loop {
            tokio::select! {
                biased;
                Some(called) = self.calls.next() => self.called.push(called),
                outcome = &mut word => break outcome,
            }
        };
        match outcome {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => self.refused.push((position, Told::Refused(response))),
            Err(failure) => self.refused.push((position, Told::failed(failure, None))),
        }
    }

    /// The answer to all of it: see the table above. The client may want a stream in any case.
    pub(super) async fn answer(mut self, wants_stream: bool) -> Outcome<E> {
        if self.calls.is_empty() && self.called.is_empty() {
            return self.answer_words();
        }
        while let Some(called) = self.calls.next().await {
            self.called.push(called);
            if self.is_streaming(wants_stream) {
                break;
            }
        }
        self.called.sort_by_key(|called| called.position);
        if self.calls.is_empty() && !self.called.iter().any(|called| called.told.is_answer()) {
            let first = self.called.swap_remove(0);
            return match first.told {
                Told::Failed(error) => Err(Failure::Inner(error)),
                Told::Refused(response) | Told::Stream(response) => Ok(response),
                Told::Response(message) => Ok(json(message)),
            };
        }
        match self.is_streaming(wants_stream) {
            true => Ok(self.stream()),
            false => Ok(self.array().await),
        }
    }

    /// Whether somebody has to be told something that is no part of an array.
    fn is_streaming(&self, wants_stream: bool) -> bool {
        let mut told = self.called.iter().map(|called| &called.told);
        told.any(|told| matches!(told, Told::Stream(_)) || (told.is_answer() && wants_stream))
    }

    fn answer_words(mut self) -> Outcome<E> {
        if self.refused.is_empty() {
            return Ok(accepted());
        }
        let text = self.refusal();
        match self.refused.swap_remove(0).1 {
            Told::Failed(error) => Err(Failure::Inner(error)),
            Told::Refused(response) | Told::Stream(response) => Ok(match response.extensions().get::<Rejection>() {
                Some(rejection) => rejection.answer_saying(None, &text),
                None => response,
            }),
            Told::Response(message) => Ok(json(message)),
        }
    }

    /// What was refused of the notifications and answers, and why the first was.
    fn refusal(&self) -> String {
        let positions: Vec<String> = self.refused.iter().map(|(position, _)| (position + 1).to_string()).collect();
        let reason = match self.refused.first() {
            Some((_, Told::Refused(response))) => reason(response),
            _ => "The server failed over it".to_owned(),
        };
        format!("{reason}. Refused of this batch of {}: message {}", self.size, positions.join(", "))
    }

    /// The error that tells what was refused beside requests that were answered.
    fn refusal_message(&self) -> Option<Bytes> {
        let is_any = !self.refused.is_empty();
        is_any.then(|| rejection::refused_in_batch_message(None, &self.refusal()).into())
    }

    async fn array(self) -> Response<ResponseBody> {
        let refusal = self.refusal_message();
        let mut messages = Vec::with_capacity(self.called.len() + 1);
        for called in self.called {
            messages.push(called.told.into_message(&called.id).await);
        }
        messages.extend(refusal);
        json([&b"["[..], &messages.join(&b','), b"]"].concat().into())
    }

    fn stream(mut self) -> Response<ResponseBody> {
        let is_alone = self.calls.is_empty() && self.called.len() == 1 && self.refused.is_empty();
        if let Some(Called { told: Told::Stream(response), .. }) = self.called.pop_if(|_| is_alone) {
            return response;
        }
        let refusal = stream::iter(self.refusal_message()).map(|message| sse::message(&message));
        let said = stream::iter(self.called).chain(self.calls).flat_map_unordered(None, Called::events);
        let said = refusal.chain(said).boxed();
        let frames = stream::unfold(said, |mut said| async {
            let next = timeout(KEEP_ALIVE, said.next()).await;
            let bytes = next.unwrap_or(Some(sse::KEEP_ALIVE))?;
            Some((Ok::<_, BoxError>(Frame::data(bytes)), said))
        });
        event_stream(ResponseBody::stream(StreamBody::new(frames.boxed())))
    }
}

fn json(message: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(message));
    headers::make_json(response.headers_mut());
    response
}
