//! Which route a path is, exactly under the monitor's mount.

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
    /// `POST /api/access`
    Exchange,
    /// `GET /`
    Page,
    /// `GET /assets/*`, and what stands there after it
    Asset(String),
}

const SESSIONS: &str = "/api/mcp/sessions";

/// What of a path stands below the mount, with its slash; `None` for what is elsewhere. The mount alone is empty.
pub(super) fn below<'a>(mount: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(mount).filter(|below| below.is_empty() || below.starts_with('/'))
}

/// Finds the route of a path below the mount.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Refusal> {
    if let Some(below) = path.strip_prefix(SESSIONS) {
        return match below.strip_prefix('/') {
            Some(below) => below_sessions(method, below),
            None if below.is_empty() => get(method, Route::List),
            None => Err(Refusal::no_such_route()),
        };
    }
    if let Some(asset) = path.strip_prefix("/assets/") {
        return see(method, Route::Asset(asset.to_owned()));
    }
    match path {
        "/" => see(method, Route::Page),
        "/ws/sessions" => get(method, Route::WebSocket),
        "/sse/sessions" => get(method, Route::Sse),
        "/api/openapi.json" => get(method, Route::OpenApi),
        "/api/access" if *method == Method::POST => Ok(Route::Exchange),
        "/api/access" => Err(Refusal::method("POST")),
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

    fn found(mount: &str, method: &Method, path: &str) -> Option<Route> {
        below(mount, path).and_then(|path| find(method, path).ok())
    }

    #[test]
    fn routes_are_found_under_their_mount_and_nowhere_else() {
        let key = SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap();
        let sessions = |below: String| format!("/api/mcp/sessions{below}");
        let routes = [
            (Method::GET, sessions(String::new()), Route::List),
            (Method::GET, sessions("/health".to_owned()), Route::Health),
            (Method::GET, sessions("/events".to_owned()), Route::Poll),
            (Method::GET, sessions(format!("/{key}")), Route::Detail(key)),
            (Method::DELETE, sessions(format!("/{key}")), Route::Terminate(key)),
            (Method::POST, sessions(format!("/{key}/reconnect")), Route::Reconnect(key)),
            (Method::GET, sessions(format!("/{key}/token")), Route::Token(key)),
            (Method::GET, "/".to_owned(), Route::Page),
            (Method::HEAD, "/assets/x/app.js".to_owned(), Route::Asset("x/app.js".to_owned())),
            (Method::GET, "/ws/sessions".to_owned(), Route::WebSocket),
            (Method::GET, "/sse/sessions".to_owned(), Route::Sse),
            (Method::GET, "/api/openapi.json".to_owned(), Route::OpenApi),
            (Method::POST, "/api/access".to_owned(), Route::Exchange),
        ];
        let mounts = ["", "/monitor", "/a/b/api/mcp/sessions", "/api/mcp/sessions", "/monitorX"];
        for (method, path, route) in routes {
            for (mount, prefix) in mounts.iter().flat_map(|mount| mounts.map(|prefix| (mount, prefix))) {
                let expected = (*mount == prefix).then_some(&route);
                assert_eq!(
                    found(mount, &method, &format!("{prefix}{path}")).as_ref(),
                    expected,
                    "{mount} {prefix}{path}"
                );
            }
            let others = [format!("/{path}"), format!("/.{path}"), path.to_uppercase()];
            for other in others.iter().filter(|other| **other != path) {
                assert_eq!(found("", &method, other), None, "{other}");
            }
        }
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
            (Method::GET, "/open/api/mcp/sessions/health", 404),
            (Method::GET, "/open/", 404),
            (Method::GET, "", 404),
            (Method::POST, "/", 405),
            (Method::DELETE, "/assets/x/app.js", 405),
        ] {
            let refusal = find(&method, path).expect_err(path);
            assert_eq!(refusal.into_response().status(), status, "{method} {path}");
        }
    }
}
