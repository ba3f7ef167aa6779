//! What an inner service's answer to a GET means.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, header};

use crate::body::ResponseBody;
use crate::engine::backoff;
use crate::engine::inner_stream::is_event_stream;

/// An answer to a GET of an event stream. None of them says that the session is over.
pub(crate) enum GetAnswer {
    /// A stream of what the inner service says by itself.
    Stream(Response<ResponseBody>),
    /// There is no such stream, and there never will be one.
    NoStream,
    /// A 404: no such stream, or no such session. A ping tells.
    NotFound,
    /// Not with these credentials.
    Refused(Response<ResponseBody>),
    /// Not now: busy, failed, or still serving a stream whose reader is gone.
    Later {
        /// When to ask again, if it says so.
        after: Option<Duration>,
        /// It may go on after the last event; if not, it did not want this request as it was.
        resumable: bool,
    },
}

impl GetAnswer {
    /// The inner service failed to answer.
    pub(crate) const FAILED: Self = Self::Later { after: None, resumable: true };

    pub(crate) fn of(answer: Response<ResponseBody>) -> Self {
        use StatusCode as S;
        match answer.status() {
            _ if is_event_stream(&answer) => Self::Stream(answer),
            S::METHOD_NOT_ALLOWED | S::NOT_IMPLEMENTED => Self::NoStream,
            S::NOT_FOUND => Self::NotFound,
            S::UNAUTHORIZED | S::FORBIDDEN => Self::Refused(answer),
            status => Self::Later {
                after: retry_after(answer.headers()),
                resumable: status.is_server_error() || status == S::TOO_MANY_REQUESTS,
            },
        }
    }
}

/// Seconds of a `Retry-After`, as far as anybody should wait. A date is not read: clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(backoff::LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, media: &'static str, retry_after: Option<&'static str>) -> GetAnswer {
        let mut answer = Response::builder().status(status).header(header::CONTENT_TYPE, media);
        if let Some(retry_after) = retry_after {
            answer = answer.header(header::RETRY_AFTER, retry_after);
        }
        GetAnswer::of(answer.body(ResponseBody::whole("")).unwrap())
    }

    #[test]
    fn every_answer_to_a_get_has_its_meaning() {
        assert!(matches!(answer(200, "text/event-stream; charset=utf-8", None), GetAnswer::Stream(_)));
        for status in [405, 501] {
            assert!(matches!(answer(status, "application/json", None), GetAnswer::NoStream), "{status}");
        }
        assert!(matches!(answer(404, "text/plain", None), GetAnswer::NotFound));
        for status in [401, 403] {
            assert!(matches!(answer(status, "text/event-stream", None), GetAnswer::Refused(_)), "{status}");
        }
        for (status, media) in [(200, "text/plain"), (204, ""), (400, "text/plain"), (409, "application/json")] {
            assert!(matches!(answer(status, media, None), GetAnswer::Later { after: None, resumable: false }));
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(matches!(answer(status, "", None), GetAnswer::Later { after: None, resumable: true }), "{status}");
        }
    }

    #[test]
    fn a_server_may_say_when_to_come_back_within_reason() {
        for (said, heard) in
            [("1", Some(1)), ("86400", Some(60)), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("-1", None)]
        {
            let GetAnswer::Later { after, .. } = answer(429, "", Some(said)) else { panic!("{said}") };
            assert_eq!(after, heard.map(Duration::from_secs), "{said}");
        }
    }
}
