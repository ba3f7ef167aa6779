//! Where requests go.

use std::fmt;

use http::Uri;
use http::uri::Authority;

/// What `--upstream` takes, for whoever said something else. The URL is not repeated: it may hold a password.
const USAGE: &str = "--upstream takes http://host[:port]/path, the MCP endpoint of the server behind this gateway";

/// The MCP endpoint behind this gateway.
#[derive(Clone, Debug)]
pub struct Upstream {
    endpoint: Uri,
}

impl Upstream {
    /// Reads a URL, or tells what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let endpoint: Uri = url.parse().map_err(|error| format!("{USAGE}: {error}"))?;
        match (endpoint.scheme_str(), endpoint.authority()) {
            (Some("http"), Some(authority)) if authority.as_str().contains('@') => Err(format!(
                "{USAGE}, without user and password: the Authorization header of each request is passed on"
            )),
            (Some("http"), Some(authority)) if has_no_real_port(authority) => {
                Err(format!("{USAGE}; a port is a number up to 65535"))
            }
            (Some("http"), Some(_)) => Ok(Self { endpoint }),
            (Some("https"), _) => Err(format!(
                "{USAGE}. This gateway speaks no TLS: put a proxy that does in front of the server, and name the proxy's \
                 http:// address"
            )),
            _ => Err(USAGE.to_owned()),
        }
    }

    /// The endpoint, asked with a request's query; its own query, if it has one, comes first.
    pub fn uri(&self, query: Option<&str>) -> Uri {
        let Some(query) = query else { return self.endpoint.clone() };
        let joint = if self.endpoint.query().is_some() { '&' } else { '?' };
        // What was a query a moment ago still is one.
        format!("{}{joint}{query}", self.endpoint).parse().unwrap_or_else(|_| self.endpoint.clone())
    }

    /// Where a redirect leads, if that is the upstream too; without its query, which may hold a key.
    pub fn own_url<'a>(&self, location: &'a str) -> Option<&'a str> {
        let url: Uri = location.parse().ok()?;
        let is_own = url.authority().is_none_or(|authority| Some(authority) == self.endpoint.authority());
        is_own.then(|| location.split('?').next()).flatten()
    }
}

/// Whether a port is named that cannot be one; [`Uri`] does not look.
fn has_no_real_port(authority: &Authority) -> bool {
    authority.as_str() != authority.host() && authority.port().is_none()
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the query, which may hold a key.
        let authority = self.endpoint.authority().map_or("", |authority| authority.as_str());
        write!(f, "http://{authority}{}", self.endpoint.path())
    }
}
