//! Sessions open and close at a rate, whatever became of those before.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{FuturesUnordered, StreamExt};

use super::{Scenario, stage::Stage};
use crate::client::Client;
use crate::criteria::Criterion;
use crate::pace::Pace;

pub struct Churn;

/// Sessions a second, unless told.
pub const RATE: f64 = 20.0;

/// What came of it.
#[derive(Default)]
pub struct Churned {
    pub begun: usize,
    /// Opened, used and closed.
    pub good: usize,
}

#[async_trait(?Send)]
impl Scenario for Churn {
    fn name(&self) -> &'static str {
        "churn"
    }

    fn about(&self) -> &'static str {
        "sessions open and close at a rate"
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let before = total(stage).await;
        let rate = stage.options().rate.unwrap_or(RATE);
        let churned = churn(stage, stage.options().duration(), rate, async |number, begin| {
            live(stage, &stage.client(number), number, begin).await
        })
        .await;
        let lost = stage.measure.count_of("404 session lost");
        vec![
            Criterion::all("every session opens, works and closes", churned.good, churned.begun),
            Criterion::check("no session is lost", lost == 0, format!("{lost} answers said 404")),
            nothing_stays(stage, before).await,
        ]
    }
}

/// Begins something at a rate for a while, and waits for the end of all of it.
pub async fn churn(
    stage: &Stage,
    span: Duration,
    rate: f64,
    doing: impl AsyncFn(usize, std::time::Instant) -> bool,
) -> Churned {
    let (pace, turns) = (Pace::new(rate), (span.as_secs_f64() * rate).ceil().max(1.0) as usize);
    stage.bar.expect(turns);
    let (mut churned, mut running) = (Churned::default(), FuturesUnordered::new());
    let mut turn = 0;
    loop {
        tokio::select! {
            begin = pace.turn(turn), if turn < turns && !stage.is_stopped() => {
                running.push(doing(turn, begin));
                churned.begun += 1;
                turn += 1;
            }
            Some(good) = running.next() => {
                churned.good += usize::from(good);
                stage.bar.step();
            }
            else => return churned,
        }
    }
}

/// One short life; the time of connecting counts from when it was due.
async fn live(stage: &Stage, client: &Client, number: usize, begin: std::time::Instant) -> bool {
    let Ok(session) = stage.measure.time_from("connect", begin, stage.connect(client, None)).await else {
        return false;
    };
    let mut good = true;
    for call in 0..stage.options().calls {
        good &= stage.call(&session, &format!("{number}.{call}")).await.is_ok();
    }
    good & stage.close(&session).await.is_ok()
}

/// The sessions that the monitor counts.
async fn total(stage: &Stage) -> Option<u64> {
    let (health, _) = stage.monitor()?.health().await.ok()?;
    health["status_breakdown"]["total"].as_u64()
}

/// Nobody else may open or close sessions meanwhile for this to be exact; more than before is what would be wrong.
async fn nothing_stays(stage: &Stage, before: Option<u64>) -> Criterion {
    let name = "no session stays behind";
    let (Some(before), Some(after)) = (before, total(stage).await) else {
        return Criterion::skipped(name, super::stage::NO_MONITOR);
    };
    Criterion::check(name, after <= before, format!("{before} before, {after} after"))
}
