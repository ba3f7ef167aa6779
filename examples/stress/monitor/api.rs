//! The monitor's JSON API. Every request is measured.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;

use crate::client::{Failure, Target};
use crate::evidence::Evidence;

/// Where the API begins, below the mount.
const SESSIONS: &str = "/api/mcp/sessions";

/// One monitor.
#[derive(Clone)]
pub struct Monitor {
    pub(super) mount: String,
    pub(super) token: Option<Arc<str>>,
    http: reqwest::Client,
    patience: std::time::Duration,
    evidence: Arc<Evidence>,
}

impl Monitor {
    /// The monitor at `mount`, which is asked whether it is one.
    pub async fn at(
        mount: &str,
        target: &Target,
        token: Option<Arc<str>>,
        evidence: &Arc<Evidence>,
    ) -> Result<Self, Failure> {
        let monitor = Self {
            mount: mount.to_owned(),
            token,
            http: target.http.clone(),
            patience: target.patience,
            evidence: Arc::clone(evidence),
        };
        let (health, _) = monitor.get("health", "/health").await?;
        match health["status_breakdown"].is_object() {
            true if health["access"]["role"] == "counts" => Err(Failure::Status(
                StatusCode::FORBIDDEN,
                "it shows counts without a token, and no session".to_owned(),
            )),
            true => Ok(monitor),
            false => Err(Failure::NotMcp("the answer is no health report".to_owned())),
        }
    }

    /// How the sessions fare, and the size of the answer.
    pub async fn health(&self) -> Result<(Value, u64), Failure> {
        self.timed("health", "/health").await
    }

    /// A page of sessions, and the size of the answer.
    pub async fn list(&self, query: &str) -> Result<(Value, u64), Failure> {
        self.timed("list", query).await
    }

    /// One session; `None` if there is none by this name.
    pub async fn session(&self, key: &str) -> Result<Option<Value>, Failure> {
        match self.timed("detail", &format!("/{key}")).await {
            Ok((mut detail, _)) => Ok(Some(detail["session"].take())),
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// What happened after a cursor.
    pub async fn events(&self, query: &str) -> Result<Value, Failure> {
        Ok(self.timed("events", &format!("/events?{query}")).await?.0)
    }

    /// Whether the session is known, and its reconnect token was refused or not.
    pub async fn reconnect(&self, key: &str, token: &str) -> Result<Value, Failure> {
        let url = format!("{}{SESSIONS}/{key}/reconnect", self.mount);
        let request = self.http.post(url).json(&serde_json::json!({"token": token})).timeout(self.patience);
        let response = request.send().await?;
        let status = response.status();
        let mut answer: Value = response.json().await?;
        match status.is_success() {
            true => Ok(answer),
            false => Err(Failure::Status(status, answer["outcome"].take().as_str().unwrap_or_default().to_owned())),
        }
    }

    async fn timed(&self, name: &str, path: &str) -> Result<(Value, u64), Failure> {
        let asked = std::time::Instant::now();
        let outcome = self.get(name, path).await;
        match &outcome {
            Err(failure) if !failure.is(StatusCode::NOT_FOUND) => self.evidence.api.failed(name, failure),
            Ok(_) | Err(_) => self.evidence.api.took(name, asked.elapsed()),
        }
        outcome
    }

    async fn get(&self, name: &str, path: &str) -> Result<(Value, u64), Failure> {
        let mut request = self.http.get(format!("{}{SESSIONS}{path}", self.mount)).timeout(self.patience);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            return Err(Failure::Status(status, format!("the monitor's {name}")));
        }
        let parsed = serde_json::from_slice(&body);
        let parsed = parsed.map_err(|_| Failure::NotMcp("the monitor's answer is not JSON".to_owned()))?;
        Ok((parsed, body.len() as u64))
    }
}
