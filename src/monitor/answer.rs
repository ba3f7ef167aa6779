//! What the monitor says: JSON, never kept by a cache; a refusal tells the person what to do.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Uri, header};
use serde::Serialize;

use crate::body::ResponseBody;
use crate::outcome::ReconnectOutcome;
use crate::protocol::headers;
use crate::rejection::Rejection;
use crate::store::StoreError;
use crate::telemetry::metrics;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<ResponseBody> {
    let mut response = written(serde_json::to_string(value).expect("what is answered is plain data"));
    *response.status_mut() = status;
    response
}

/// The same, of what is written already.
pub(crate) fn written(json: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(json));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, headers::JSON);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// To the same path with a slash at its end.
pub(crate) fn moved_to_directory(uri: &Uri) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(""));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    // Relative to the path's own directory: a proxy in front may have taken off what stands before.
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    // A path may hold bytes that no header does.
    if let Ok(location) = HeaderValue::from_str(&format!("{last}/{query}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// An answer under its tag; the tag alone (304) if the asker has it already.
pub(crate) fn tagged(
    parts: &Parts,
    name: &str,
    answer: impl FnOnce() -> Response<ResponseBody>,
) -> Response<ResponseBody> {
    let tag = HeaderValue::from_str(&format!("\"{name}\"")).expect("a tag is visible ASCII");
    let mut response = match asks_for(parts, &tag) {
        true => answer(),
        false => {
            let mut unchanged = Response::new(ResponseBody::whole(""));
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        }
    };
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// Whether the asker does not have what is tagged so already.
fn asks_for(parts: &Parts, tag: &HeaderValue) -> bool {
    let known = parts.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    !tags.any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}

/// Why the monitor refuses.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: Cow<'static, str>,
    outcome: Option<ReconnectOutcome>,
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) const fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, text: Cow::Borrowed(text), outcome: None, header: None }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) const fn no_such_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing here; the API begins at api/mcp/sessions")
    }

    /// Unknown, ended and somebody else's are the same.
    pub(crate) const fn no_such_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "No session by this name; it may have ended")
    }

    pub(crate) const fn bad_request(text: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// Nobody was let in, or not to this.
    pub(crate) const fn no_access(text: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// A WebSocket that comes over a connection which cannot be upgraded, or does not ask for it.
    pub(crate) fn no_upgrade() -> Self {
        let refusal = Self::new(
            StatusCode::UPGRADE_REQUIRED,
            "This is a WebSocket: ask for an upgrade, over HTTP/1.1 and through proxies that pass it on; or use sse/sessions",
        );
        Self { header: Some((header::UPGRADE, HeaderValue::from_static("websocket"))), ..refusal }
    }

    /// As many watch this replica as may.
    pub(crate) fn no_seat() -> Self {
        let refusal =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "Too many watch this replica; try again, or another replica");
        Self { header: Some((header::RETRY_AFTER, HeaderValue::from_static("5"))), ..refusal }
    }

    /// The store cannot say.
    #[expect(clippy::needless_pass_by_value, reason = "it is what map_err calls")]
    pub(crate) fn store_away(error: StoreError) -> Self {
        metrics::store_failed("monitor");
        tracing::warn!(%error, "the session store failed; the monitor answers 503");
        Rejection::StoreUnavailable.into()
    }

    pub(crate) const fn no_reconnect() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "This server gives no reconnect tokens; its operator can with SessionLayer::builder(…).reconnect(keys)",
        )
    }

    pub(crate) fn method(allowed: &'static str) -> Self {
        let refusal =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "This route takes another method; see the Allow header");
        Self { header: Some((header::ALLOW, HeaderValue::from_static(allowed))), ..refusal }
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        #[derive(Serialize)]
        struct Told {
            success: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            outcome: Option<ReconnectOutcome>,
            error: Cow<'static, str>,
        }
        let told = Told { success: false, outcome: self.outcome, error: self.text };
        let mut response = json(self.status, &told);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<Rejection> for Refusal {
    /// As at the MCP endpoint; but a token that is no good is a 401 here, where no OAuth flow begins with it.
    fn from(rejection: Rejection) -> Self {
        let (status, _, text) = rejection.facts();
        let outcome = rejection.outcome();
        let is_credential = outcome.is_some() && status == StatusCode::FORBIDDEN;
        let header = rejection.retry_after().map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
        let status = if is_credential { StatusCode::UNAUTHORIZED } else { status };
        Self { status, text: Cow::Borrowed(text), outcome, header }
    }
}

impl From<Box<crate::refusal::Refusal>> for Refusal {
    /// As at the MCP endpoint.
    fn from(refusal: Box<crate::refusal::Refusal>) -> Self {
        let (status, text, challenge) = refusal.into_parts();
        let header = challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge));
        Self { status, text, outcome: None, header }
    }
}
