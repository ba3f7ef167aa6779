//! *Why a 403?* The lists of hosts and origins a server answers to: the guard against DNS rebinding.
//!
//! MCP requires every server to validate `Origin` (2025-11-25, Transports, Security Warning). A browser always sends
//! `Host`, and `Origin` on every cross-site request; a page on `evil.example` whose name was rebound to 127.0.0.1 sends its
//! own name in both. Loopback hosts are always answered. Loopback origins are accepted until a host or an origin is named: a server
//! with a name is no longer a laptop's own, and a page on `http://localhost` there is a page on its visitor's machine.
//!
//! A page of this server's own has this server's own host in its `Origin`, and is let in without being listed: the host it
//! was asked for is on the list of hosts by then, and no page can send another's name there. So a proxy that ends TLS needs
//! [`allow_host`](crate::SessionLayerBuilder::allow_host) only. Where any host is answered nothing is known of a name that is not
//! listed, and origins on it are judged by their list alone.

use std::net::{IpAddr, Ipv6Addr};

use http::header;
use http::request::Parts;

use crate::protocol::headers::{Single, single};
use crate::rejection::Rejection;

/// Which `Host` and `Origin` headers are accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginPolicy {
    hosts: Vec<HostEntry>,
    origins: Vec<OriginEntry>,
    any_host: bool,
}

/// Whether a request is for a loopback name.
#[cfg(feature = "monitor")]
pub(crate) fn is_loopback_host(parts: &Parts) -> bool {
    let host = match (single(&parts.headers, &header::HOST), parts.uri.authority()) {
        (Single::One(value), _) => value.to_str().ok(),
        (Single::Absent, authority) => authority.map(http::uri::Authority::as_str),
        (Single::Several, _) => None,
    };
    host.and_then(Host::parse).is_some_and(|host| host.is_loopback())
}

impl OriginPolicy {
    /// Accepts one more host; see [`Host::parse`].
    pub(crate) fn allow_host(&mut self, host: &str) -> Result<(), String> {
        let no_host = || format!("{host:?} is no host: write `name`, `name:port` or `[::1]:port`");
        self.hosts.push(Host::parse(host).ok_or_else(no_host)?.into());
        Ok(())
    }

    /// Accepts one more origin; see [`Origin::parse`].
    pub(crate) fn allow_origin(&mut self, origin: &str) -> Result<(), String> {
        let no_origin =
            || format!("{origin:?} is no origin: write `https://name`, `https://name:port` or `scheme://name`");
        self.origins.push(Origin::parse(origin).ok_or_else(no_origin)?.into());
        Ok(())
    }

    pub(crate) fn allow_any_host(&mut self) {
        self.any_host = true;
    }

    /// The whole decision, from the request's head alone.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Rejection> {
        let host = self.check_host(parts)?;
        self.check_origin(parts, host)
    }

    /// Whether a page of the request's `Origin` may ask, whatever else is wrong with the request.
    pub(crate) fn allows_origin(&self, parts: &Parts) -> bool {
        let host = self.check_host(parts).ok().flatten();
        self.check_origin(parts, host).is_ok()
    }

    /// The host that was asked for, if it is a known one: `None` where any is answered.
    fn check_host<'a>(&self, parts: &'a Parts) -> Result<Option<Host<'a>>, Rejection> {
        let named = match (single(&parts.headers, &header::HOST), parts.uri.authority()) {
            (Single::One(value), _) => value.to_str().ok().and_then(Host::parse),
            (Single::Absent, Some(authority)) => Host::parse(authority.as_str()),
            (Single::Absent, None) | (Single::Several, _) => None,
        };
        match named {
            Some(host) if host.is_loopback() || self.hosts.iter().any(|entry| entry.covers(&host)) => Ok(Some(host)),
            Some(_) | None if self.any_host => Ok(None),
            Some(_) | None => Err(Rejection::ForeignHost),
        }
    }

    fn check_origin(&self, parts: &Parts, host: Option<Host<'_>>) -> Result<(), Rejection> {
        let origin = match single(&parts.headers, &header::ORIGIN) {
            Single::Absent => return Ok(()),
            Single::One(value) => value.to_str().ok().and_then(Origin::parse),
            Single::Several => None,
        };
        match origin {
            Some(origin) if self.origins.iter().any(|entry| entry.is(&origin)) => Ok(()),
            Some(origin) if origin.is_web_loopback() && !self.is_named() => Ok(()),
            Some(origin) if host.is_some_and(|host| origin.is_of(&host)) => Ok(()),
            Some(_) | None => Err(Rejection::ForeignOrigin),
        }
    }

    /// The hosts that are answered, for the log.
    pub(crate) fn hosts_taken(&self) -> String {
        if self.any_host {
            return "any".to_owned();
        }
        let named = self.hosts.iter().map(|HostEntry { name, port }| written(name, *port));
        std::iter::once("loopback names".to_owned()).chain(named).collect::<Vec<_>>().join(", ")
    }

    /// The origins that are accepted, for the log.
    pub(crate) fn origins_taken(&self) -> String {
        let loopback = (!self.is_named()).then(|| "loopback origins".to_owned());
        let own = (!self.any_host).then(|| "pages of the host that was asked".to_owned());
        let named = self.origins.iter();
        let named = named.map(|OriginEntry { scheme, name, port }| format!("{scheme}://{}", written(name, *port)));
        own.into_iter().chain(loopback).chain(named).collect::<Vec<_>>().join(", ")
    }

    /// Whether somebody said whom this server is for.
    fn is_named(&self) -> bool {
        self.any_host || !self.hosts.is_empty() || !self.origins.is_empty()
    }
}

