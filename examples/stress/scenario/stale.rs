//! A session idle past the timeout is marked disconnected within a fifth of it, and not before.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::Scenario;
use super::stage::{NO_KEY, NO_MONITOR, Stage};
use super::timeline::{Timeline, statuses};
use super::timeout::{SLACK, other_timeout, past_the_timeout};
use crate::client::{Failure, Session};
use crate::criteria::Criterion;
use crate::report::time;

pub struct Stale;

const IN_TIME: &str = "idle sessions are marked disconnected within a fifth of the timeout";
const NOT_EARLY: &str = "and none before";
const LISTED: &str = "the monitor lists them as disconnected";

/// How often to look.
const LOOK: Duration = Duration::from_millis(250);
/// Activity is told to the store in batches; so much earlier it may have been.
const BATCH_MS: u128 = 300;

#[async_trait(?Send)]
impl Scenario for Stale {
    fn name(&self) -> &'static str {
        "stale"
    }

    fn about(&self) -> &'static str {
        "idle past the timeout: marked disconnected, in time"
    }

    fn waits(&self) -> bool {
        true
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let skipped = |why: &str| [IN_TIME, NOT_EARLY, LISTED].map(|name| Criterion::skipped(name, why)).into();
        let Some(monitor) = stage.monitor() else { return skipped(NO_MONITOR) };
        let timeline = Timeline::begin(monitor, &stage.client_name()).await;
        let sessions = stage.open_all(stage.options().clients()).await;
        stage.each(&sessions, async |session| stage.call(session, "before it idles").await).await;
        let keys: HashSet<String> = sessions.iter().filter_map(Session::key).map(ToOwned::to_owned).collect();
        if keys.is_empty() && !sessions.is_empty() {
            return skipped(NO_KEY);
        }
        let clients = stage.options().clients();
        let criteria = match watch(stage, timeline, &keys).await {
            Ok(unseen) => {
                let listed = listed(stage, &keys, clients).await;
                come_back(stage, &sessions).await;
                vec![in_time(stage, &unseen, clients), not_early(stage, &unseen), listed]
            }
            Err(failure) => vec![Criterion::failed(IN_TIME, format!("the monitor: {failure}"))],
        };
        stage.clean_up(&sessions).await;
        criteria
    }
}

/// Waits until all are marked, at most as long as that may take; how long each was unseen by then.
async fn watch(
    stage: &Stage,
    timeline: Result<Timeline, Failure>,
    keys: &HashSet<String>,
) -> Result<HashMap<String, Duration>, Failure> {
    let mut timeline = timeline?;
    let idle = stage.options().idle_timeout();
    let until = Instant::now() + past_the_timeout(idle) + SLACK;
    let mut unseen = HashMap::new();
    let waiting = async {
        while unseen.len() < keys.len() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            for event in timeline.read().await? {
                if event.kind == "session_disconnected" && keys.contains(&event.session) {
                    unseen.insert(event.session, Duration::from_millis(event.unseen_ms));
                }
            }
        }
        Ok::<_, Failure>(())
    };
    tokio::select! {
        waited = waiting => waited?,
        // The bar moves meanwhile.
        () = async { stage.bar.wait(past_the_timeout(idle)).await; futures::future::pending().await } => {}
    }
    Ok(unseen)
}

fn in_time(stage: &Stage, unseen: &HashMap<String, Duration>, clients: usize) -> Criterion {
    let idle = stage.options().idle_timeout();
    for time in unseen.values() {
        stage.measure.took("marked late by", time.saturating_sub(idle));
    }
    let good = unseen.values().filter(|time| **time <= past_the_timeout(idle)).count();
    let latest = unseen
        .values()
        .max()
        .map_or_else(String::new, |latest| format!(", the last after {:.2} s", latest.as_secs_f64()));
    let criterion = Criterion::all(IN_TIME, good, clients);
    Criterion { detail: format!("{}{latest}, the timeout being {}", criterion.detail, time(idle)), ..criterion }
        .or_hint(|| other_timeout(idle))
}

fn not_early(stage: &Stage, unseen: &HashMap<String, Duration>) -> Criterion {
    let idle = stage.options().idle_timeout();
    let Some(earliest) = unseen.values().min() else {
        return Criterion::skipped(NOT_EARLY, "none was marked");
    };
    let is_late_enough = earliest.as_millis() + BATCH_MS >= idle.as_millis();
    Criterion::check(NOT_EARLY, is_late_enough, format!("the first after {:.2} s", earliest.as_secs_f64()))
        .or_hint(|| other_timeout(idle))
}

async fn listed(stage: &Stage, keys: &HashSet<String>, clients: usize) -> Criterion {
    let Some(monitor) = stage.monitor() else { return Criterion::skipped(LISTED, NO_MONITOR) };
    match statuses(monitor, &stage.client_name()).await {
        Ok(statuses) => {
            let good = keys.iter().filter(|key| statuses.get(*key).is_some_and(|status| status == "disconnected"));
            Criterion::all(LISTED, good.count(), clients)
        }
        Err(failure) => Criterion::failed(LISTED, format!("the monitor: {failure}")),
    }
}

/// What the server does with a client that comes back late is its choice.
async fn come_back(stage: &Stage, sessions: &[Session]) {
    let back = stage.each(sessions, async |session| session.ping().await).await;
    let welcome = back.iter().filter(|back| back.is_ok()).count();
    let refused = back.iter().filter(|back| back.as_ref().is_err_and(Failure::is_session_lost)).count();
    stage.note(format!(
        "of the disconnected, {welcome} were welcome back with their id, {refused} were refused with 404"
    ));
}
