//! One session from `initialize` to DELETE. All it says is its own, so that nothing of another one can pass for it.
#![expect(deprecated, reason = "2026-07-28 deprecates log levels and `resources/subscribe`; sessions of 2025 use them")]

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

use axum::http::StatusCode;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequestParams, LoggingLevel, ReadResourceRequestParams, ResourceContents, SetLevelRequestParams,
    SubscribeRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};

use super::noting::Noting;
use super::tally::Tally;
use super::visitor::{Heard, Visitor};
use super::{Options, Tolerated};
use crate::harness::eventually::becomes;

/// How long an ended session may still be known to a replica. No requirement: the promise is one second.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// How long nothing is heard of a note before it is put again.
const PUT_AGAIN: Duration = Duration::from_secs(1);

/// Why a step failed.
enum Trouble {
    /// What was seen is not what must be.
    Wrong(String),
    /// Nothing was seen.
    CutOff(String),
}

type Outcome<T = ()> = Result<T, Trouble>;

/// A round, and how far it is.
pub(super) struct Round<'a> {
    url: &'a str,
    options: &'a Options,
    tally: &'a Tally,
    number: usize,
    /// What nobody else says.
    own: String,
    began: SystemTime,
    note: String,
    notes: usize,
    http: reqwest::Client,
    noting: Noting,
    visitor: Visitor,
    service: Option<RunningService<RoleClient, Visitor>>,
    was_terminated: bool,
    /// How often the note was put since it was subscribed to, and since it is logged.
    updates_due: usize,
    logs_due: usize,
}

impl<'a> Round<'a> {
    pub(super) fn new(
        url: &'a str,
        options: &'a Options,
        tally: &'a Tally,
        http: reqwest::Client,
        number: usize,
        nonce: &str,
    ) -> Self {
        let own = format!("{number}-{nonce}");
        Self {
            url,
            options,
            tally,
            number,
            began: SystemTime::now(),
            note: String::new(),
            notes: 0,
            noting: Noting::new(http.clone()),
            http,
            visitor: Visitor::new(format!("answer {own}")),
            own,
            service: None,
            was_terminated: false,
            updates_due: 0,
            logs_due: 0,
        }
    }

    pub(super) async fn play(mut self) {
        let started = Instant::now();
        if self.step("connect", Self::connect).await {
            self.step("echo", Self::echo).await;
            self.step("countdown", Self::countdown).await;
            self.step("ask", Self::ask).await;
            self.step("a new note", Self::new_note).await;
            self.step("a note that changes", Self::changed_note).await;
            self.step("a note that is logged", Self::logged_note).await;
            self.step("never 404", Self::never_gone).await;
            self.step("terminate", Self::terminate).await;
            self.step("the old id is 404", Self::gone).await;
        }
        let Heard { progress, list_changed, updated, logged, .. } = self.visitor.heard(std::mem::take);
        self.tally.heard("notifications/progress", progress.len(), self.options.from as usize);
        self.tally.heard("notifications/resources/list_changed", list_changed, self.notes);
        self.tally.heard("notifications/resources/updated", updated.len(), self.updates_due);
        self.tally.heard("notifications/message", logged.len(), self.logs_due);
        self.tally.over(started.elapsed());
    }

    /// Runs a step, once more if it was cut off and that is to be tolerated. A wrong answer and a 404 never are.
    async fn step(&mut self, name: &'static str, run: impl AsyncFn(&mut Self) -> Outcome) -> bool {
        let mut is_tolerable = matches!(self.options.tolerate, Some(Tolerated::InterruptedCalls));
        loop {
            match run(self).await {
                Ok(()) => {
                    self.tally.passed(name);
                    return true;
                }
                Err(Trouble::CutOff(why)) if is_tolerable && !self.was_gone() => {
                    self.tally.interrupted(name, self.number, self.began, why);
                    is_tolerable = false;
                }
                Err(Trouble::CutOff(why) | Trouble::Wrong(why)) => {
                    self.tally.failed(name, self.number, &why);
                    return false;
                }
            }
        }
    }

    async fn connect(&mut self) -> Outcome {
        self.close().await;
        self.noting.noted(|noted| noted.is_listening = false);
        // By itself rmcp opens another session after a 404, and nobody would notice.
        let config = StreamableHttpClientTransportConfig::with_uri(self.url).reinit_on_expired_session(false);
        let transport = StreamableHttpClientTransport::with_client(self.noting.clone(), config);
        let connecting = self.visitor.clone().serve_with_lifecycle(transport, ClientLifecycleMode::Initialize);
        self.service = Some(self.in_time(connecting).await?);
        let is_listening = self.is_noticed(|round| round.noting.noted(|noted| noted.is_listening)).await;
        or_cut_off(is_listening, "no GET stream was opened")?;
        or_wrong(self.noting.noted(|noted| noted.session.is_some()), || "no session id".to_owned())
    }

