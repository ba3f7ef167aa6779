//! What stands after the question mark.

use std::str::FromStr;

use http::Uri;
use serde::de::DeserializeOwned;

use super::answer::Refusal;

/// The parameters of a query, decoded.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// A parameter; an empty one is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that is a number.
    pub(crate) fn number<T: FromStr>(&self, name: &str, problem: &'static str) -> Result<Option<T>, Refusal> {
        self.get(name).map(str::parse).transpose().map_err(|_| Refusal::bad_request(problem))
    }

    /// A parameter that is one of a few words.
    pub(crate) fn word<T: DeserializeOwned>(&self, name: &str, problem: &'static str) -> Result<Option<T>, Refusal> {
        let word = |text: &str| serde_json::from_value(serde_json::Value::from(text));
        self.get(name).map(word).transpose().map_err(|_| Refusal::bad_request(problem))
    }
}
