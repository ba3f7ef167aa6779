//! Reconnect tokens as a stranger sees them, and how those that are no good are refused.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::Value;

use super::stage::Stage;
use crate::client::Failure;
use crate::criteria::Criterion;

/// How long a token is good, if it is a JWT that says so.
pub fn lifetime(token: &str) -> Option<Duration> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let (expires, issued) = (claims["exp"].as_u64()?, claims["iat"].as_u64()?);
    Some(Duration::from_secs(expires.checked_sub(issued)?))
}

/// The token with another signature.
pub fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let swapped: String = signature.chars().map(|c| if c == 'A' { 'B' } else { 'A' }).collect();
    format!("{signed}.{swapped}")
}

/// How a server says that it is the token it does not take.
const REFUSALS: [StatusCode; 4] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::CONFLICT];

/// What came of each kind of bad token.
#[derive(Default)]
pub struct Refusals(Mutex<BTreeMap<&'static str, Vec<Result<(), Failure>>>>);

const KINDS: [(&str, &str); 3] = [
    ("spent", "a token that was used is refused"),
    ("forged", "a token with a forged signature is refused"),
    ("foreign", "a token of somebody else's session is refused"),
];

impl Refusals {
    pub fn note(&self, kind: &'static str, outcome: Result<(), Failure>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default().push(outcome);
    }

    pub fn criteria(&self, stage: &Stage) -> Vec<Criterion> {
        KINDS.iter().map(|(kind, name)| self.criterion(stage, kind, name)).collect()
    }

    pub fn criterion(&self, stage: &Stage, kind: &str, name: &str) -> Criterion {
        let tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tried) = tried.get(kind) else { return Criterion::skipped(name, self.why_untried(stage)) };
        let mut statuses = BTreeMap::<String, usize>::new();
        let mut refused = 0;
        for outcome in tried {
            let told = match outcome {
                Ok(()) => "let in".to_owned(),
                Err(Failure::Status(status, _)) if REFUSALS.contains(status) => {
                    refused += 1;
                    status.as_u16().to_string()
                }
                Err(failure) => {
                    stage.measure.failed("refusing", failure);
                    failure.kind()
                }
            };
            *statuses.entry(told).or_default() += 1;
        }
        let told: Vec<_> = statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        Criterion::check(name, refused == tried.len(), told.join(", "))
    }

    fn why_untried(&self, stage: &Stage) -> &'static str {
        match (&stage.server.target.principal_header, stage.monitor()) {
            (None, None) => "this takes --principal-header, or a monitor that reconnects",
            _ => "the server gives no reconnect tokens",
        }
    }
}
