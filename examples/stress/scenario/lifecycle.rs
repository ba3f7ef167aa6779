//! Connect, call, look into the monitor, disconnect: all succeed, for each client.

use std::time::Duration;

use async_trait::async_trait;

use super::Scenario;
use super::stage::{NO_KEY, NO_MONITOR, Stage};
use crate::client::{Failure, Session};
use crate::criteria::Criterion;

pub struct Lifecycle;

/// An ended session is known to no replica after this time.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(1);
/// No requirement, but the end of patience.
const LOOK_FOR: Duration = Duration::from_secs(10);

/// How far one client came.
#[derive(Default)]
struct Came {
    connected: bool,
    /// Calls that were answered.
    calls: usize,
    /// Found in the monitor; `None` where nobody can look.
    seen: Option<bool>,
    disconnected: bool,
    /// No longer in the monitor.
    unseen: Option<bool>,
    /// The id was refused afterwards; `None` if the server keeps no sessions.
    forgotten: Option<bool>,
}

#[async_trait(?Send)]
impl Scenario for Lifecycle {
    fn name(&self) -> &'static str {
        "lifecycle"
    }

    fn about(&self) -> &'static str {
        "connect, call, look into the monitor, disconnect"
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let clients: Vec<_> = (0..stage.options().clients()).collect();
        stage.bar.expect(clients.len());
        let came = stage.each(&clients, async |number| live(stage, *number).await).await;
        let (of, calls) = (came.len(), stage.options().calls as usize);
        let count = |good: fn(&Came) -> bool| came.iter().filter(|came| good(came)).count();
        let answered = came.iter().map(|came| came.calls).sum();
        vec![
            Criterion::all("every client connects", count(|came| came.connected), of),
            Criterion::all("every call is answered", answered, of * calls),
            judged("the monitor shows every session", &came, |came| came.seen, unseen_because(stage)),
            Criterion::all("every client disconnects", count(|came| came.disconnected), of),
            judged("the monitor forgets every session", &came, |came| came.unseen, unseen_because(stage)),
            judged(
                "an ended session answers 404 within a second",
                &came,
                |came| came.forgotten,
                "there are no sessions",
            ),
        ]
    }
}

fn unseen_because(stage: &Stage) -> &'static str {
    if stage.monitor().is_none() { NO_MONITOR } else { NO_KEY }
}

/// Skipped unless it could be seen for somebody.
fn judged(name: &str, came: &[Came], what: fn(&Came) -> Option<bool>, otherwise: &str) -> Criterion {
    let seen: Vec<_> = came.iter().filter_map(what).collect();
    match seen.is_empty() {
        true => Criterion::skipped(name, otherwise),
        false => Criterion::all(name, seen.iter().filter(|seen| **seen).count(), seen.len()),
    }
}

async fn live(stage: &Stage, number: usize) -> Came {
    let mut came = Came::default();
    let Ok(session) = stage.open(&stage.client(number)).await else { return came };
    came.connected = true;
    for call in 0..stage.options().calls {
        came.calls += usize::from(stage.call(&session, &format!("{number}.{call}")).await.is_ok());
    }
    let watched = stage.monitor().zip(session.key());
    if let Some((monitor, key)) = watched {
        let looking = stage.seen(LOOK_FOR, async || monitor.session(key).await.ok().flatten()).await;
        let is_right =
            looking.is_some_and(|seen| seen["client_type"] == stage.client_name() && seen["status"] == "active");
        came.seen = Some(is_right);
    }
    came.disconnected = stage.close(&session).await.is_ok();
    if let Some((monitor, key)) = watched {
        let gone = stage
            .seen(LOOK_FOR, async || monitor.session(key).await.is_ok_and(|seen| seen.is_none()).then_some(()))
            .await;
        came.unseen = Some(gone.is_some());
    }
    came.forgotten =
        if session.has_id() && came.disconnected { Some(is_forgotten(stage, &session).await) } else { None };
    stage.bar.step();
    came
}

/// Whether no replica serves the session any longer, one second after its end.
async fn is_forgotten(stage: &Stage, session: &Session) -> bool {
    tokio::time::sleep(FORGOTTEN_WITHIN).await;
    for home in 0..stage.server.target.urls.len() {
        let lost = session.at(home).ping().await.err().is_some_and(|failure: Failure| failure.is_session_lost());
        if !lost {
            return false;
        }
    }
    true
}