    async fn echo(&mut self) -> Outcome {
        self.says("echo", json!({"text": self.own}), &self.own).await
    }

    async fn countdown(&mut self) -> Outcome {
        let Options { from, interval_ms, .. } = *self.options;
        self.visitor.heard(|heard| heard.progress.clear());
        let arguments = json!({"from": from, "interval_ms": interval_ms});
        self.says("countdown", arguments, &format!("counted to {from}")).await?;
        let steps = |round: &Self| round.visitor.heard(|heard| heard.progress.clone());
        // rmcp hands each notification to a task of its own, which may come after the answer.
        self.is_noticed(|round| steps(round).len() >= from as usize).await;
        let seen = steps(self);
        let expected: Vec<_> = (1..=from).map(|step| (f64::from(step), Some(f64::from(from)))).collect();
        or_wrong(seen == expected, || format!("progress: {seen:?}"))
    }

    async fn ask(&mut self) -> Outcome {
        self.visitor.heard(|heard| heard.questions.clear());
        let question = format!("question {}", self.own);
        self.says("ask", json!({"question": question}), &format!("answer {}", self.own)).await?;
        let asked = self.visitor.heard(|heard| heard.questions.clone());
        or_wrong(asked == [question], || format!("was asked {asked:?}"))
    }

    /// Each try has a note of its own: one that was cut off may have put its note.
    async fn new_note(&mut self) -> Outcome {
        self.notes += 1;
        self.note = format!("note-{}-{}", self.number, self.notes);
        let text = format!("first {}", self.own);
        self.put(&text).await?;
        self.says("note_get", json!({"name": self.note}), &text).await?;
        let is_heard = self.is_noticed(|round| round.visitor.heard(|heard| heard.list_changed > 0)).await;
        or_cut_off(is_heard, "notifications/resources/list_changed was not heard")
    }

    async fn changed_note(&mut self) -> Outcome {
        let uri = format!("note://{}", self.note);
        let request = SubscribeRequestParams::new(uri.clone());
        self.in_time(self.service()?.subscribe(request)).await?;
        let is_due = |round: &mut Self| round.updates_due += 1;
        let text = self.put_until("second", is_due, |heard| heard.updated.contains(&uri)).await?;
        let read = self.in_time(self.service()?.read_resource(ReadResourceRequestParams::new(uri))).await?;
        let is_right =
            matches!(&read.contents[..], [ResourceContents::TextResourceContents { text: it, .. }] if *it == text);
        or_wrong(is_right, || format!("the note reads {read:?}"))
    }

    async fn logged_note(&mut self) -> Outcome {
        let request = SetLevelRequestParams::new(LoggingLevel::Info);
        self.in_time(self.service()?.set_level(request)).await?;
        let noted = json!({"noted": self.note});
        let is_due = |round: &mut Self| {
            round.updates_due += 1;
            round.logs_due += 1;
        };
        self.put_until("third", is_due, |heard| heard.logged.contains(&noted)).await?;
        // Word of a change may be held back a moment, and should not come to a client that is closing.
        let is_told = self.is_noticed(|round| round.visitor.heard(|heard| heard.updated.len() >= 2)).await;
        or_cut_off(is_told, "notifications/resources/updated was not heard")
    }

    /// Puts the note until what is then due is heard, and returns its text. What the client has just asked of one replica,
    /// another may learn a moment later, and so miss a note.
    async fn put_until(
        &mut self,
        what: &str,
        is_due: impl Fn(&mut Self),
        is_heard: impl Fn(&Heard) -> bool,
    ) -> Outcome<String> {
        let begun = Instant::now();
        for turn in 1.. {
            is_due(self);
            let text = format!("{what} {turn} {}", self.own);
            self.put(&text).await?;
            if becomes(PUT_AGAIN, async || self.visitor.heard(|heard| is_heard(heard))).await {
                return Ok(text);
            }
            if begun.elapsed() > Duration::from_millis(self.options.notice_timeout_ms) {
                break;
            }
            self.tally.repeated();
        }
        Err(Trouble::CutOff("the notification was not heard".to_owned()))
    }

