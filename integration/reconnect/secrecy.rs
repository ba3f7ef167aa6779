//! Whatever becomes of an attempt, no log, audit event, refusal, inner service or store is told a token, a nonce or an id.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_mcp_sessions::{RateLimits, ReconnectOutcome};

use super::audit::Told;
use super::forge::Forged;
use super::{Door, Holder, KID, REVISION, SECRET, TOKEN_MEMBER, api, call_tool, open_doors};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::inner::OnInitialize;
use crate::harness::log::Log;
use crate::harness::raw::{Client, RECONNECT_NONCE, RECONNECT_TOKEN, SESSION_ID, Whole, initialize, modern};
use crate::harness::tap::Tap;
use crate::harness::trio::Trio;

on_every_backend! {
    no_secret_of_a_reconnect_is_ever_said,
}

const MOST: u32 = 60;

/// What only its client may know, each with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: impl Into<String>, secret: &str) {
        self.0.push((what.into(), secret.to_owned()));
    }

    /// What a client has of its session: the secret half of its id, and its token without the part that all have alike.
    fn add_holder(&mut self, what: &str, holder: &Holder) {
        self.add(format!("the id {what}"), &holder.session.id[16..]);
        self.add_token(what, &holder.token);
    }

    fn add_token(&mut self, what: &str, token: &str) {
        for (part, text) in ["claims", "signature"].iter().zip(token.split('.').skip(1)) {
            self.add(format!("the token {what}, its {part}"), text);
        }
    }

    /// Expects that `said` holds nothing of any of them, in whatever spelling.
    fn assert_kept(&self, place: &str, said: &str) {
        for (what, secret) in &self.0 {
            // The claims begin and end as those of other tokens do.
            let middle = secret.len() / 2;
            let parts = [&secret[..8.max(middle / 2)], &secret[middle - 4..middle + 4], &secret[secret.len() - 12..]];
            let is_told = |part: &str| {
                let numbers = format!("{:?}", part.as_bytes());
                said.contains(part) || said.contains(numbers.trim_matches(['[', ']']))
            };
            assert!(!parts.into_iter().any(is_told), "{place} tells {what}");
        }
    }
}

/// The servers, and all that was said.
struct Scene {
    trio: Trio,
    secrets: Secrets,
    /// Answers that grant nothing.
    refusals: Vec<Whole>,
}

impl Scene {
    /// Shows a token at a door, and is refused.
    async fn is_refused(&mut self, door: Door, client: &Client, key: &str, token: &str, outcome: &str) {
        let answer = door.knock(client, key, token).await;
        assert_eq!(door.outcome(&answer).1, outcome, "{door:?}");
        self.refusals.push(answer);
    }

    /// A session that its client keeps a secret.
    async fn open(&mut self, what: &str, client: &Client) -> Holder {
        let holder = Holder::open(client).await;
        self.secrets.add_holder(what, &holder);
        holder
    }
}

