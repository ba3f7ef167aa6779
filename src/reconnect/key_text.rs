//! Keys as an operator writes them; the form is described at [`ReconnectKeys::from_text`].

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::error::{Kind, ReconnectKeysError};

/// The lines that hold a key, read, with their numbers.
pub(super) fn entries(text: &str) -> impl Iterator<Item = (usize, Result<Entry<'_>, ReconnectKeysError>)> {
    lines(text).map(|(line, content)| (line, Entry::read(content)))
}

/// The lines that hold a key, with their numbers. A semicolon ends a line too, except in a comment.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    text.lines()
        .flat_map(move |line| line.split(';').take(if is_comment(line) { 1 } else { usize::MAX }))
        .map(str::trim)
        .zip(1..)
        .filter(move |(line, _)| !line.is_empty() && !is_comment(line))
        .map(|(line, number)| (number, line))
}

/// One line.
pub(super) struct Entry<'a> {
    kid: Option<&'a str>,
    pub(super) secret: &'a str,
    pub(super) until: Option<SystemTime>,
}

impl<'a> Entry<'a> {
    fn read(line: &'a str) -> Result<Self, ReconnectKeysError> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let until = match words.last().and_then(|word| word.strip_prefix("until=")) {
            Some(moment) => {
                words.pop();
                let read = humantime::parse_rfc3339(moment);
                Some(read.map_err(|error| ReconnectKeysError::because(Kind::Until, error))?)
            }
            None => None,
        };
        match *words {
            [secret] => Ok(Self { kid: None, secret, until }),
            [kid, secret] => Ok(Self { kid: Some(kid), secret, until }),
            _ => Err(Kind::Words.into()),
        }
    }

    /// The key's name, made from the secret if there is none.
    pub(super) fn kid(&self) -> String {
        self.kid.map_or_else(|| derived_kid(self.secret.as_bytes()), ToOwned::to_owned)
    }
}

/// The name of a key that was given none.
pub(super) fn derived_kid(secret: &[u8]) -> String {
    let digest = Sha256::new().chain_update("tower-mcp-sessions kid").chain_update(secret).finalize();
    URL_SAFE_NO_PAD.encode(&digest[..6])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconnect::ReconnectKeys;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn ends_of(text: &str) -> Vec<(String, Option<u64>)> {
        let keys = ReconnectKeys::from_text(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        keys.accepted.iter().map(|key| (key.kid.to_string(), key.until.map(|until| until.0))).collect()
    }

    #[test]
    fn a_line_is_a_key() {
        let expected = [("new".to_owned(), None), ("old".to_owned(), Some(1_000)), ("next".to_owned(), None)];
        for text in [
            format!("new {A}\nold {B} until=1970-01-01T00:00:01Z\nnext {B}"),
            format!(
                "# the keys; of all replicas\r\n\r\n  new\t{A}  \r\nold {B} until=1970-01-01T00:00:01Z\r\nnext {B}\r\n"
            ),
            format!("new {A};old {B} until=1970-01-01T00:00:01Z; # soon ;next {B};"),
        ] {
            assert_eq!(ends_of(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_alone_names_itself() {
        let derived = derived_kid(A.as_bytes());
        assert_eq!(derived, "LRgP-mFk");
        assert_eq!(ends_of(A), [(derived, None)]);
        assert_eq!(ends_of(&format!("{A}\n{B} until=1970-01-01T00:00:01Z"))[1].1, Some(1_000));
    }

    #[test]
    fn an_error_names_the_line_and_shows_nothing_of_it() {
        for (text, line, kind) in [
            (format!("a {A}\n\n# x; y\nb tooshort-{}", &B[16..]), 4, "ShortSecret"),
            (format!("a {A}; b {B} until=soon-{B}"), 2, "Until"),
            (format!("a {A}\na {B}"), 2, "RepeatedKeyId"),
            (format!("a {A} until=2026-12-01T00:00:00Z"), 1, "FirstEnds"),
            (format!("a {A} {B}"), 1, "Words"),
            (format!("a {A}\nuntil=2026-12-01T00:00:00Z"), 2, "Words"),
            (format!("{}\u{e4} {B}", &A[1..]), 1, "KeyId"),
        ] {
            let error = ReconnectKeys::from_text(&text).unwrap_err();
            assert!(error.to_string().contains(&format!("line {line}: ")), "{text}: {error}");
            assert_eq!(format!("{:?}", error.kind()), kind, "{text}");
            let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error).map(ToString::to_string));
            assert!(![&A[..8], &B[..8]].iter().any(|secret| shown.contains(secret)), "{shown}");
        }
        for nothing in ["", "\n # a\n", ";;"] {
            assert!(matches!(ReconnectKeys::from_text(nothing).unwrap_err().kind(), Kind::NoKey), "{nothing:?}");
        }
    }
}
