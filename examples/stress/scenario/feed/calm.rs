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

/// Compares over a span, and leaves the figures as evidence; what went wrong meanwhile.
pub async fn compare(stage: &Stage, monitor: &Monitor, span: Duration) -> Result<String, String> {
    let sessions = stage.open_all(stage.options().clients()).await;
    let until = Instant::now() + span;
    let clients = futures::future::join_all(
        sessions.iter().enumerate().map(|(number, session)| chat(stage, session, number, until)),
    );
    let measuring = join(view(monitor, until), poll(stage, monitor, until));
    let (answered, (viewed, polled)) = join(clients, measuring).await;
    stage.clean_up(&sessions).await;
    let feed_bytes = viewed.map_err(|failure| format!("the viewer: {failure}"))?;
    let (poll_bytes, polls) = polled.map_err(|failure| format!("the poller: {failure}"))?;
    let poll_interval = stage.options().scaled(POLL_INTERVAL);
    let falls_idle = stage.options().idle_timeout() < stage.options().scaled(THINKS);
    stage.server.evidence.compared(Traffic { span, feed_bytes, poll_bytes, polls, poll_interval, falls_idle });
    let (answered, failed) = (answered.iter().sum::<usize>(), stage.measure.failures_of("call"));
    match failed {
        0 => Ok(format!("{answered} calls, {polls} polls")),
        _ => Err(format!("{failed} calls failed, {answered} were answered")),
    }
}

/// Calls now and then; how many calls were answered.
async fn chat(stage: &Stage, session: &Session, number: usize, until: Instant) -> usize {
    let (mut answered, mut random) = (0, stage.random(number));
    loop {
        let pause = stage.options().scaled(THINKS).mul_f64(random.random_range(0.2..1.0));
        if Instant::now() + pause >= until {
            return answered;
        }
        tokio::time::sleep(pause).await;
        answered += usize::from(stage.call(session, &format!("{number} in the calm")).await.is_ok());
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
