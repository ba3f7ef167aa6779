//! What one client does all day.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use super::Doings;
use super::kinds::Kind;
use crate::client::{Client, Session};
use crate::scenario::Stage;

/// Between two calls of a burst.
const TYPING: Range<f64> = 0.1..2.5;
/// After something failed.
const PAUSE: Range<f64> = 2.0..10.0;
/// Of a hundred that come back, so many have kept their id, and so many of the others a token.
const KEEPS_ID: u32 = 55;
const KEEPS_TOKEN: u32 = 80;

/// What is left of a session when its client comes back.
enum Left {
    Nothing,
    Id(Session),
    Token(String),
}

/// Lives for ever. Whoever ends it closes the sessions.
pub async fn live(stage: &Stage, kind: &Kind, number: usize, mut random: StdRng, doings: &Doings) {
    let version = kind.versions[random.random_range(0..kind.versions.len())];
    let client = Client { name: kind.name.to_owned(), version: version.to_owned(), ..stage.client(number) };
    let mut left = Left::Nothing;
    loop {
        let Some(session) = come(stage, &client, left, doings).await else {
            left = Left::Nothing;
            rest(stage, &mut random, PAUSE).await;
            continue;
        };
        doings.present.fetch_add(1, Ordering::Relaxed);
        left = work(stage, kind, session, &mut random, doings).await;
        doings.present.fetch_sub(1, Ordering::Relaxed);
        rest(stage, &mut random, kind.away.clone()).await;
    }
}

/// Comes with what is left; a new session if that is worth nothing any longer.
async fn come(stage: &Stage, client: &Client, left: Left, doings: &Doings) -> Option<Session> {
    match left {
        Left::Id(session) => {
            if stage.measure.time("return", session.ping()).await.is_ok() {
                Doings::count(&doings.returned);
                return Some(session);
            }
        }
        Left::Token(token) => {
            if let Ok(session) = stage.come_back(client, &token).await {
                Doings::count(&doings.reconnected);
                return Some(session);
            }
        }
        Left::Nothing => {}
    }
    match stage.open(client).await {
        Ok(session) => {
            Doings::count(&doings.opened);
            Some(session)
        }
        Err(_) => {
            Doings::count(&doings.failures);
            None
        }
    }
}

/// Works in bursts until it leaves, in one way or another.
async fn work(stage: &Stage, kind: &Kind, session: Session, random: &mut StdRng, doings: &Doings) -> Left {
    // What the server says by itself is read by nobody; the stream is open all the same.
    let listening = async {
        match kind.listens.then(|| session.listen()) {
            Some(listening) => {
                if let Ok(mut events) = listening.await {
                    while let Ok(Some(_)) = events.next().await {}
                }
                std::future::pending::<()>().await;
            }
            None => std::future::pending().await,
        }
    };
    let working = async {
        loop {
            for _ in 0..random.random_range(kind.burst.clone()) {
                let called = stage.call(&session, &format!("{}", random.random::<u32>())).await;
                Doings::count(if called.is_ok() { &doings.calls } else { &doings.failures });
                if called.is_err() {
                    break;
                }
                rest(stage, random, TYPING).await;
            }
            let dice = random.random_range(0..100);
            if dice < kind.ends {
                return true;
            }
            if dice < kind.ends + kind.vanishes {
                return false;
            }
            rest(stage, random, kind.thinks.clone()).await;
        }
    };
    let says_goodbye = tokio::select! {
        says_goodbye = working => says_goodbye,
        () = listening => false,
    };
    if says_goodbye {
        Doings::count(&doings.ended);
        let _ = stage.close(&session).await;
        return Left::Nothing;
    }
    Doings::count(&doings.vanished);
    match session.token() {
        _ if random.random_ratio(KEEPS_ID, 100) => Left::Id(session),
        Some(token) if random.random_ratio(KEEPS_TOKEN, 100) => Left::Token(token),
        _ => Left::Nothing,
    }
}

/// Does nothing for a while.
async fn rest(stage: &Stage, random: &mut StdRng, seconds: Range<f64>) {
    let pause = stage.options().scaled(Duration::from_secs_f64(random.random_range(seconds)));
    tokio::time::sleep(pause).await;
}
