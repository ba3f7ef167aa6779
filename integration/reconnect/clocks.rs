//! Replicas whose clocks are half a minute off agree about tokens, limits and lifetimes: the store's clock decides.

use std::io::Write;
use std::time::Duration;

use futures::future::join_all;
use http::header;
use serde_json::json;
use tempfile::NamedTempFile;

use super::forge::Forged;
use super::{Door, Holder, KID, REVISION, SECRET};
use crate::harness::eventually::eventually;
use crate::harness::faketime::{Traces, clock_ahead_by};
use crate::harness::process::Process;
use crate::harness::raw::{Client, RECONNECT_TOKEN, Session, initialize};
use crate::harness::redis::RedisServer;

/// Seconds by which the replicas' clocks are ahead.
const AHEAD: [i64; 3] = [-30, 0, 30];

/// Three example servers on one Redis with one secret, each with a clock of its own.
struct Rig {
    servers: [Process; 3],
    redis: RedisServer,
    _secret: NamedTempFile,
    _traces: [Traces; 3],
}

impl Rig {
    async fn start(options: &[&str]) -> Self {
        let redis = RedisServer::start();
        let mut secret = NamedTempFile::new().expect("a temporary file");
        let text = std::str::from_utf8(SECRET).expect("text").replace(' ', "-");
        writeln!(secret, "{KID} {text}").expect("it can be written");
        let (url, file) = (redis.url(), secret.path().to_str().expect("a path of text"));
        let start = async |ahead: i64| {
            let common = ["--redis", &url, "--redis-timeout", "5s", "--secret-file", file];
            Process::server_in(&clock_ahead_by(ahead), &[&common[..], options].concat()).await
        };
        let servers = [start(AHEAD[0]).await, start(AHEAD[1]).await, start(AHEAD[2]).await];
        let traces = [Traces::of(&servers[0]), Traces::of(&servers[1]), Traces::of(&servers[2])];
        let rig = Self { servers, redis, _secret: secret, _traces: traces };
        rig.assert_clocks_differ().await;
        rig
    }

    /// Its replicas say what they believe the time to be.
    async fn assert_clocks_differ(&self) {
        for (client, ahead) in self.clients().iter().zip(AHEAD) {
            let date = client.get().await.headers[header::DATE].to_str().expect("text").to_owned();
            let now = self.now();
            // The day may have changed; seconds of the day are enough to tell half a minute.
            let time: Vec<i64> = date[17..25].split(':').map(|part| part.parse().expect("a number")).collect();
            let of_day = (time[0] * 60 + time[1]) * 60 + time[2];
            let off = (of_day - i64::try_from(now % 86_400).expect("seconds") - ahead).rem_euclid(86_400);
            assert!(
                !(10..86_390).contains(&off),
                "the clock of a replica is off by {off} s more than {ahead} s: {date}"
            );
        }
    }

    fn clients(&self) -> [Client; 3] {
        [0, 1, 2].map(|at| Client::to(self.servers[at].address()))
    }

    /// The status of an ordinary call at each replica.
    async fn statuses(&self, session: &Session) -> [u16; 3] {
        let mut statuses = [0; 3];
        for (status, server) in statuses.iter_mut().zip(&self.servers) {
            let there = session.at_address(server.address());
            *status = there.call("tools/list", json!({})).await.status.as_u16();
        }
        statuses
    }

    /// Seconds since 1970 by the store's clock.
    fn now(&self) -> u64 {
        self.redis.cli(&["TIME"]).lines().next().and_then(|seconds| seconds.parse().ok()).expect("Redis tells the time")
    }

    /// How each replica judges a token at the API: named with another session, a good one is not spent.
    async fn verdicts(&self, token: &str) -> [String; 3] {
        let mut verdicts = [const { String::new() }; 3];
        for (verdict, client) in verdicts.iter_mut().zip(self.clients()) {
            *verdict = Door::Api.outcome(&Door::Api.knock(&client, "AAAAAAAAAAAAAAAA", token).await).1;
        }
        verdicts
    }
}

