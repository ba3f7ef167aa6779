//! Coming back: without a token a client gets a new session, with one its own; tokens that are no good are refused, and of
//! several that use one at once exactly one wins.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

use super::Scenario;
use super::stage::Stage;
use super::tokens::{Refusals, forged, lifetime};
use crate::client::{Client, Coming, Session};
use crate::criteria::Criterion;
use crate::report::time;

pub struct Reconnect;

/// Clients that use one token at once.
const RIVALS: usize = 10;
/// How far the clocks of a server's replicas may be apart, and then some.
const EXPIRED_AFTER: Duration = Duration::from_millis(6_500);
const NO_TOKENS: &str = "the server gives no reconnect tokens";

#[async_trait(?Send)]
impl Scenario for Reconnect {
    fn name(&self) -> &'static str {
        "reconnect"
    }

    fn about(&self) -> &'static str {
        "a session back for a token; bad tokens refused; one winner"
    }

    fn waits(&self) -> bool {
        true
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion> {
        let clients: Vec<_> = (0..stage.options().clients()).collect();
        stage.bar.expect(clients.len() * 4);
        let fresh = stage.each(&clients, async |number| gets_a_new_one(stage, *number).await).await;
        let mut criteria = vec![all("without a token: a new session", &fresh)];
        let (expiring, rest) = tokio::join!(expired(stage), with_tokens(stage, &clients));
        criteria.extend(rest);
        criteria.push(expiring);
        criteria
    }
}

fn all(name: &str, good: &[Option<bool>]) -> Criterion {
    let known: Vec<_> = good.iter().flatten().collect();
    match known.is_empty() {
        true => Criterion::skipped(name, NO_TOKENS),
        false => Criterion::all(name, known.iter().filter(|good| ***good).count(), known.len()),
    }
}

/// Connects twice, as a client that has forgotten everything does.
async fn gets_a_new_one(stage: &Stage, number: usize) -> Option<bool> {
    let client = stage.client(number);
    let (Ok(first), Ok(second)) = (stage.open(&client).await, stage.open(&client).await) else { return Some(false) };
    let is_new = second.has_id() && !first.has_id_of(&second) && (first.key().is_none() || first.key() != second.key());
    stage.clean_up(&[first, second]).await;
    stage.bar.step();
    Some(is_new)
}

async fn with_tokens(stage: &Stage, clients: &[usize]) -> Vec<Criterion> {
    let same = stage.each(clients, async |number| gets_its_own(stage, *number).await).await;
    let refusals = Refusals::default();
    stage.each(clients, async |number| refused(stage, *number, &refusals).await).await;
    // Each of these is a crowd already.
    let mut one_winner = Vec::new();
    for number in clients {
        one_winner.push(wins_alone(stage, *number).await);
        stage.bar.step();
    }
    let mut criteria = vec![all("with a token: the same session under a new id", &same)];
    criteria.extend(refusals.criteria(stage));
    criteria.push(all(&format!("of {RIVALS} that use one token at once, one wins"), &one_winner));
    criteria
}

/// Comes back with its token, to the next replica: same session, same data, and the id from before is worth nothing.
async fn gets_its_own(stage: &Stage, number: usize) -> Option<bool> {
    let mut client = stage.client(number);
    let Ok(session) = stage.open(&client).await else { return Some(false) };
    stage.bar.step();
    let Some(token) = session.token() else {
        stage.clean_up(&[session]).await;
        return None;
    };
    let left = leave_note(stage, &session, number).await;
    client.home += 1;
    let Ok(back) = stage.come_back(&client, &token).await else { return Some(false) };
    let is_same = back.key() == session.key() && !back.has_id_of(&session);
    let has_note = !left || finds_note(&back, number).await;
    let old_is_lost = stage
        .seen(Duration::from_secs(2), async || session.ping().await.err().filter(|failure| failure.is_session_lost()));
    let old_is_lost = old_is_lost.await.is_some();
    stage.clean_up(&[back]).await;
    Some(is_same && has_note && old_is_lost)
}

