//! Which route a path is, wherever the monitor is mounted.

use http::Method;

use super::answer::Refusal;
use crate::id::SessionKey;

/// A route of the monitor's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /api/mcp/sessions`
    List,
    /// `GET /api/mcp/sessions/health`
    Health,
    /// `GET /api/mcp/sessions/events`
    Poll,
    /// `GET /ws/sessions`
    WebSocket,
    /// `GET /sse/sessions`
    Sse,
    /// `GET /api/mcp/sessions/{key}`
    Detail(SessionKey),
    /// `DELETE /api/mcp/sessions/{key}`
    Terminate(SessionKey),
    /// `POST /api/mcp/sessions/{key}/reconnect`
    Reconnect(SessionKey),
    /// `GET /api/mcp/sessions/{key}/token`
    Token(SessionKey),
    /// `GET /api/openapi.json`
    OpenApi,
    /// `GET /`
    Page,
    /// `GET /assets/*`, and what stands there after it
    Asset(String),
}

const SESSIONS: &str = "/api/mcp/sessions";

/// Finds the route of a path; what stands before it is the mount.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Refusal> {
    if let Some((_, below)) = path.rsplit_once(SESSIONS) {
        return match below.strip_prefix('/') {
            Some(below) => below_sessions(method, below),
            None if below.is_empty() => get(method, Route::List),
            None => Err(Refusal::no_such_route()),
        };
    }
    if let Some((_, asset)) = path.rsplit_once("/assets/") {
        return see(method, Route::Asset(asset.to_owned()));
    }
    match path {
        path if path.ends_with('/') => see(method, Route::Page),
        path if path.ends_with("/ws/sessions") => get(method, Route::WebSocket),
        path if path.ends_with("/sse/sessions") => get(method, Route::Sse),
        path if path.ends_with("/api/openapi.json") => get(method, Route::OpenApi),
        _ => Err(Refusal::no_such_route()),
    }
}

fn below_sessions(method: &Method, below: &str) -> Result<Route, Refusal> {
    let (first, rest) = below.split_once('/').map_or((below, None), |(first, rest)| (first, Some(rest)));
    let key = || SessionKey::parse(first).ok_or_else(Refusal::no_such_session);
    match (first, rest) {
        ("health", None) => get(method, Route::Health),
        ("events", None) => get(method, Route::Poll),
        (_, None) => match *method {
            Method::GET => key().map(Route::Detail),
            Method::DELETE => key().map(Route::Terminate),
            _ => Err(Refusal::method("GET, DELETE")),
        },
        (_, Some("reconnect")) => match *method {
            Method::POST => key().map(Route::Reconnect),
            _ => Err(Refusal::method("POST")),
        },
        (_, Some("token")) => get(method, Route::Token(key()?)),
        (_, Some(_)) => Err(Refusal::no_such_route()),
    }
}

fn get(method: &Method, route: Route) -> Result<Route, Refusal> {
    if *method == Method::GET { Ok(route) } else { Err(Refusal::method("GET")) }
}

/// As a browser does, which may ask for the head alone.
fn see(method: &Method, route: Route) -> Result<Route, Refusal> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(route) } else { Err(Refusal::method("GET, HEAD")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_under_any_mount() {
        let key = SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap();
        for mount in ["", "/monitor", "/a/b/api/mcp/sessions"] {
            let route = |method, path: &str| find(&method, &format!("{mount}{path}")).ok();
            assert_eq!(route(Method::GET, "/api/mcp/sessions"), Some(Route::List), "{mount}");
            assert_eq!(route(Method::GET, "/api/mcp/sessions/health"), Some(Route::Health));
            assert_eq!(route(Method::GET, "/api/mcp/sessions/events"), Some(Route::Poll));
            assert_eq!(route(Method::GET, &format!("/api/mcp/sessions/{key}")), Some(Route::Detail(key)));
            assert_eq!(route(Method::DELETE, &format!("/api/mcp/sessions/{key}")), Some(Route::Terminate(key)));
            assert_eq!(route(Method::POST, &format!("/api/mcp/sessions/{key}/reconnect")), Some(Route::Reconnect(key)));
            assert_eq!(route(Method::GET, &format!("/api/mcp/sessions/{key}/token")), Some(Route::Token(key)));
        }
        for mount in ["", "/monitor"] {
            assert_eq!(find(&Method::GET, &format!("{mount}/")).ok(), Some(Route::Page));
            let asset = find(&Method::HEAD, &format!("{mount}/assets/x/app.js")).ok();
            assert_eq!(asset, Some(Route::Asset("x/app.js".to_owned())));
        }
        assert_eq!(find(&Method::GET, "/monitor/ws/sessions").ok(), Some(Route::WebSocket));
        assert_eq!(find(&Method::GET, "/sse/sessions").ok(), Some(Route::Sse));
    }

    #[test]
    fn everything_else_is_refused_with_a_status_that_fits() {
        for (method, path, status) in [
            (Method::GET, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/reconnect", 405),
            (Method::POST, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/token", 405),
            (Method::POST, "/api/mcp/sessions/health", 405),
            (Method::PUT, "/api/mcp/sessions", 405),
            (Method::GET, "/api/mcp/sessions/short/token", 404),
            (Method::GET, "/api/mcp/sessions/short", 404),
            (Method::GET, "/api/mcp/sessionsX", 404),
            (Method::GET, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/other", 404),
            (Method::GET, "/nothing", 404),
            (Method::POST, "/", 405),
            (Method::DELETE, "/assets/x/app.js", 405),
        ] {
            let refusal = find(&method, path).expect_err(path);
            assert_eq!(refusal.into_response().status(), status, "{method} {path}");
        }
    }
}
