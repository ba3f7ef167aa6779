//! A reasonable client: it marks its attempts, tries again when no answer comes or the server is busy, and looks whether it
//! has what it should have.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::{DOORS, Holder, call, note, put_note, text_of};
use super::Tally;
use crate::harness::random::Random;
use crate::harness::raw::{Client, Whole};
use crate::reconnect::Door;
use crate::reconnect::deployment::Deployment;

/// The longest that a client does without reconnecting, in milliseconds.
const LEISURE: u64 = 1_000;

/// What it waits before its second try, and twice that before the third, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How often anything is tried. No requirement: only what keeps a test from hanging.
const PATIENCE: usize = 40;

pub(super) struct Visitor {
    holder: Holder,
    chance: Random,
    note: String,
    /// How often it has reconnected.
    reconnects: u64,
}

/// How a reconnect ended.
enum Ending {
    /// After so many tries.
    Back(usize),
    Refused(String),
}

impl Visitor {
    /// Opens a session, while all is well.
    pub(super) async fn enters(deployment: &Deployment, number: usize) -> Self {
        let (holder, note) = (Holder::open_on(deployment).await, format!("of visitor {number}"));
        put_note(&holder.session.client, &note).await;
        Self { holder, chance: Random::seeded(number as u64), note, reconnects: 0 }
    }

    /// Reconnects so many times.
    pub(super) async fn reconnects(&mut self, network: SocketAddr, times: usize) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..times {
            sleep(Duration::from_millis(self.chance.below(LEISURE))).await;
            let (door, spent) = (self.chance.one_of(&DOORS), self.holder.clone());
            match self.reconnect(door, network).await {
                Ending::Back(tries) => match self.misses(&spent, door, network).await {
                    None => tally.note(tries),
                    Some(what) => tally.empty_handed.push(what),
                },
                Ending::Refused(how) => tally.refused.push(how),
            }
        }
        tally
    }

    async fn reconnect(&mut self, door: Door, network: SocketAddr) -> Ending {
        self.reconnects += 1;
        let (nonce, mut pause) = (format!("reconnect {}", self.reconnects), FIRST_PAUSE);
        for tries in 1..=PATIENCE {
            match self.holder.try_once(door, network, &nonce).await {
                Some(answer) if answer.status == StatusCode::OK => {
                    self.holder = self.holder.answered(door, &answer);
                    return Ending::Back(tries);
                }
                Some(answer) if !answer.status.is_server_error() => {
                    return Ending::Refused(format!("{door:?}, try {tries}: {:?}", door.outcome(&answer)));
                }
                Some(_) | None => sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        panic!("{door:?}: no answer in {PATIENCE} tries");
    }

    /// What the client misses that has just been told that it is back.
    async fn misses(&self, spent: &Holder, door: Door, network: SocketAddr) -> Option<String> {
        let client = self.holder.at(network);
        let who = insist(&client, &call("whoami", &json!({}))).await;
        if who.status != StatusCode::OK {
            return Some(format!("{door:?}: the new id is answered with {}", who.status));
        }
        if !who.text().contains(self.holder.session.key()) {
            return Some(format!("{door:?}: another session"));
        }
        let kept = insist(&client, &call("note_get", &json!({ "name": "note" }))).await;
        if kept.status != StatusCode::OK || text_of(&kept) != self.note {
            return Some(format!("{door:?}: the note, {}", kept.status));
        }
        // Nobody gets it with the token that was used.
        for _ in 0..PATIENCE {
            match spent.try_once(door, network, "another").await {
                Some(answer) if answer.status == StatusCode::CONFLICT => return None,
                Some(answer) if !answer.status.is_server_error() => {
                    return Some(format!("{door:?}: the spent token is answered with {}", answer.status));
                }
                Some(_) | None => sleep(FIRST_PAUSE).await,
            }
        }
        Some(format!("{door:?}: the spent token is not answered"))
    }

    /// When all is well again: the session is there, was taken as often as this client took it, and has its note.
    pub(super) async fn has_everything(&self, deployment: &Deployment) {
        assert_eq!(deployment.generation(self.holder.session.key()), self.reconnects, "once for each reconnect");
        assert_eq!(deployment.statuses(&self.holder.session.id).await, [200; 3]);
        for address in deployment.addresses {
            assert_eq!(note(&self.holder.at(address)).await, self.note);
        }
    }
}

/// An answer that is no server error, over a network that fails.
async fn insist(client: &Client, message: &Value) -> Whole {
    for _ in 0..PATIENCE {
        match client.attempt(message).await {
            Some(answer) if !answer.status.is_server_error() => return answer,
            Some(_) | None => sleep(FIRST_PAUSE).await,
        }
    }
    panic!("no answer in {PATIENCE} tries");
}
