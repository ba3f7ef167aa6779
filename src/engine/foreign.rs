//! What an operator is told of requests that were refused for where they come from: what arrived, and what would be taken. Anybody
//! can send such requests, so it is told now and then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Uri};
use tokio::time::Instant;

use crate::engine::Engine;
use crate::inner::InnerHead;
use crate::rejection::Rejection;
use crate::telemetry::text::escaped;

/// Longest text of a stranger's that is logged.
const SHOWN: usize = 200;

/// What was said lately. In any minute nothing is said twice, and no more than ten things of a kind.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<Vec<(Kind, String, Instant)>>);

/// What is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Origin,
    Inner,
}

impl Seldom {
    const MINUTE: Duration = Duration::from_secs(60);
    const MOST: usize = 10;

    /// Whether it is time to say this.
    fn may_say(&self, kind: Kind, what: String, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(.., when)| now.saturating_duration_since(*when) < Self::MINUTE);
        let mut of_kind = said.iter().filter(|(other, ..)| *other == kind);
        if of_kind.clone().count() >= Self::MOST || of_kind.any(|(_, other, _)| *other == what) {
            return false;
        }
        said.push((kind, what, now));
        true
    }
}

impl Engine {
    /// Whether a request is for this server, and from no page that must not use it. Refusals are logged.
    ///
    /// # Errors
    ///
    /// [`Rejection::ForeignHost`], [`Rejection::ForeignOrigin`].
    pub(crate) fn check_origin(&self, parts: &Parts) -> Result<(), Rejection> {
        self.config.origins.check(parts).inspect_err(|rejection| self.tell_of_foreign(*rejection, parts))
    }

    fn tell_of_foreign(&self, rejection: Rejection, parts: &Parts) {
        let [host, origin] = [HOST, ORIGIN].map(|name| arrived(&parts.headers, &parts.uri, &name));
        let policy = &self.config.origins;
        match rejection {
            Rejection::ForeignHost if self.seldom.may_say(Kind::Host, host.clone(), Instant::now()) => tracing::warn!(
                host,
                taken = policy.hosts_taken(),
                "403: this Host is not one of this server's; allow_host(…) adds it, or make the proxy in front pass on the name that clients use"
            ),
            Rejection::ForeignOrigin
                if self.seldom.may_say(Kind::Origin, format!("{origin} {host}"), Instant::now()) =>
            {
                tracing::warn!(
                    origin,
                    host,
                    taken = policy.origins_taken(),
                    "403: this Origin may not use this server; allow_origin(…) adds it, and a page of the server's own is let in if the Host that arrives has the page's name and port"
                );
            }
            _ => {}
        }
    }

    /// The inner service has refused an `initialize` with 403 that was let in here.
    pub(crate) fn tell_of_inner_refusal(&self, head: &InnerHead) {
        let [host, origin] = [HOST, ORIGIN].map(|name| arrived(head.headers(), head.uri(), &name));
        if self.seldom.may_say(Kind::Inner, format!("{host} {origin}"), Instant::now()) {
            tracing::warn!(
                host,
                origin,
                "the inner service refused an initialize with 403 that the session layer had let in; rmcp checks Host and Origin itself: \
                 StreamableHttpServerConfig::disable_allowed_hosts() leaves that to the layer, with_allowed_hosts(…) names them there too"
            );
        }
    }
}

/// What a header says, as it may be logged; of a request without `Host`, what its URI names.
fn arrived(headers: &HeaderMap, uri: &Uri, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut said = values.collect::<Vec<_>>().join(", ");
    if said.is_empty()
        && *name == HOST
        && let Some(authority) = uri.authority()
    {
        said = authority.as_str().to_owned();
    }
    match said.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", escaped(&said[..end])),
        None => escaped(&said).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_of_seldom_and_the_same_thing_once() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let at =
            |seconds, what: &str| seldom.may_say(Kind::Host, what.to_owned(), start + Duration::from_secs(seconds));
        assert_eq!([at(0, "a"), at(1, "a"), at(59, "a"), at(60, "a")], [true, false, false, true]);
        let told = (0..10_000).filter(|n| at(61, &n.to_string())).count();
        assert_eq!(told, 9, "ten a minute, with the one before");
        assert!(!at(62, "b"));
        assert!(seldom.may_say(Kind::Origin, "b".to_owned(), start + Duration::from_secs(62)), "of another kind");
        assert!(at(200, "b"));
    }

    #[test]
    fn what_arrived_is_shown_escaped_whole_and_not_too_long() {
        let of = |headers: &[(HeaderName, &[u8])]| {
            let mut request = http::Request::new(());
            *request.uri_mut() = "http://in.the.uri:8080/mcp".parse().unwrap();
            for (name, value) in headers {
                request.headers_mut().append(name, http::HeaderValue::from_bytes(value).unwrap());
            }
            arrived(request.headers(), request.uri(), &HOST)
        };
        assert_eq!(of(&[(HOST, b"one.example"), (HOST, b"two.example")]), "one.example, two.example");
        assert_eq!(of(&[]), "in.the.uri:8080");
        assert_eq!(of(&[(HOST, "a\u{202e}b\u{9b}".as_bytes())]), "a\\u{202e}b\\u{9b}");
        assert_eq!(of(&[(HOST, &[0xff])]), "\u{fffd}");
        assert_eq!(of(&[(HOST, &[b'x'; 5000])]), format!("{}…", "x".repeat(SHOWN)));
    }
}