/// Signed as the replicas do.
fn signed(token: &Forged) -> String {
    token.signed_with(std::str::from_utf8(SECRET).expect("text").replace(' ', "-").as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_any_replica_is_good_on_every_replica() {
    let rig = Rig::start(&["--rate-limits", "off"]).await;
    for issuer in &rig.clients() {
        for judge in &rig.clients() {
            for door in [Door::Header, Door::Meta, Door::Api] {
                let holder = Holder::open(issuer).await;
                let claims = Forged::of(&holder.token).claims;
                let (iat, now) = (claims["iat"].as_u64().expect("a time"), rig.now());
                assert!(iat.abs_diff(now) < 10, "it was issued at {iat} by the store's clock, where it is {now}");
                let answer = door.knock(judge, holder.session.key(), &holder.token).await;
                let new = Holder::accepted(judge, door, &answer).await;
                let back = Door::Header.knock(issuer, "", &new.token).await;
                Holder::accepted(issuer, Door::Header, &back).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_edges_of_its_life_a_token_gets_the_same_verdict_everywhere() {
    let rig = Rig::start(&["--rate-limits", "off"]).await;
    let holder = Holder::open(&rig.clients()[1]).await;
    let good = Forged::of(&holder.token);
    let (accepted, expired, invalid) = ("session_id_mismatch", "token_expired", "invalid_token");
    // From the store's clock on, in seconds; five of leeway. What is accepted leaves time to ask everybody.
    for (iat, exp, verdict) in [
        (-900, 0, accepted),
        (-900, -6, expired),
        (-900, 20, accepted), // past for one replica's clock
        (-900, -20, expired), // to come for another's
        (-900, -34, expired),
        (4, 900, accepted),
        (20, 900, invalid), // a replica ahead could have said so
        (34, 900, invalid),
        (-26, 900, accepted),
    ] {
        let now = i64::try_from(rig.now()).expect("seconds");
        let token = signed(&good.clone().claim("iat", json!(now + iat)).claim("exp", json!(now + exp)));
        assert_eq!(rig.verdicts(&token).await, [verdict; 3], "iat {iat:+}, exp {exp:+}");
        if verdict != accepted {
            for client in rig.clients() {
                let answer = client.with(RECONNECT_TOKEN, &token).post(&initialize(REVISION)).await;
                assert_eq!(Door::Header.outcome(&answer.whole().await), (403, verdict.to_owned()));
            }
        }
    }
    assert_eq!(rig.statuses(&holder.session).await, [200; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_counted_together() {
    const MANY: usize = 200;
    let rig = Rig::start(&["--rate-limits", "on"]).await;
    let clients = rig.clients();
    let knock = async |number: usize| {
        let answer = Door::Api.knock(&clients[number % 3], "AAAAAAAAAAAAAAAA", "nonsense").await;
        (Door::Api.outcome(&answer).1, answer.headers.get(header::RETRY_AFTER).cloned())
    };
    let answers = join_all((0..MANY).map(knock)).await;
    let (judged, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(outcome, _)| outcome == "invalid_token");
    assert_eq!((judged.len(), refused.len()), (60, MANY - 60));
    for (outcome, retry_after) in refused {
        assert_eq!(outcome, "rate_limited");
        let seconds: u64 = retry_after.as_ref().expect("it says when").to_str().unwrap().parse().expect("seconds");
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_live_as_long_as_the_store_says() {
    let rig = Rig::start(&["--idle-timeout", "2s", "--expires-after", "5s"]).await;
    let mut sessions = Vec::new();
    for client in rig.clients() {
        let session = client.open(REVISION).await;
        let opened = rig.now();
        assert_eq!(rig.statuses(&session).await, [200; 3], "no replica's clock has it expired");
        sessions.push((session, opened));
    }
    let expired = || rig.redis.keys().iter().all(|key| !key.contains(":s:"));
    eventually("they expire", async || expired()).await;
    let now = rig.now();
    for (session, opened) in &sessions {
        assert!(now - opened >= 4, "not early: after {} s", now - opened);
        assert_eq!(rig.statuses(session).await, [404; 3]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_with_a_wrong_clock_leaves_when_told() {
    let rig = Rig::start(&[]).await;
    let [behind, right, ahead] = rig.servers;
    for server in [behind, ahead] {
        let exit = server.terminate().await;
        assert!(exit.status.success(), "{exit:?}");
        assert!(exit.took < Duration::from_secs(11), "it was the server that heard: {exit:?}");
    }
    right.kill().await;
}
