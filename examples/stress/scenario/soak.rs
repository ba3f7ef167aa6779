//! Sessions stay and call now and then: nothing fails, nobody is forgotten, memory stays flat.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::join_all;
use rand::RngExt;

use super::{Scenario, stage::Stage};
use crate::client::Session;
use crate::criteria::{Criterion, NOT_MEASURED};
use crate::report::bytes;

pub struct Soak;

/// A client's pause between calls, at the most.
const PAUSE: Duration = Duration::from_secs(10);
/// How much memory may grow in the second half.
const GROWTH: f64 = 0.10;
/// What an allocator keeps is no leak.
const NOISE: f64 = 8e6;

#[async_trait(?Send)]
impl Scenario for Soak {
    fn name(&self) -> &'static str {
        "soak"
    }

    fn about(&self) -> &'static str {
        "sessions stay and call now and then"
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let clients = stage.options().clients();
        let sessions = stage.open_all(clients).await;
        let until = Instant::now() + stage.options().duration();
        let working = join_all(
            sessions.iter().enumerate().map(async |(number, session)| work(stage, session, number, until).await),
        );
        let (answered, weights) = tokio::join!(working, weigh(stage, until));
        let answered: usize = answered.iter().sum();
        let failed = stage.measure.failures_of("call");
        let lost = stage.measure.count_of("404 session lost");
        stage.clean_up(&sessions).await;
        vec![
            Criterion::all("every client connects", sessions.len(), clients),
            Criterion::check(
                "every call is answered",
                failed == 0 && answered > 0,
                format!("{answered} answered, {failed} failed"),
            ),
            Criterion::check("no session is lost", lost == 0, format!("{lost} answers said 404")),
            flat(weights),
        ]
    }
}

/// Calls with pauses; how many calls were answered.
async fn work(stage: &Stage, session: &Session, number: usize, until: Instant) -> usize {
    let (mut random, mut answered) = (stage.random(number), 0);
    let longest = stage.options().scaled(PAUSE);
    while Instant::now() < until {
        let pause = longest.mul_f64(random.random_range(0.0..1.0));
        stage.rest(pause.min(until.saturating_duration_since(Instant::now()))).await;
        if stage.is_stopped() {
            break;
        }
        stage.bar.expect(1);
        answered += usize::from(stage.call(session, &format!("{number}.{answered}")).await.is_ok());
        stage.bar.step();
    }
    answered
}

/// The server's memory in the middle and at the end.
async fn weigh(stage: &Stage, until: Instant) -> Option<(u64, u64)> {
    let half = until.saturating_duration_since(Instant::now()) / 2;
    let weighing = async {
        tokio::time::sleep(half).await;
        let middle = stage.server.processes.weigh().await;
        tokio::time::sleep_until(until.into()).await;
        middle.zip(stage.server.processes.weigh().await)
    };
    tokio::select! {
        weights = weighing => weights,
        () = stage.server.stop.cancelled() => None,
    }
}

fn flat(weights: Option<(u64, u64)>) -> Criterion {
    let name = "memory stays flat in the second half";
    let Some((middle, end)) = weights.map(|(middle, end)| (middle as f64, end as f64)) else {
        return Criterion::skipped(name, NOT_MEASURED);
    };
    let is_flat = end - middle <= (middle * GROWTH).max(NOISE);
    Criterion::check(name, is_flat, format!("{} in the middle, {} at the end", bytes(middle), bytes(end)))
}
