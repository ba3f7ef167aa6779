//! The cookies that an inner service set with a session: what a load balancer in front of it goes by (RFC 6265).

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// `name=value` pairs for `Cookie`. Values are credentials: they are never logged.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct SessionCookies(Vec<String>);

/// Cookies kept of one answer, and bytes of each: what every browser keeps.
const MOST: usize = 50;
const LONGEST: usize = 4096;

impl SessionCookies {
    /// Those that an answer to `initialize` sets.
    pub(crate) fn set_by(headers: &HeaderMap) -> Self {
        let mut cookies = Self::default();
        for pair in headers.get_all(SET_COOKIE).iter().filter_map(pair_of) {
            cookies.put(pair);
        }
        cookies
    }

    /// Pairs kept with a session before.
    pub(crate) fn of_pairs(pairs: impl IntoIterator<Item = String>) -> Self {
        let mut cookies = Self::default();
        pairs.into_iter().filter(|pair| name_of(pair).is_some()).for_each(|pair| cookies.put(pair));
        cookies
    }

    pub(crate) fn pairs(&self) -> &[String] {
        &self.0
    }

    fn put(&mut self, pair: String) {
        self.0.retain(|kept| name_of(kept) != name_of(&pair));
        if self.0.len() < MOST && pair.len() <= LONGEST {
            self.0.push(pair);
        }
    }

    /// Takes over the new values of those that are kept.
    pub(crate) fn renew(&mut self, headers: &HeaderMap) {
        for pair in headers.get_all(SET_COOKIE).iter().filter_map(pair_of) {
            if let Some(kept) = self.0.iter_mut().find(|kept| name_of(kept) == name_of(&pair)) {
                *kept = pair;
            }
        }
    }

    /// Sends them along. A client's own cookies stay; of two of the same name its own goes if it `is_preferred`.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, is_preferred: bool) {
        if self.0.is_empty() {
            return;
        }
        let own =
            headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
        let own: Vec<&str> = own.map(str::trim).filter(|pair| !pair.is_empty()).collect();
        let kept: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let (first, second) = if is_preferred { (kept, own) } else { (own, kept) };
        let is_said_again = |pair: &&str| second.iter().any(|other| name_of(other) == name_of(pair));
        let all: Vec<&str> =
            first.into_iter().filter(|pair| !is_said_again(pair)).chain(second.iter().copied()).collect();
        if let Ok(line) = HeaderValue::from_str(&all.join("; ")) {
            headers.insert(COOKIE, line);
        }
    }
}

/// The pair a `Set-Cookie` sets; `None` if it takes one back or says nothing.
fn pair_of(set: &HeaderValue) -> Option<String> {
    let mut parts = set.to_str().ok()?.split(';').map(str::trim);
    let pair = parts.next().filter(|pair| name_of(pair).is_some())?;
    let is_over = parts.any(|attribute| match attribute.split_once('=') {
        Some((name, age)) if name.trim().eq_ignore_ascii_case("max-age") => {
            age.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
        }
        _ => false,
    });
    (!is_over).then(|| pair.to_owned())
}

fn name_of(pair: &str) -> Option<&str> {
    pair.split_once('=').map(|(name, _)| name.trim()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(set: &[&'static str]) -> HeaderMap {
        set.iter().map(|set| (SET_COOKIE, HeaderValue::from_static(set))).collect()
    }

    #[test]
    fn what_was_set_is_sent_and_nothing_of_its_attributes() {
        let cookies = SessionCookies::set_by(&answer(&[
            "lb=node-7; Path=/mcp; HttpOnly; Secure",
            "old=1; Max-Age=0",
            "lb=node-8",
            "=nameless",
            "flag",
        ]));
        assert_eq!(cookies.pairs(), ["lb=node-8"]);
        let mut headers = HeaderMap::new();
        cookies.add_to(&mut headers, false);
        assert_eq!(headers[COOKIE], "lb=node-8");
        assert!(cookies == SessionCookies::of_pairs(cookies.pairs().to_vec()));
    }

    #[test]
    fn a_clients_own_cookies_stay_but_for_one_of_the_same_name() {
        let cookies = SessionCookies::set_by(&answer(&["lb=node-7"]));
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; lb=stale"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        let own = headers.clone();
        cookies.add_to(&mut headers, false);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; lb=node-7"]);
        let mut headers = own;
        cookies.add_to(&mut headers, true);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; lb=stale; b=2"]);
        let mut untouched = HeaderMap::new();
        SessionCookies::default().add_to(&mut untouched, false);
        assert!(untouched.is_empty());
    }
}
