//! Viewers watch sessions come and go: every one sees every event, once, and soon. Then it is quiet, and a dashboard over the
//! feed is compared with one that polls.

mod calm;
mod watching;

use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::watching::{Caused, Watching};
use super::churn::{RATE, churn};
use super::stage::{NO_KEY, NO_MONITOR};
use super::{Scenario, Stage};
use crate::criteria::Criterion;

pub struct Feed;

const WATCH: &str = "every viewer is let in";
const LIVES: &str = "every session opens and closes";
const SEEN: &str = "every viewer sees every session come and go";
const ONCE: &str = "nobody is told twice";
const COMPARED: &str = "then, in an ordinary while, nothing fails";
const NAMES: [&str; 5] = [WATCH, LIVES, SEEN, ONCE, COMPARED];

/// How long a session of the churn lives at least.
const LIFE: Duration = Duration::from_millis(100);
/// No requirement: how long stragglers are waited for.
const STRAGGLERS: Duration = Duration::from_secs(10);

#[async_trait(?Send)]
impl Scenario for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn about(&self) -> &'static str {
        "viewers see sessions come and go; then feed against polling"
    }

    fn waits(&self) -> bool {
        true
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let skipped = |why: &str| NAMES.map(|name| Criterion::skipped(name, why)).into();
        let Some(monitor) = stage.monitor() else { return skipped(NO_MONITOR) };
        let viewers = stage.options().viewers as usize;
        let watching = Watching::begin(stage, viewers).await;
        if watching.viewers() == 0 {
            return vec![Criterion::all(WATCH, 0, viewers)];
        }
        let caused = Caused::default();
        let (third, rate) = (stage.options().duration() / 3, stage.options().rate.unwrap_or(RATE));
        let churned = churn(stage, third, rate, async |number, _| come_and_go(stage, number, &caused).await).await;
        let caused = caused.all();
        if caused.is_empty() && stage.measure.failures_of("connect") == 0 {
            return skipped(NO_KEY);
        }
        let let_in = watching.viewers();
        let seen = watching.end(&caused, STRAGGLERS).await;
        seen.measure(stage, &caused);
        let compared = calm::compare(stage, monitor, stage.options().duration() - third).await;
        vec![
            Criterion::all(WATCH, let_in, viewers),
            Criterion::all(LIVES, churned.good, churned.begun),
            seen.complete(SEEN, &caused, let_in),
            seen.once(ONCE, &caused),
            Criterion::check(COMPARED, compared.is_ok(), compared.unwrap_or_else(|why| why)),
        ]
    }
}

/// One short life, of which is noted when its events were caused.
async fn come_and_go(stage: &Stage, number: usize, caused: &Caused) -> bool {
    let begin = Instant::now();
    let Ok(session) = stage.open(&stage.client(number)).await else { return false };
    if let Some(key) = session.key() {
        caused.note("session_created", key, begin);
    }
    tokio::time::sleep(LIFE).await;
    let end = Instant::now();
    let closed = stage.close(&session).await.is_ok();
    if let (true, Some(key)) = (closed, session.key()) {
        caused.note("session_terminated", key, end);
    }
    closed
}
