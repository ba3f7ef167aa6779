//! Pings keep a session active past the timeout.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::join_all;

use super::Scenario;
use super::stage::{NO_KEY, NO_MONITOR, Stage};
use super::timeline::{Timeline, statuses};
use crate::client::Session;
use crate::criteria::Criterion;

pub struct Heartbeat;

const NEVER: &str = "none is marked disconnected meanwhile";
const ACTIVE: &str = "all are active after the timeout";

/// Pings in the time that a session may be idle.
const BEATS: u32 = 4;

#[async_trait(?Send)]
impl Scenario for Heartbeat {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn about(&self) -> &'static str {
        "pings keep sessions active past the timeout"
    }

    fn waits(&self) -> bool {
        true
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let idle = stage.options().idle_timeout();
        let span = idle + idle / 5;
        let timeline = match stage.monitor() {
            Some(monitor) => Timeline::begin(monitor, &stage.client_name()).await.ok(),
            None => None,
        };
        let clients = stage.options().clients();
        let sessions = stage.open_all(clients).await;
        let beats = (span.as_secs_f64() / (idle / BEATS).as_secs_f64()).ceil() as usize;
        stage.bar.expect(sessions.len() * beats);
        let pinged: usize =
            join_all(sessions.iter().map(|session| beat(stage, session, idle / BEATS, span))).await.iter().sum();
        let mut criteria = vec![
            Criterion::all("every client connects", sessions.len(), clients),
            Criterion::check(
                "every ping is answered",
                pinged > 0 && stage.measure.failures_of("ping") == 0,
                format!("{pinged} answered over {span:?}, one every {:?}", idle / BEATS),
            ),
        ];
        criteria.extend(seen_from_inside(stage, timeline, &sessions).await);
        stage.clean_up(&sessions).await;
        criteria
    }
}

/// Pings until the span is over; how many pings were answered.
async fn beat(stage: &Stage, session: &Session, interval: Duration, span: Duration) -> usize {
    let (began, mut answered, mut next) = (Instant::now(), 0, Instant::now());
    while began.elapsed() < span {
        answered += usize::from(stage.measure.time("ping", session.ping()).await.is_ok());
        stage.bar.step();
        next += interval;
        tokio::time::sleep_until(next.into()).await;
    }
    answered
}

async fn seen_from_inside(stage: &Stage, timeline: Option<Timeline>, sessions: &[Session]) -> Vec<Criterion> {
    let skipped = |why: &str| [NEVER, ACTIVE].map(|name| Criterion::skipped(name, why)).to_vec();
    let (Some(monitor), Some(mut timeline)) = (stage.monitor(), timeline) else { return skipped(NO_MONITOR) };
    let keys: HashSet<&str> = sessions.iter().filter_map(Session::key).collect();
    if keys.is_empty() {
        return skipped(NO_KEY);
    }
    let seen = async {
        let events = timeline.read().await?;
        let marked: HashSet<_> = events
            .iter()
            .filter(|event| event.kind == "session_disconnected" && keys.contains(event.session.as_str()))
            .map(|event| event.session.clone())
            .collect();
        let statuses = statuses(monitor, &stage.client_name()).await?;
        let active = keys.iter().filter(|key| statuses.get(**key).is_some_and(|status| status == "active"));
        Ok::<_, crate::client::Failure>((marked.len(), active.count()))
    };
    match seen.await {
        Ok((marked, active)) => vec![
            Criterion::check(NEVER, marked == 0, format!("{marked} of {} were", keys.len())),
            Criterion::all(ACTIVE, active, stage.options().clients()),
        ],
        Err(failure) => vec![Criterion::failed(NEVER, format!("the monitor: {failure}"))],
    }
}
