//! An ordinary while, with a few clients that call now and then: what a dashboard over the feed costs, and one that polls.

use std::time::{Duration, Instant};

use futures::future::join;
use rand::RngExt;

use super::super::Stage;
use crate::client::{Failure, Session};
use crate::evidence::{POLL_INTERVAL, Traffic};
use crate::monitor::{Monitor, Viewer};

/// How long a client thinks between calls, at the most.
const THINKS: Duration = Duration::from_secs(60);

/// Compares over a span, and leaves the figures as evidence.
pub async fn compare(stage: &Stage, span: Duration) {
    let Some(monitor) = stage.monitor() else { return };
    let sessions = stage.open_all(stage.options().clients()).await;
    let until = Instant::now() + span;
    let clients = futures::future::join_all(
        sessions.iter().enumerate().map(|(number, session)| chat(stage, session, number, until)),
    );
    let measuring = join(view(monitor, until), poll(stage, monitor, until));
    let (_, (viewed, polled)) = join(clients, measuring).await;
    stage.clean_up(&sessions).await;
    match (viewed, polled) {
        (Ok(feed_bytes), Ok((poll_bytes, polls))) => {
            let poll_interval = stage.options().scaled(POLL_INTERVAL);
            let traffic = Traffic { span, feed_bytes, poll_bytes, polls, poll_interval };
            stage.note(format!("traffic saved over polling: {}", traffic.told()));
            stage.server.evidence.compared(traffic);
        }
        (Err(failure), _) | (_, Err(failure)) => stage.measure.failed("compare traffic", &failure),
    }
}

/// Calls now and then.
async fn chat(stage: &Stage, session: &Session, number: usize, until: Instant) {
    let mut random = stage.random(number);
    loop {
        let pause = stage.options().scaled(THINKS).mul_f64(random.random_range(0.2..1.0));
        if Instant::now() + pause >= until || stage.server.stop.is_cancelled() {
            return;
        }
        tokio::time::sleep(pause).await;
        let _ = stage.call(session, &format!("{number} in the calm")).await;
    }
}

/// Views all sessions from now on; the bytes that took, snapshot and all.
async fn view(monitor: &Monitor, until: Instant) -> Result<u64, Failure> {
    let mut viewer = Viewer::begin(monitor, None).await?;
    loop {
        match tokio::time::timeout_at(until.into(), viewer.next()).await {
            Ok(told) => drop(told?),
            Err(_) => return Ok(viewer.bytes()),
        }
    }
}

/// Asks for health and the list, again and again; the bytes that took, and how often.
async fn poll(stage: &Stage, monitor: &Monitor, until: Instant) -> Result<(u64, u64), Failure> {
    let mut ticks = tokio::time::interval(stage.options().scaled(POLL_INTERVAL));
    let (mut bytes, mut polls) = (0, 0);
    while Instant::now() < until {
        ticks.tick().await;
        let (_, health) = monitor.health().await?;
        let (_, list) = monitor.list("").await?;
        bytes += health + list;
        polls += 1;
    }
    Ok((bytes, polls))
}
