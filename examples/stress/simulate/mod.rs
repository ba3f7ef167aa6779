//! Believable clients for the demonstration of a dashboard: they come one after another, work as their kind does, are idle,
//! leave without a word, return, and say goodbye.
//!
//! | file | question it answers |
//! |---|---|
//! | `kinds` | which clients are there, and how do they behave? |
//! | `life` | what does one of them do all day? |

mod kinds;
mod life;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use rand::RngExt;

use self::kinds::KINDS;
use crate::criteria::Criterion;
use crate::report::time;
use crate::scenario::{Scenario, Stage};

pub struct Simulate;

const CLIENTS: usize = 200;
/// How long it takes until all are there.
const RAMP: Duration = Duration::from_secs(60);
/// How often it is said what goes on.
const TELL: Duration = Duration::from_secs(10);

/// What all of them did so far.
#[derive(Default)]
struct Doings {
    present: AtomicU64,
    opened: AtomicU64,
    calls: AtomicU64,
    returned: AtomicU64,
    reconnected: AtomicU64,
    vanished: AtomicU64,
    ended: AtomicU64,
    failures: AtomicU64,
}

#[async_trait(?Send)]
impl Scenario for Simulate {
    fn name(&self) -> &'static str {
        "simulate"
    }

    fn about(&self) -> &'static str {
        "believable clients, until Ctrl-C"
    }

    fn is_endless(&self) -> bool {
        true
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let clients = stage.options().clients.map_or(CLIENTS, |clients| clients as usize);
        let doings = Arc::new(Doings::default());
        let say = |line: String| stage.server.progress.say(&line);
        let ramp = stage.options().scaled(RAMP);
        let stay =
            stage.options().duration.map_or_else(String::new, |span| format!(", all is over after {}", time(span)));
        let kinds = KINDS.len();
        say(format!("{clients} clients of {kinds} kinds come within {}{stay}; Ctrl-C ends it", time(ramp)));
        let lives = join_all((0..clients).map(|number| begin(stage, number, ramp / clients as u32, &doings)));
        let telling = async {
            loop {
                tokio::time::sleep(TELL).await;
                say(doings.told());
            }
        };
        let over = async {
            match stage.options().duration {
                Some(span) => stage.rest(span).await,
                None => stage.server.stop.cancelled().await,
            }
        };
        tokio::select! {
            _ = lives => {}
            () = telling => {}
            () = over => {}
        }
        stage.note(doings.told());
        vec![]
    }
}

/// One client, from when its turn comes.
async fn begin(stage: &Stage, number: usize, apart: Duration, doings: &Doings) {
    let mut random = stage.random(number);
    let turn = apart.mul_f64(number as f64 + random.random_range(0.0..1.0));
    tokio::time::sleep(turn).await;
    life::live(stage, kinds::any(&mut random), number, random, doings).await;
}

impl Doings {
    fn count(which: &AtomicU64) {
        which.fetch_add(1, Ordering::Relaxed);
    }

    fn told(&self) -> String {
        let now = |which: &AtomicU64| which.load(Ordering::Relaxed);
        format!(
            "{} clients present; {} sessions opened, {} calls, {} vanished, {} returned with their id, {} with a token, {} \
             said goodbye, {} failures",
            now(&self.present),
            now(&self.opened),
            now(&self.calls),
            now(&self.vanished),
            now(&self.returned),
            now(&self.reconnected),
            now(&self.ended),
            now(&self.failures)
        )
    }
}