/// A host name or address as somebody wrote it, and the port if one stands there.
#[derive(Clone, Copy)]
struct Host<'a> {
    /// An IPv6 address without its brackets.
    name: &'a str,
    port: Option<u16>,
}

impl<'a> Host<'a> {
    /// Reads `name`, `name:port`, `1.2.3.4`, `[::1]:port`. No user info, no trailing dot, no empty port, no path.
    fn parse(text: &'a str) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (address, rest) = bracketed.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (address, rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
                (name.bytes().all(plain) && !name.is_empty() && !name.ends_with('.')).then_some((name, rest))?
            }
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|c| c.is_ascii_digit()) => Some(digits.parse().ok()?),
            None if rest.is_empty() => None,
            Some(_) | None => return None,
        };
        Some(Self { name, port })
    }

    fn is_loopback(&self) -> bool {
        self.name.eq_ignore_ascii_case("localhost")
            || self.name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// A host as it stands in a URL.
fn written(name: &str, port: Option<u16>) -> String {
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
}

/// A host to allow; without a port it covers every port.
#[derive(Clone, Debug)]
struct HostEntry {
    name: String,
    port: Option<u16>,
}

impl HostEntry {
    fn covers(&self, host: &Host<'_>) -> bool {
        self.name.eq_ignore_ascii_case(host.name) && (self.port.is_none() || self.port == host.port)
    }
}

impl From<Host<'_>> for HostEntry {
    fn from(host: Host<'_>) -> Self {
        Self { name: host.name.to_owned(), port: host.port }
    }
}

/// An origin (RFC 6454): scheme, host and port. The port of http and https may be left out or written; other schemes, such as
/// `chrome-extension` or `vscode-webview`, have none of their own.
#[derive(Clone, Copy)]
struct Origin<'a> {
    scheme: &'a str,
    host: Host<'a>,
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// Reads `scheme://host` and `scheme://host:port`; not `null`, which is anybody's.
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(plain);
        let host = Host::parse(authority).filter(|_| is_scheme)?;
        Some(Self { scheme, host, port: host.port.or_else(|| port_of(scheme)) })
    }

    /// A page that a web server on its visitor's machine has served.
    fn is_web_loopback(&self) -> bool {
        port_of(self.scheme).is_some() && self.host.is_loopback()
    }

    /// Whether a page of this origin was loaded from this host; the scheme's own port may be left out on either side. The
    /// scheme itself is not told by a request that comes through a proxy.
    fn is_of(&self, host: &Host<'_>) -> bool {
        let Some(own) = port_of(self.scheme) else { return false };
        self.port == Some(host.port.unwrap_or(own)) && self.host.name.eq_ignore_ascii_case(host.name)
    }
}

/// The port of a web scheme; other schemes are no web server's.
fn port_of(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ => None,
    }
}

/// An origin to allow.
#[derive(Clone, Debug)]
struct OriginEntry {
    scheme: String,
    name: String,
    port: Option<u16>,
}

impl OriginEntry {
    fn is(&self, origin: &Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(origin.scheme)
            && self.port == origin.port
            && self.name.eq_ignore_ascii_case(origin.host.name)
    }
}

