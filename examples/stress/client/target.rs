//! Whom the clients talk to, and who they are.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use reqwest::redirect::Policy;

/// A server: one URL, or one for each replica.
#[derive(Debug)]
pub struct Target {
    pub http: reqwest::Client,
    pub urls: Vec<String>,
    pub principal_header: Option<HeaderName>,
    /// How long an answer may take.
    pub patience: Duration,
}

/// Idle connections are kept for less than servers keep them, so that none is used that the server just closed.
const KEEP_IDLE: Duration = Duration::from_secs(20);

impl Target {
    /// # Errors
    ///
    /// If a URL is none that can be talked to.
    pub fn new(urls: &[String], principal_header: Option<HeaderName>, patience: Duration) -> Result<Self, String> {
        let urls = urls.iter().map(|url| checked(url)).collect::<Result<_, _>>()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(patience)
            .pool_idle_timeout(KEEP_IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| format!("there can be no HTTP client: {error}"))?;
        Ok(Self { http, urls, principal_header, patience })
    }

    /// The URL at a place; places beyond the last begin again.
    pub fn url(&self, at: usize) -> &str {
        &self.urls[at % self.urls.len()]
    }
}

/// The URL without a slash at its end, if it is one we can use.
pub fn checked(url: &str) -> Result<String, String> {
    let parsed = reqwest::Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
    match (parsed.scheme(), parsed.host()) {
        ("http", Some(_)) => Ok(url.trim_end_matches('/').to_owned()),
        ("https", Some(_)) => {
            Err(format!("{url:?} is https, which this program does not speak: put a proxy in between"))
        }
        _ => Err(format!("{url:?} must begin with http://HOST")),
    }
}

/// A client, before it has a session.
#[derive(Clone, Debug)]
pub struct Client {
    pub target: Arc<Target>,
    /// How it introduces itself.
    pub name: String,
    pub version: String,
    /// Whom a proxy in front would say it acts for.
    pub principal: Option<String>,
    /// The replica it is connected to.
    pub home: usize,
}