async fn leave_note(stage: &Stage, session: &Session, number: usize) -> bool {
    let arguments = serde_json::json!({"name": "mark", "value": format!("of {number}")});
    stage.has_tool("note_put") && stage.measure.time("note_put", session.call("note_put", arguments)).await.is_ok()
}

async fn finds_note(session: &Session, number: usize) -> bool {
    let found = session.call("note_get", serde_json::json!({"name": "mark"})).await;
    found.is_ok_and(|found| found == format!("of {number}"))
}

/// Tries tokens that are no good.
async fn refused(stage: &Stage, number: usize, refusals: &Refusals) {
    let client = stage.client(number);
    let (Ok(session), Ok(other)) = (stage.open(&client).await, stage.open(&stage.client(number + 1)).await) else {
        return;
    };
    if let (Some(token), Some(of_other)) = (session.token(), other.token()) {
        refusals.note("forged", client.come(Coming::With(&forged(&token))).await.map(drop));
        if let Some(principal) = &client.principal {
            let mut thief = client.clone();
            thief.principal = Some(format!("{principal}-thief"));
            refusals.note("foreign", thief.come(Coming::With(&of_other)).await.map(drop));
        } else if let (Some(monitor), Some(key)) = (stage.monitor(), session.key()) {
            refusals.note("foreign", monitor.reconnect(key, &of_other).await.map(drop));
        }
        match stage.come_back(&client, &token).await {
            Ok(back) => {
                refusals.note("spent", client.come(Coming::With(&token)).await.map(drop));
                stage.clean_up(&[back]).await;
            }
            Err(_) => stage.clean_up(&[session]).await,
        }
    }
    stage.clean_up(&[other]).await;
    stage.bar.step();
}

/// Several use one token at once, on all replicas.
async fn wins_alone(stage: &Stage, number: usize) -> Option<bool> {
    let client = stage.client(number);
    let session = stage.open(&client).await.ok()?;
    let Some(token) = session.token() else {
        stage.clean_up(&[session]).await;
        return None;
    };
    let rivals = (0..RIVALS).map(|rival| {
        let mut rivalling = client.clone();
        rivalling.home += rival;
        let token = &token;
        async move { stage.connect(&rivalling, Some(token)).await }
    });
    let outcomes = join_all(rivals).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let mut fair = won.len() == 1;
    for failure in lost.iter().filter_map(|lost| lost.as_ref().err()) {
        if !failure.is(reqwest::StatusCode::CONFLICT) {
            stage.measure.failed("rivalling", failure);
            fair = false;
        }
    }
    let winners: Vec<_> = won.into_iter().flatten().collect();
    for winner in &winners {
        fair &= winner.ping().await.is_ok();
    }
    // Should there be several: it is one session.
    stage.clean_up(&winners[..winners.len().min(1)]).await;
    Some(fair)
}

/// Waits until a token has expired, if it does within this run.
async fn expired(stage: &Stage) -> Criterion {
    let name = "an expired token is refused";
    let client = stage.client(0);
    let Ok(session) = stage.open(&client).await else { return Criterion::failed(name, "no session could be opened") };
    let criterion = match session.token() {
        Some(token) => expires(stage, name, &client, &token).await,
        None => Criterion::skipped(name, NO_TOKENS),
    };
    stage.clean_up(&[session]).await;
    criterion
}

async fn expires(stage: &Stage, name: &str, client: &Client, token: &str) -> Criterion {
    let Some(lifetime) = lifetime(token) else {
        return Criterion::skipped(name, "the tokens do not say when they expire");
    };
    if lifetime > stage.options().duration() {
        let why = format!("tokens live {}, longer than this run: start the server with --token-ttl 1s", time(lifetime));
        return Criterion::skipped(name, why);
    }
    tokio::time::sleep(lifetime + EXPIRED_AFTER).await;
    let refusals = Refusals::default();
    refusals.note("expired", client.come(Coming::With(token)).await.map(drop));
    refusals.criterion(stage, "expired", name)
}
