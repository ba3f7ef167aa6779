//! A call's stream is cut twice and resumed, each time on the next replica: nothing is lost, nothing comes twice, and the
//! answer arrives.

use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use serde_json::json;
use tokio::time::timeout;

use super::{Scenario, stage::Stage};
use crate::client::stream::Events;
use crate::client::{Failure, Session};
use crate::criteria::Criterion;

pub struct Streams;

const ANSWERED: &str = "every call is answered though its stream was cut";
const WHOLE: &str = "nothing is lost and nothing comes twice";
const NAMES: [&str; 2] = [ANSWERED, WHOLE];

/// Messages of a call before its answer.
const STEPS: u64 = 20;
const CUTS: u64 = 2;
const INTERVAL_MS: u64 = 20;

/// The tool that counts while it works.
const TOOL: &str = "countdown";

#[async_trait(?Send)]
impl Scenario for Streams {
    fn name(&self) -> &'static str {
        "streams"
    }

    fn about(&self) -> &'static str {
        "streams are cut and resumed, on the next replica"
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let skipped = |why: &str| NAMES.map(|name| Criterion::skipped(name, why)).into();
        if !stage.has_tool(TOOL) {
            return skipped("the server has no tool countdown, which tells its progress step by step");
        }
        let sessions = stage.open_all(stage.options().clients()).await;
        stage.bar.expect(sessions.len());
        let numbered: Vec<_> = sessions.iter().enumerate().collect();
        let followed = stage
            .each(&numbered, async |(number, session)| {
                let came = follow(stage, session, *number).await;
                stage.bar.step();
                came
            })
            .await;
        stage.clean_up(&sessions).await;
        if followed.iter().all(|came| matches!(came, Err(Cut::NoIds))) && !followed.is_empty() {
            return skipped("the server's events have no ids: its streams cannot be resumed");
        }
        judge(&followed, stage.options().clients())
    }
}

fn judge(followed: &[Result<Vec<u64>, Cut>], clients: usize) -> Vec<Criterion> {
    let answered = followed.iter().flatten().count();
    let whole = |numbers: &&Vec<u64>| numbers.iter().copied().eq(1..=STEPS);
    let good = followed.iter().flatten().filter(whole).count();
    let broken = followed.iter().flatten().find(|numbers| !whole(numbers));
    let example = broken.map_or_else(String::new, |numbers| format!("; one got {numbers:?} of 1 to {STEPS}"));
    vec![
        Criterion::all(ANSWERED, answered, clients),
        Criterion::check(
            WHOLE,
            good == answered && good > 0,
            format!("{good} of {answered} streams, cut {CUTS} times each{example}"),
        ),
    ]
}

/// Why a stream could not be followed to its end.
enum Cut {
    NoIds,
    /// It is counted as a failure already.
    Failed,
}

/// Follows one call over its cuts; the numbers in its messages.
async fn follow(stage: &Stage, session: &Session, number: usize) -> Result<Vec<u64>, Cut> {
    let mut random = stage.random(number);
    let mut cuts: Vec<u64> = (0..CUTS).map(|_| random.random_range(2..STEPS - 2)).collect();
    cuts.sort_unstable();
    let begun = session.call_begun(TOOL, json!({"from": STEPS, "interval_ms": INTERVAL_MS}));
    let (id, response) = stage.measure.time("begin stream", begun).await.map_err(|_| Cut::Failed)?;
    let (mut events, mut numbers, mut last) = (Events::of(response), Vec::new(), None);
    for (turn, cut) in cuts.into_iter().enumerate() {
        if read(stage, &mut events, id, &mut numbers, &mut last, Some(cut)).await? {
            return Ok(numbers);
        }
        let Some(after) = &last else { return Err(Cut::NoIds) };
        drop(events);
        let next = session.at(number + turn + 1);
        events = stage.measure.time("resume", next.resume(after)).await.map_err(|_| Cut::Failed)?;
    }
    match read(stage, &mut events, id, &mut numbers, &mut last, None).await? {
        true => Ok(numbers),
        false => {
            stage.measure.failed("follow", &Failure::Broken("the stream ended before the answer".to_owned()));
            Err(Cut::Failed)
        }
    }
}

/// Reads on until so many messages are there, or the answer is, which is told.
async fn read(
    stage: &Stage,
    events: &mut Events,
    id: u64,
    numbers: &mut Vec<u64>,
    last: &mut Option<String>,
    until: Option<u64>,
) -> Result<bool, Cut> {
    let reading = async {
        while until.is_none_or(|until| (numbers.len() as u64) < until) {
            let Some(event) = events.next().await? else { return Ok(false) };
            *last = event.id.or_else(|| last.take());
            let Some(message) = event.message else { continue };
            if message["id"] == id && message.get("result").is_some() {
                return Ok(true);
            }
            numbers.extend(message["params"]["progress"].as_f64().map(|number| number as u64));
        }
        Ok(false)
    };
    let patience: Duration = stage.server.target.patience;
    let read = timeout(patience, reading).await.unwrap_or(Err(Failure::Timeout));
    read.map_err(|failure| {
        stage.measure.failed("follow", &failure);
        Cut::Failed
    })
}
