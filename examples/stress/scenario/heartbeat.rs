//! Pings keep sessions active past the timeout, while a session that nobody pings does not stay so. Without that one the timeout
//! might be longer than this program was told, and the pings would prove nothing.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::{join, join_all};
use tokio_util::sync::CancellationToken;

use super::Scenario;
use super::stage::{NO_KEY, NO_MONITOR, Stage};
use super::timeline::{Timeline, statuses};
use super::timeout::{SLACK, other_timeout, past_the_timeout};
use crate::client::{Failure, Session};
use crate::criteria::Criterion;
use crate::report::time;

pub struct Heartbeat;

const CONTROL: &str = "a session without pings is marked disconnected";
const NEVER: &str = "none with pings is";
const ACTIVE: &str = "all with pings are active at the end";

/// Pings in the time that a session may be idle.
const BEATS: u32 = 4;
/// How often to look.
const LOOK: Duration = Duration::from_millis(250);

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
        let clients = stage.options().clients();
        let control = Control::leave(stage, clients).await;
        let (sessions, began) = (stage.open_all(clients).await, Instant::now());
        let is_over = CancellationToken::new();
        let beating = join_all(sessions.iter().map(|session| beat(stage, session, &is_over)));
        let waiting = async {
            let control = wait(stage, control).await;
            is_over.cancel();
            control
        };
        let (answered, control) = join(beating, waiting).await;
        let (answered, span) = (answered.iter().sum::<usize>(), began.elapsed());
        let mut criteria = vec![
            Criterion::all("every client connects", sessions.len(), clients),
            Criterion::check(
                "every ping is answered",
                answered > 0 && stage.measure.failures_of("ping") == 0,
                format!("{answered} answered in {:.1} s, one every {}", span.as_secs_f64(), time(interval(stage))),
            ),
        ];
        criteria.extend(match control {
            Ok(control) => judge(stage, control, &sessions).await,
            Err(Without::Reason(why)) => unproven(why),
            Err(Without::Failure(failure)) => vec![Criterion::failed(CONTROL, failure.to_string())],
        });
        stage.clean_up(&sessions).await;
        criteria
    }
}

/// All that takes somebody who looks.
fn unproven(why: &str) -> Vec<Criterion> {
    let why = format!("{why}: whether the timeout is as long as told cannot be seen, and the pings prove little");
    [CONTROL, NEVER, ACTIVE].map(|name| Criterion::skipped(name, &why)).into()
}

fn interval(stage: &Stage) -> Duration {
    stage.options().idle_timeout() / BEATS
}

/// Pings until it is over; how many pings were answered.
async fn beat(stage: &Stage, session: &Session, is_over: &CancellationToken) -> usize {
    let (mut answered, mut next) = (0, Instant::now());
    while !is_over.is_cancelled() {
        answered += usize::from(stage.measure.time("ping", session.ping()).await.is_ok());
        next += interval(stage);
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            () = is_over.cancelled() => {}
        }
    }
    answered
}

/// The session that nobody pings, and what the monitor tells meanwhile.
struct Control {
    session: Session,
    key: String,
    timeline: Timeline,
    /// The sessions that were marked disconnected so far, pinged or not.
    marked: HashSet<String>,
}

/// Why there is no such session.
enum Without {
    /// Nothing could be seen by it.
    Reason(&'static str),
    Failure(Failure),
}

impl Control {
    /// Opens it, and leaves it alone.
    async fn leave(stage: &Stage, number: usize) -> Result<Self, Without> {
        let monitor = stage.monitor().ok_or(Without::Reason(NO_MONITOR))?;
        let timeline = Timeline::begin(monitor, &stage.client_name()).await.map_err(Without::Failure)?;
        let session = stage.open(&stage.client(number)).await.map_err(Without::Failure)?;
        let key = session.key().map(ToOwned::to_owned);
        match key {
            Some(key) => Ok(Self { session, key, timeline, marked: HashSet::new() }),
            None => {
                stage.clean_up(&[session]).await;
                Err(Without::Reason(NO_KEY))
            }
        }
    }

    /// Waits past the timeout, and until it is marked, at most as long as that may take.
    async fn wait(mut self, past: Instant) -> Result<Self, Without> {
        while Instant::now() < past || (!self.is_marked() && Instant::now() < past + SLACK) {
            tokio::time::sleep(LOOK).await;
            let events = self.timeline.read().await.map_err(Without::Failure)?;
            let marked = events.into_iter().filter(|event| event.kind == "session_disconnected");
            self.marked.extend(marked.map(|event| event.session));
        }
        Ok(self)
    }

    fn is_marked(&self) -> bool {
        self.marked.contains(&self.key)
    }
}

/// Waits past the timeout, whether anything can be seen or not.
async fn wait(stage: &Stage, control: Result<Control, Without>) -> Result<Control, Without> {
    let span = past_the_timeout(stage.options().idle_timeout());
    let past = Instant::now() + span;
    let seeing = async {
        match control {
            Ok(control) => control.wait(past).await,
            Err(without) => Err(without),
        }
    };
    join(seeing, stage.bar.wait(span)).await.0
}

async fn judge(stage: &Stage, control: Control, sessions: &[Session]) -> Vec<Criterion> {
    let keys: HashSet<&str> = sessions.iter().filter_map(Session::key).collect();
    let marked = keys.iter().filter(|key| control.marked.contains(**key)).count();
    let idle = stage.options().idle_timeout();
    let after = if control.is_marked() { "it was" } else { "it was not" };
    let mut criteria = vec![
        Criterion::check(CONTROL, control.is_marked(), format!("{after}, the timeout being {}", time(idle)))
            .or_hint(|| other_timeout(idle)),
        Criterion::check(NEVER, marked == 0, format!("{marked} of {} were", keys.len())),
    ];
    stage.clean_up(&[control.session]).await;
    criteria.push(match statuses(control.timeline.monitor(), &stage.client_name()).await {
        Ok(statuses) => {
            let active = keys.iter().filter(|key| statuses.get(**key).is_some_and(|status| status == "active"));
            Criterion::all(ACTIVE, active.count(), stage.options().clients())
        }
        Err(failure) => Criterion::failed(ACTIVE, format!("the monitor: {failure}")),
    });
    criteria
}
