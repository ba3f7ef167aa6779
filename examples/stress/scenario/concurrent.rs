//! All clients at once, many calls each: no conflict, no answer that belongs to somebody else.

use std::collections::HashSet;

use async_trait::async_trait;
use futures::future::join_all;

use super::{Scenario, stage::Stage};
use crate::client::Session;
use crate::criteria::Criterion;
use crate::pace::Pace;

pub struct Concurrent;

#[async_trait(?Send)]
impl Scenario for Concurrent {
    fn name(&self) -> &'static str {
        "concurrent"
    }

    fn about(&self) -> &'static str {
        "all clients at once, every one with its calls"
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let (clients, calls) = (stage.options().clients(), stage.options().calls as usize);
        stage.bar.expect(clients * calls);
        let opened = join_all((0..clients).map(async |number| stage.open(&stage.client(number)).await)).await;
        let sessions: Vec<_> = opened.into_iter().flatten().collect();
        let answered = match stage.options().rate {
            Some(rate) => at_a_rate(stage, &sessions, calls, rate).await,
            None => one_by_one(stage, &sessions, calls).await,
        };
        let criteria = vec![
            Criterion::all("every client connects", sessions.len(), clients),
            distinct(&sessions),
            Criterion::all("every call is answered", answered, clients * calls),
            not_crossed(stage, answered),
            no_session_lost(stage),
        ];
        stage.clean_up(&sessions).await;
        criteria
    }
}

/// Each client waits for its answer before it calls again.
async fn one_by_one(stage: &Stage, sessions: &[Session], calls: usize) -> usize {
    let clients = sessions.iter().enumerate().map(async |(number, session)| {
        let mut answered = 0;
        for call in 0..calls {
            answered += usize::from(stage.call(session, &format!("{number}.{call}")).await.is_ok());
            stage.bar.step();
        }
        answered
    });
    join_all(clients).await.into_iter().sum()
}

/// Calls begin when they are due, whatever became of those before.
async fn at_a_rate(stage: &Stage, sessions: &[Session], calls: usize, rate: f64) -> usize {
    let due = Pace::new(rate);
    let calls =
        (0..calls).flat_map(|call| sessions.iter().enumerate().map(move |(number, session)| (number, call, session)));
    let calls = calls.enumerate().map(async |(turn, (number, call, session))| {
        let begin = due.turn(turn).await;
        let unique = format!("{} {number}.{call}", stage.name);
        let answered = stage.measure.time_from("call", begin, stage.server.errand.run(session, &unique)).await;
        stage.bar.step();
        usize::from(answered.is_ok())
    });
    join_all(calls).await.into_iter().sum()
}

fn distinct(sessions: &[Session]) -> Criterion {
    let name = "every client has a session of its own";
    let mut keys = HashSet::new();
    let with_id = sessions.iter().filter(|session| session.has_id()).count();
    if with_id == 0 {
        return Criterion::skipped(name, "the server gives no session ids");
    }
    let own = sessions.iter().enumerate().filter(|(at, session)| match session.key() {
        Some(key) => keys.insert(key),
        None => sessions[..*at].iter().all(|other| !session.has_id_of(other)),
    });
    Criterion::all(name, own.count(), sessions.len())
}

fn not_crossed(stage: &Stage, answered: usize) -> Criterion {
    let crossed = stage.measure.count_of("crossed answer");
    let by = if stage.server.errand.tells_whose() { "by what they say" } else { "by the request's id alone" };
    Criterion::check(
        "no answer is crossed",
        crossed == 0 && answered > 0,
        format!("{crossed} crossed, {answered} right, {by}"),
    )
}

fn no_session_lost(stage: &Stage) -> Criterion {
    let lost = stage.measure.count_of("404 session lost");
    Criterion::check("no session is lost", lost == 0, format!("{lost} answers said 404"))
}
