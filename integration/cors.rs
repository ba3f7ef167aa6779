//! CORS at the examples `server` and `gateway`: what a page in a browser may ask and read, by its origin.
//!
//! | what is tried | file |
//! |---|---|
//! | every kind of answer × every kind of origin | `answers.rs` |
//! | preflights, and requests that only look like one | `preflights.rs` |
//! | a page in Chromium that uses a session from another origin | `page.rs` |

mod answers;
mod page;
mod preflights;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{map_request, map_response};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use tower::Layer;

use crate::gateway::gateway;
use crate::harness::backend::Backend;
use crate::harness::inner::Scripted;
use crate::harness::process::Process;
use crate::harness::replica::{Replica, layer};

/// An origin that a flag names.
const LISTED: &str = "https://app.example.com";
const LISTED_FLAG: [&str; 2] = ["--allow-origin", LISTED];

/// Both examples, started with the same flags; the gateway's upstream does CORS of its own.
struct Examples {
    server: Process,
    gateway: Process,
    _upstream: Replica,
}

impl Examples {
    async fn start(arguments: &[&str]) -> Self {
        let sessions = layer(&Backend::Memory.store().await).build();
        let mcp = Router::new().route_service("/mcp", sessions.layer(Scripted::with_sessions()));
        let upstream = Replica::serve(mcp.layer(map_response(open_to_all)).layer(map_request(from_anywhere))).await;
        let gateway = gateway(&format!("http://{}/mcp", upstream.address), arguments).await;
        Self { server: Process::server(arguments).await, gateway, _upstream: upstream }
    }

    fn each(&self) -> [(&'static str, &Process); 2] {
        [("server", &self.server), ("gateway", &self.gateway)]
    }
}

/// The upstream does not look where a request comes from.
async fn from_anywhere(mut request: Request) -> Request {
    request.headers_mut().remove(header::ORIGIN);
    request
}

/// And lets all pages read its answers.
async fn open_to_all(mut response: Response) -> Response {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-of-the-upstream"),
    ] {
        response.headers_mut().append(name, HeaderValue::from_static(value));
    }
    response
}

/// The names of all CORS headers, sorted, each as often as it stands there.
fn cors_headers(headers: &HeaderMap) -> Vec<&str> {
    let names = headers.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("access-control-")).collect();
    names.sort_unstable();
    names
}

/// The names in a list of names, in small letters.
fn names_in(headers: &HeaderMap, name: header::HeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter().map(|value| value.to_str().expect("ASCII").to_lowercase());
    values.flat_map(|value| value.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()).collect()
}
