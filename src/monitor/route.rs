//! Which route a path is, wherever the monitor is mounted.

use http::Method;

use super::answer::Refusal;
use crate::id::SessionKey;

/// A route of the monitor's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `POST /api/mcp/sessions/{key}/reconnect`
    Reconnect(SessionKey),
    /// `GET /api/mcp/sessions/{key}/token`
    Token(SessionKey),
}

const SESSIONS: &str = "/api/mcp/sessions/";

/// Finds the route of a path; what stands before it is the mount.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Refusal> {
    let (_, below) = path.rsplit_once(SESSIONS).ok_or_else(Refusal::no_such_route)?;
    let (key, what) = below.split_once('/').ok_or_else(Refusal::no_such_route)?;
    let key = SessionKey::parse(key).ok_or_else(Refusal::no_such_session);
    match (what, method) {
        ("reconnect", &Method::POST) => key.map(Route::Reconnect),
        ("reconnect", _) => Err(Refusal::method("POST")),
        ("token", &Method::GET) => key.map(Route::Token),
        ("token", _) => Err(Refusal::method("GET")),
        _ => Err(Refusal::no_such_route()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_under_any_mount() {
        let key = SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap();
        for mount in ["", "/monitor", "/a/b/api/mcp/sessions"] {
            let path = format!("{mount}/api/mcp/sessions/{key}/reconnect");
            assert_eq!(find(&Method::POST, &path).ok(), Some(Route::Reconnect(key)), "{path}");
        }
        for (method, path, status) in [
            (Method::GET, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/reconnect", 405),
            (Method::POST, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/token", 405),
            (Method::GET, "/api/mcp/sessions/short/token", 404),
            (Method::GET, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/other", 404),
            (Method::GET, "/", 404),
        ] {
            let refusal = find(&method, path).expect_err(path);
            assert_eq!(refusal.into_response().status(), status, "{method} {path}");
        }
    }
}