impl From<Origin<'_>> for OriginEntry {
    fn from(origin: Origin<'_>) -> Self {
        Self { scheme: origin.scheme.to_owned(), name: origin.host.name.to_owned(), port: origin.port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn policy() -> OriginPolicy {
        let mut policy = OriginPolicy::default();
        policy.allow_host("mcp.example.com").unwrap();
        policy.allow_host("pinned.example.com:8443").unwrap();
        policy.allow_origin("https://app.example.com").unwrap();
        policy
    }

    fn verdict(headers: &[(&'static str, &str)]) -> Result<(), Rejection> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        policy().check(&request.into_parts().0)
    }

    #[test]
    fn hosts_are_judged_by_name_and_port() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.8.9.1",
            "[::1]",
            "[::1]:9000",
            "mcp.example.com",
            "MCP.example.COM:443",
            "pinned.example.com:8443",
        ] {
            assert_eq!(verdict(&[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.com",
            "localhost.",
            "user@localhost",
            "localhost:",
            "localhost:99999",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "[::2]",
            "::1",
            "pinned.example.com",
            "pinned.example.com:80",
            "mcp.example.com.",
            "localhost/x",
            "localhost evil",
            "localhost,evil.com",
        ] {
            assert_eq!(verdict(&[("host", host)]), Err(Rejection::ForeignHost), "{host}");
        }
        assert_eq!(verdict(&[]), Err(Rejection::ForeignHost));
        assert_eq!(verdict(&[("host", "localhost"), ("host", "localhost")]), Err(Rejection::ForeignHost));
    }

    #[test]
    fn what_is_taken_is_told() {
        let mut policy = OriginPolicy::default();
        assert_eq!(policy.hosts_taken(), "loopback names");
        assert_eq!(policy.origins_taken(), "pages of the host that was asked, loopback origins");
        policy.allow_host("mcp.example.com").unwrap();
        policy.allow_host("[2001:db8::1]:8443").unwrap();
        policy.allow_origin("https://app.example.com").unwrap();
        assert_eq!(policy.hosts_taken(), "loopback names, mcp.example.com, [2001:db8::1]:8443");
        let origins = "pages of the host that was asked, https://app.example.com:443";
        assert_eq!(policy.origins_taken(), origins);
        policy.allow_any_host();
        assert_eq!(
            (policy.hosts_taken(), policy.origins_taken()),
            ("any".into(), "https://app.example.com:443".into())
        );
    }

    #[test]
    fn origins_are_judged_by_scheme_host_and_port() {
        let origin = |value| verdict(&[("host", "localhost"), ("origin", value)]);
        for value in ["https://app.example.com", "https://app.example.com:443", "HTTPS://APP.example.com"] {
            assert_eq!(origin(value), Ok(()), "{value}");
        }
        for value in [
            "null",
            "",
            "http://localhost:3000",
            "chrome-extension://app.example.com",
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.com",
            "http://localhost.evil.com",
            "http://localhost@evil.com",
            "https://user@app.example.com",
            "file://localhost",
            "https://app.example.com.",
            "localhost",
            "https://app.example.com/path",
            "https://app.example.com https://x",
        ] {
            assert_eq!(origin(value), Err(Rejection::ForeignOrigin), "{value}");
        }
        let doubled = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")];
        assert_eq!(verdict(&doubled), Err(Rejection::ForeignOrigin));
    }

    #[test]
    fn loopback_origins_count_until_a_host_or_an_origin_is_named() {
        let mut named = [(); 4].map(|()| OriginPolicy::default());
        named[1].allow_host("mcp.example.com").unwrap();
        named[2].allow_origin("https://app.example.com").unwrap();
        named[3].allow_any_host();
        let verdict = |policy: &OriginPolicy, host: &str, origin: &str| {
            let request = Request::builder().header("host", host).header("origin", origin).body(()).unwrap();
            policy.check(&request.into_parts().0)
        };
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5"] {
            assert_eq!(verdict(&named[0], "localhost", origin), Ok(()), "{origin}");
            for policy in &named[1..] {
                assert_eq!(verdict(policy, "localhost", origin), Err(Rejection::ForeignOrigin), "{origin}");
            }
        }
        for policy in &named[..3] {
            assert_eq!(verdict(policy, "localhost:9000", "http://localhost:9000"), Ok(()), "a page of its own");
        }
        let again = |policy: &mut OriginPolicy| policy.allow_origin("http://localhost:3000");
        again(&mut named[1]).unwrap();
        assert_eq!(verdict(&named[1], "mcp.example.com", "http://localhost:3000"), Ok(()), "named, it counts");
        assert_eq!(verdict(&named[0], "localhost", "chrome-extension://localhost"), Err(Rejection::ForeignOrigin));
    }

    #[test]
    fn an_origin_is_allowed_whatever_the_host() {
        let allows = |headers: &[(&'static str, &str)]| {
            let mut request = Request::new(());
            for (name, value) in headers {
                request.headers_mut().append(*name, value.parse().unwrap());
            }
            policy().allows_origin(&request.into_parts().0)
        };
        let app = ("origin", "https://app.example.com");
        assert!(allows(&[("host", "localhost"), app]));
        assert!(allows(&[("host", "evil.example"), app]), "a page may read why it is refused");
        assert!(allows(&[app]));
        assert!(allows(&[("host", "localhost")]), "no page asks");
        assert!(allows(&[("host", "mcp.example.com"), ("origin", "https://mcp.example.com")]), "a page of its own");
        assert!(
            !allows(&[("host", "evil.example"), ("origin", "https://evil.example")]),
            "of no host of this server's"
        );
        assert!(!allows(&[("host", "localhost"), ("origin", "https://evil.example")]));
        assert!(!allows(&[("host", "localhost"), app, app]));
    }

    #[test]
    fn an_origin_may_have_any_scheme() {
        let extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
        let webview = "vscode-webview://0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f90";
        let mut policy = OriginPolicy::default();
        for origin in [extension, webview, "tauri://localhost", "capacitor+x.1://localhost:8080"] {
            policy.allow_origin(origin).unwrap();
        }
        let verdict = |origin: &str| {
            let request = Request::builder().header("host", "localhost").header("origin", origin).body(()).unwrap();
            policy.check(&request.into_parts().0)
        };
        for origin in [extension, webview, "tauri://localhost", "TAURI://LOCALHOST", "capacitor+x.1://localhost:8080"] {
            assert_eq!(verdict(origin), Ok(()), "{origin}");
        }
        for origin in [
            "chrome-extension://abcdefghijklmnopabcdefghijklmnoq",
            "moz-extension://abcdefghijklmnopabcdefghijklmnop",
            "tauri://localhost:1",
            "capacitor+x.1://localhost",
            "http://localhost:3000",
            "null",
        ] {
            assert_eq!(verdict(origin), Err(Rejection::ForeignOrigin), "{origin}");
        }
        for no_origin in
            ["null", "*", "://x", "1a://x", "a b://x", "chrome-extension://", "file://", "x:y", "tauri://a/b"]
        {
            assert!(policy.allow_origin(no_origin).is_err(), "{no_origin}");
        }
    }

    #[test]
    fn a_page_of_this_server_s_own_needs_no_listing() {
        let of = |host, origin| verdict(&[("host", host), ("origin", origin)]);
        for (host, origin) in [
            ("mcp.example.com", "https://mcp.example.com"),
            ("mcp.example.com", "https://MCP.example.com:443"),
            ("mcp.example.com:443", "https://mcp.example.com"),
            ("mcp.example.com", "http://mcp.example.com"),
            ("mcp.example.com:8443", "https://mcp.example.com:8443"),
            ("pinned.example.com:8443", "https://pinned.example.com:8443"),
        ] {
            assert_eq!(of(host, origin), Ok(()), "{origin} on {host}");
        }
        for (host, origin) in [
            ("mcp.example.com", "https://mcp.example.com:8443"),
            ("mcp.example.com:8443", "https://mcp.example.com"),
            ("mcp.example.com:443", "http://mcp.example.com"),
            ("mcp.example.com", "https://pinned.example.com:8443"),
            ("mcp.example.com", "https://evil.example"),
            ("mcp.example.com", "https://mcp.example.com.evil.example"),
            ("localhost", "https://mcp.example.com"),
        ] {
            assert_eq!(of(host, origin), Err(Rejection::ForeignOrigin), "{origin} on {host}");
        }
        // A name that was rebound is stopped at the list of hosts.
        assert_eq!(of("evil.example", "http://evil.example"), Err(Rejection::ForeignHost));
    }

    #[test]
    fn where_any_host_is_answered_its_name_proves_nothing() {
        let mut policy = policy();
        policy.allow_any_host();
        let verdict = |host: &str, origin: &str| {
            let request = Request::builder().header("host", host).header("origin", origin).body(()).unwrap();
            policy.check(&request.into_parts().0)
        };
        assert_eq!(verdict("evil.example", "http://evil.example"), Err(Rejection::ForeignOrigin));
        assert_eq!(verdict("mcp.example.com", "https://mcp.example.com"), Ok(()));
    }

    #[test]
    fn a_list_refuses_what_is_no_host_or_origin() {
        let mut policy = OriginPolicy::default();
        assert!(policy.allow_host("https://x").is_err());
        assert!(policy.allow_origin("app.example.com").is_err());
    }
}
