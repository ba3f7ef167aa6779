//! rmcp's HTTP client, with an eye on what rmcp keeps to itself: the session's id, whether the GET stream is open, how
//! DELETE was answered, and whether anything was answered with 404.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use sse_stream::Sse;

type Headers = HashMap<HeaderName, HeaderValue>;
type Failure = StreamableHttpError<reqwest::Error>;

/// The client. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Noting {
    http: reqwest::Client,
    noted: Arc<Mutex<Noted>>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) session: Option<Arc<str>>,
    pub(super) is_listening: bool,
    /// A live session was answered with 404.
    pub(super) was_gone: bool,
    /// How the last DELETE went.
    pub(super) deleted: Option<Result<(), String>>,
}

impl Noting {
    pub(super) fn new(http: reqwest::Client) -> Self {
        Self { http, noted: Arc::default() }
    }

    pub(super) fn noted<T>(&self, look: impl FnOnce(&mut Noted) -> T) -> T {
        look(&mut self.noted.lock().unwrap())
    }

    /// Notes a 404.
    fn judged<T>(&self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        if outcome.as_ref().is_err_and(is_not_found) {
            self.noted(|noted| noted.was_gone = true);
        }
        outcome
    }
}

fn is_not_found(failure: &Failure) -> bool {
    match failure {
        StreamableHttpError::SessionExpired => true,
        StreamableHttpError::Client(error) => error.status().is_some_and(|status| status == 404),
        _ => false,
    }
}

impl StreamableHttpClient for Noting {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        if session.is_some() {
            self.noted(|noted| noted.session.clone_from(&session));
        }
        let posted = self.http.post_message_with_response_limits(uri, message, session, token, headers, limits);
        self.judged(posted.await)
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event_id: Option<String>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let opened = self.http.get_stream(uri, session, last_event_id, token, headers).await;
        self.noted(|noted| noted.is_listening |= opened.is_ok());
        self.judged(opened)
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<(), Failure> {
        let deleted = self.http.delete_session(uri, session, token, headers).await;
        let told = match &deleted {
            Ok(()) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        self.noted(|noted| noted.deleted = Some(told));
        deleted
    }
}