    async fn never_gone(&mut self) -> Outcome {
        or_wrong(!self.was_gone(), || "a live session was answered with 404".to_owned())
    }

    /// rmcp sends DELETE when it is closed, and only once.
    async fn terminate(&mut self) -> Outcome {
        if self.was_terminated {
            let status = self.deleted().await.map_err(cut_off)?;
            // A DELETE that was cut off may have ended the session.
            let is_right = status.is_success() || status == StatusCode::NOT_FOUND;
            return or_wrong(is_right, || format!("the second DELETE was answered with {status}"));
        }
        self.was_terminated = true;
        self.close().await;
        self.is_noticed(|round| round.noting.noted(|noted| noted.deleted.is_some())).await;
        let deleted = self.noting.noted(|noted| noted.deleted.clone());
        deleted.unwrap_or_else(|| Err("rmcp sent no DELETE".to_owned())).map_err(Trouble::CutOff)
    }

    async fn gone(&mut self) -> Outcome {
        let is_gone = becomes(GONE_WITHIN, async || {
            let is_gone = self.listed().await.is_ok_and(|status| status == StatusCode::NOT_FOUND);
            if !is_gone {
                self.tally.late_answer();
            }
            is_gone
        });
        or_wrong(is_gone.await, || format!("the old id is answered, {GONE_WITHIN:?} after its end"))
    }

    async fn put(&self, text: &str) -> Outcome {
        let noted = format!("noted {:?}", self.note);
        self.says("note_put", json!({"name": self.note, "value": text}), &noted).await
    }

    /// Calls a tool that must answer this.
    async fn says(&self, tool: &'static str, arguments: Value, expected: &str) -> Outcome {
        let Value::Object(arguments) = arguments else { unreachable!("arguments are objects") };
        let call = self.service()?.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments));
        let result = self.in_time(call).await?;
        let text = result.content.first().and_then(|block| block.as_text()).map(|text| text.text.as_str());
        let is_right = result.is_error != Some(true) && text == Some(expected);
        or_wrong(is_right, || format!("{tool}: expected {expected:?}, got {result:?}"))
    }

    async fn close(&mut self) {
        if let Some(mut service) = self.service.take() {
            // How it ended is seen by the DELETE it sends.
            let _ = service.close().await;
        }
    }

    /// The status of a plain DELETE.
    async fn deleted(&self) -> reqwest::Result<StatusCode> {
        self.status_of(self.http.delete(self.url)).await
    }

    /// The status of a plain `tools/list`.
    async fn listed(&self) -> reqwest::Result<StatusCode> {
        let request = json!({"jsonrpc": "2.0", "id": "after-the-end", "method": "tools/list"});
        let post = self.http.post(self.url).header("accept", "application/json, text/event-stream");
        self.status_of(post.json(&request)).await
    }

    async fn status_of(&self, request: reqwest::RequestBuilder) -> reqwest::Result<StatusCode> {
        let session = self.noting.noted(|noted| noted.session.clone()).unwrap_or_default();
        let request = request.header("mcp-session-id", &*session).header("mcp-protocol-version", "2025-11-25");
        Ok(request.send().await?.status())
    }

    fn service(&self) -> Outcome<&RunningService<RoleClient, Visitor>> {
        self.service.as_ref().ok_or_else(|| Trouble::CutOff("the client is closed".to_owned()))
    }

    fn was_gone(&self) -> bool {
        self.noting.noted(|noted| noted.was_gone)
    }

    async fn in_time<T, E: Debug>(&self, call: impl Future<Output = Result<T, E>>) -> Outcome<T> {
        let limit = Duration::from_millis(self.options.call_timeout_ms);
        match tokio::time::timeout(limit, call).await {
            Ok(outcome) => outcome.map_err(cut_off),
            Err(_) => Err(Trouble::CutOff(format!("no answer within {limit:?}"))),
        }
    }

    /// Whether something is seen within the time that a notification may take.
    async fn is_noticed(&self, probe: impl Fn(&Self) -> bool) -> bool {
        becomes(Duration::from_millis(self.options.notice_timeout_ms), async || probe(self)).await
    }
}

fn cut_off(error: impl Debug) -> Trouble {
    Trouble::CutOff(format!("{error:?}"))
}

fn or_cut_off(held: bool, otherwise: &str) -> Outcome {
    if held { Ok(()) } else { Err(Trouble::CutOff(otherwise.to_owned())) }
}

fn or_wrong(held: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if held { Ok(()) } else { Err(Trouble::Wrong(otherwise())) }
}
