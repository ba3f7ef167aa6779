//! CORS for the MCP endpoint: pages of the origins that the layer lets in can use it from a browser.
//!
//! The layer says nothing of CORS. This stands outside of it, so that its refusals can be read by a page, too.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderName, Method};
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_mcp_sessions::SessionLayer;

/// What a page may read of an answer, beside what every page may.
const EXPOSED: [HeaderName; 5] = [
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-reconnect-token"),
    WWW_AUTHENTICATE,
    RETRY_AFTER,
];

/// How long a browser may remember that it was allowed to ask.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The endpoint with CORS for the origins that its layer lets in. Requests of all others reach the layer as they come.
pub fn around(endpoint: Router, sessions: &SessionLayer) -> Router {
    let (cors, sessions) = (cors(), sessions.clone());
    endpoint.route_layer(from_fn(move |request: Request, next: Next| {
        let (parts, body) = request.into_parts();
        let cors = is_cors(&parts, &sessions).then(|| cors.clone());
        let request = Request::from_parts(parts, body);
        async move {
            match cors {
                Some(cors) => cors.layer(next).oneshot(request).await.into_response(),
                None => next.run(request).await,
            }
        }
    }))
}

/// Whether a page that is let in asks. `OPTIONS` is a preflight only if it names a method; any other is an ordinary request.
fn is_cors(parts: &Parts, sessions: &SessionLayer) -> bool {
    let is_ordinary_options =
        parts.method == Method::OPTIONS && !parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    parts.headers.contains_key(ORIGIN) && !is_ordinary_options && sessions.allows_origin(parts)
}

/// The headers of requests are mirrored, because their names are no closed list: `Mcp-Param-*` are named by tools.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(REMEMBERED)
}