async fn no_secret_of_a_reconnect_is_ever_said(backend: Backend) {
    let (log, told) = (Log::capture(), Told::default());
    let limits = RateLimits { reconnects_per_address: super::limits::at_most(MOST), ..RateLimits::off() };
    let options = |_, builder| told.by(open_doors(builder)).trusted_proxy("127.0.0.1").rate_limits(limits.clone());
    let trio = Trio::with_monitor(backend, options).await;
    let tap = match trio.store.redis() {
        Some(redis) => Some(Tap::on(redis).await),
        None => None,
    };
    let mut scene = Scene { trio, secrets: Secrets::default(), refusals: Vec::new() };
    scene.secrets.add("the secret that signs", std::str::from_utf8(SECRET).expect("text"));
    for (at, door) in Door::ALL.into_iter().enumerate() {
        reconnects_at(&mut scene, door, at).await;
    }
    cannot_be_finished(&mut scene).await;
    asks_amiss(&mut scene).await;
    is_limited(&mut scene).await;

    let Scene { trio, secrets, refusals } = scene;
    let told = told.take();
    for outcome in ReconnectOutcome::ALL {
        assert!(told.iter().any(|told| told.outcome == outcome), "{outcome} was to be seen");
    }
    secrets.assert_kept("an audit event", &format!("{told:?}"));
    let said = log.text();
    for event in ["reconnect_attempt", "session_reconnected", "session_created"] {
        assert!(said.contains(event), "the log is as talkative as it can be: {event}");
    }
    assert!(said.contains("TRACE") || said.contains("DEBUG"));
    secrets.assert_kept("the log", &said);
    for refusal in &refusals {
        secrets.assert_kept("a refusal", &format!("{:?} {}", refusal.headers, refusal.text()));
    }
    for seen in trio.inners.iter().flat_map(|inner| inner.seen()) {
        let shown = format!("{:?} {:?} {}", seen.session, seen.headers, String::from_utf8_lossy(&seen.body));
        secrets.assert_kept("an inner service", &shown);
    }
    if let Some((tap, redis)) = tap.as_ref().zip(trio.store.redis()) {
        let heard = tap.text(redis).await;
        assert!(heard.contains(r#"\"clientInfo\""#) && heard.contains(":s:"), "the tap hears what is stored");
        secrets.assert_kept("Redis", &heard);
    }
}

/// A client that is refused in every way at a door, gets in, and asks again.
async fn reconnects_at(scene: &mut Scene, door: Door, at: usize) {
    let address = format!("192.0.2.{}", at + 10);
    let client = scene.trio.client().at(&scene.trio.replicas[at % 3]).with("x-forwarded-for", &address);
    let (alice, mallory) = (client.with("x-user", "alice"), client.with("x-user", "mallory"));
    let holder = scene.open("at first", &alice).await;
    let other = scene.open("of another session", &alice).await;
    let key = holder.session.key().to_owned();
    let nonce = format!("{door:?}-n0nce-0f-th3-w1nner");
    scene.secrets.add("the nonce", &nonce);
    let good = Forged::of(&holder.token);
    let expired = good.clone().claim("iat", json!(1)).claim("exp", json!(2)).signed();
    for (token, outcome) in [
        ("g4rbage-that-is-no-token".to_owned(), "invalid_token"),
        (format!("{}\u{20}{}", holder.token, holder.token), "invalid_token"),
        (good.signed_with(b"another secret, as long as the other one"), "invalid_token"),
        (good.clone().head("kid", json!("another")).signed(), "invalid_token"),
        (good.clone().claim("iss", json!("another")).signed(), "invalid_token"),
        (good.clone().claim("aud", json!("another")).signed(), "invalid_token_purpose"),
        (expired, "token_expired"),
    ] {
        scene.secrets.add(format!("what was shown for {outcome}"), token.rsplit('.').next().expect("a part"));
        scene.is_refused(door, &alice.with(RECONNECT_NONCE, &nonce), &key, &token, outcome).await;
    }
    scene.is_refused(door, &mallory, &key, &holder.token, "session_not_found").await;
    match door {
        Door::Api | Door::Tool => scene.is_refused(door, &alice, &key, &other.token, "session_id_mismatch").await,
        Door::Header | Door::Meta => {
            let two = alice.with(RECONNECT_TOKEN, &other.token);
            scene.is_refused(Door::Meta, &two, &key, &holder.token, "invalid_token").await;
        }
    }
    let answer = door.knock(&alice.with(RECONNECT_NONCE, &nonce), &key, &holder.token).await;
    let mut new = Holder::accepted(&alice, door, &answer).await;
    scene.secrets.add_holder("after a reconnect", &new);
    if door != Door::Tool {
        let again = door.knock(&alice.with(RECONNECT_NONCE, &nonce), &key, &holder.token).await;
        new = Holder::accepted(&alice, door, &again).await;
        scene.secrets.add_holder("of a retry", &new);
    }
    scene.is_refused(door, &alice, &key, &holder.token, "token_mismatch").await;
    assert_eq!(new.statuses(&scene.trio).await, [200; 3]);
    for replica in &scene.trio.replicas {
        scene.refusals.push(holder.session.at(replica).call("echo", json!({})).await);
    }
    // Said where nobody asked for it.
    let talkative = new.session.client.with(RECONNECT_TOKEN, &new.token).with(RECONNECT_NONCE, &nonce);
    for method in ["echo", "not-found", "panic"] {
        scene.refusals.push(talkative.call(method, json!({})).await);
    }
    let modern_call = modern("tools/call");
    scene.refusals.push(talkative.post(&modern_call).await.whole().await);
}

/// A client with a good token that nobody can judge, or whose handshake the inner service does not take.
async fn cannot_be_finished(scene: &mut Scene) {
    let client = scene.trio.client().with("x-user", "alice").with("x-forwarded-for", "192.0.2.20");
    let holder = scene.open("that could not be used", &client).await;
    let caller = client.open(REVISION).await;
    let key = holder.session.key().to_owned();
    scene.trio.store.set_down(true);
    for door in [Door::Header, Door::Meta, Door::Api] {
        scene.refusals.push(door.knock(&client, &key, &holder.token).await);
    }
    let arguments = json!({ "session_id": holder.session.id, "reconnect_token": holder.token });
    scene.refusals.push(call_tool(&caller, &arguments).await);
    scene.trio.store.set_down(false);
    for how in
        [OnInitialize::Refuse(StatusCode::FORBIDDEN), OnInitialize::Error, OnInitialize::BrokenOff, OnInitialize::Panic]
    {
        scene.trio.inners[0].script(|script| script.initialize = how);
        scene.refusals.push(Door::Header.knock(&client, &key, &holder.token).await);
        scene.refusals.push(Door::Meta.knock(&client, &key, &holder.token).await);
    }
    scene.trio.inners[0].script(|script| script.initialize = OnInitialize::Json);
    assert!(holder.session.works().await);
}

/// A client that has its token, and asks for something else with it.
async fn asks_amiss(scene: &mut Scene) {
    let client = scene.trio.client().with("x-user", "alice").with("x-forwarded-for", "192.0.2.30");
    let holder = scene.open("shown amiss", &client).await;
    let (key, token) = (holder.session.key().to_owned(), holder.token.clone());
    let reconnect = api(&client, &key, "reconnect");
    for (client, body) in [
        (reconnect.clone(), json!({ "tokn": token })),
        (reconnect.clone(), json!([token])),
        (reconnect.clone(), json!({ "token": [token] })),
        (reconnect.with("content-type", "text/plain"), json!({ "token": token })),
        (reconnect.with("origin", "https://evil.example"), json!({ "token": token })),
        (api(&client, "short", "reconnect"), json!({ "token": token })),
        (api(&client, &key, "elsewhere"), json!({ "token": token })),
        (client.clone(), meta(&json!([token]))),
        (client.clone(), meta(&json!({ "token": token }))),
        (client.with("host", "evil.example").with(RECONNECT_TOKEN, &token), initialize(REVISION)),
        (client.clone(), json!({ "method": "initialize", "token": token })),
    ] {
        let answer = client.send(Method::POST, body.to_string()).await.whole().await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
        scene.refusals.push(answer);
    }
    let route = api(&client, &key, "token");
    let given = route.with(SESSION_ID, &holder.session.id).get().await.whole().await;
    scene.secrets.add_token("that was asked for", given.json()["reconnect_token"].as_str().expect("a token"));
    for client in [route.clone(), route.with(SESSION_ID, &format!("{}x", &holder.session.id[..42]))] {
        scene.refusals.push(client.with(RECONNECT_TOKEN, &token).get().await.whole().await);
    }
    holder.reconnect(Door::Api, &scene.trio.replicas[1]).await;
}

fn meta(token: &Value) -> Value {
    let mut message = initialize(REVISION);
    message["params"]["_meta"] = json!({ TOKEN_MEMBER: token });
    message
}

/// A client that has tried too often.
async fn is_limited(scene: &mut Scene) {
    let client = scene.trio.client().with("x-user", "alice").with("x-forwarded-for", "192.0.2.40");
    let holder = scene.open("shown too often", &client).await;
    for _ in 0..MOST {
        Door::Api.knock(&client, holder.session.key(), KID).await;
    }
    for door in Door::ALL {
        scene.is_refused(door, &client, holder.session.key(), &holder.token, "rate_limited").await;
    }
}
