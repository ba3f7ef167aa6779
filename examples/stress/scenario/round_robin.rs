//! Each client's calls go to all replicas in turn, as behind a load balancer that knows nothing of sessions.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::json;

use super::{Scenario, stage::Stage};
use crate::client::{Failure, Session};
use crate::criteria::Criterion;

pub struct RoundRobin;

const ANSWERED: &str = "every call is answered, on whichever replica";
const EVERYWHERE: &str = "every replica serves";
const SAME: &str = "it is the same session on every replica";
const NOTES: &str = "what is noted on one replica is read on the next";
const NO_TOOL: &str = "the server has no tool that tells";

/// What one client saw.
#[derive(Default)]
struct Saw {
    answered: usize,
    same: Option<bool>,
    notes: Option<bool>,
}

#[async_trait(?Send)]
impl Scenario for RoundRobin {
    fn name(&self) -> &'static str {
        "round-robin"
    }

    fn about(&self) -> &'static str {
        "each client's calls go to the replicas in turn"
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let replicas = stage.server.target.urls.len();
        if replicas < 2 {
            let why = "there is one replica: tell --url of each";
            return [ANSWERED, EVERYWHERE, SAME, NOTES].map(|name| Criterion::skipped(name, why)).into();
        }
        let clients: Vec<_> = (0..stage.options().clients()).collect();
        let calls = (stage.options().calls as usize).max(replicas);
        stage.bar.expect(clients.len());
        let served = Mutex::default();
        let saw = stage.each(&clients, async |number| go_round(stage, *number, calls, &served).await).await;
        let served: BTreeSet<String> = served.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answered = saw.iter().map(|saw| saw.answered).sum();
        let told = |name, what: fn(&Saw) -> Option<bool>| {
            let known: Vec<_> = saw.iter().filter_map(what).collect();
            match known.is_empty() {
                true => Criterion::skipped(name, NO_TOOL),
                false => Criterion::all(name, known.iter().filter(|good| **good).count(), known.len()),
            }
        };
        vec![
            Criterion::all(ANSWERED, answered, clients.len() * calls),
            match stage.has_tool("whoami") {
                true => Criterion::check(
                    EVERYWHERE,
                    served.len() == replicas,
                    format!("{} of {replicas} by name", served.len()),
                ),
                false => Criterion::skipped(EVERYWHERE, NO_TOOL),
            },
            told(SAME, |saw| saw.same),
            told(NOTES, |saw| saw.notes),
        ]
    }
}

async fn go_round(stage: &Stage, number: usize, calls: usize, served: &Mutex<BTreeSet<String>>) -> Saw {
    let mut saw = Saw::default();
    let Ok(session) = stage.open(&stage.client(number)).await else { return saw };
    for call in 0..calls {
        let there = session.at(number + call);
        saw.answered += usize::from(stage.call(&there, &format!("{number}.{call}")).await.is_ok());
    }
    if stage.has_tool("whoami") {
        saw.same = Some(is_same(stage, &session, served).await);
    }
    if stage.has_tool("note_put") && stage.has_tool("note_get") {
        saw.notes = Some(notes_travel(stage, &session, number).await);
    }
    stage.clean_up(&[session]).await;
    stage.bar.step();
    saw
}

/// Asks every replica whose session it sees.
async fn is_same(stage: &Stage, session: &Session, served: &Mutex<BTreeSet<String>>) -> bool {
    let mut same = true;
    for replica in 0..stage.server.target.urls.len() {
        let there = session.at(replica);
        let asking = there.ask("tools/call", json!({"name": "whoami", "arguments": {}}));
        let Ok(answer) = stage.measure.time("whoami", asking).await else { return false };
        let who = &answer["structuredContent"];
        let replica = who["replica"].as_str().unwrap_or_default().to_owned();
        served.lock().unwrap_or_else(PoisonError::into_inner).insert(replica);
        same &= who["session"].as_str() == session.key() && who["client"]["name"] == session.client().name;
    }
    same
}

/// Notes something on each replica, and reads it on the next.
async fn notes_travel(stage: &Stage, session: &Session, number: usize) -> bool {
    let travelling = async {
        for replica in 0..stage.server.target.urls.len() {
            let value = format!("{number} was at {replica}");
            let put = json!({"name": "place", "value": value});
            stage.measure.time("note_put", session.at(replica).call("note_put", put)).await?;
            let next = session.at(replica + 1);
            let found = stage.measure.time("note_get", next.call("note_get", json!({"name": "place"}))).await?;
            if found != value {
                return Ok(false);
            }
        }
        Ok::<_, Failure>(true)
    };
    travelling.await.unwrap_or(false)
}
