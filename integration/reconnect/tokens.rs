//! A token that is not exactly one of this server's, for now and for this, opens nothing: the same verdict on every replica.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use serde_json::{Value, json};

use super::forge::Forged;
use super::{Door, Holder, SECRET, open_doors, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::trio::Trio;

on_every_backend! {
    what_is_not_signed_as_it_should_be_is_invalid,
    what_was_made_for_something_else_says_so,
    every_claim_must_be_there_and_make_sense,
    the_stores_clock_decides_when_a_token_has_expired,
    tokens_of_sessions_that_have_ended_are_worth_nothing,
}

/// Shows a token at every replica; expects the same verdict from all, and that nothing comes of it.
async fn assert_verdict(trio: &Trio, holder: &Holder, token: &str, expected: &str) {
    let client = holder.stranger(&trio.replicas[0]);
    for replica in &trio.replicas {
        for door in [Door::Header, Door::Api] {
            let answer = door.knock(&client.at(replica), holder.session.key(), token).await;
            assert_eq!(door.outcome(&answer).1, expected, "{door:?} {token}: {}", answer.text());
        }
    }
}

async fn assert_untouched(trio: &Trio, holder: &Holder) {
    assert_eq!(holder.statuses(trio).await, [200; 3]);
    assert_eq!(trio.store.counts().await, (1, 0));
    let handshakes = trio.inners.iter().flat_map(|inner| inner.seen()).filter(|seen| seen.method() == "initialize");
    assert_eq!(handshakes.filter(|seen| !seen.replayed).count(), 1, "no inner service heard of the others");
    assert_eq!(holder.reconnect(Door::Header, &trio.replicas[1]).await.statuses(trio).await, [200; 3]);
}

async fn what_is_not_signed_as_it_should_be_is_invalid(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let good = Forged::of(&holder.token);
    let alg = |name: &str| good.clone().head("alg", json!(name));
    let (message, signature) = holder.token.rsplit_once('.').expect("three parts");
    for token in [
        alg("none").unsigned(),
        alg("none").signed(),
        alg("None").unsigned(),
        alg("hs256").signed(),
        alg("RS256").signed(), // confusion: the secret used as if it were a public key
        alg("ES256").signed(),
        alg("HS384").signed(),
        alg("HS512").signed(),
        good.clone().head("alg", Value::Null).signed(),
        good.unsigned(),
        good.signed_with(b"another secret, as long as the other one"),
        good.signed_with(&[]),
        good.clone().head("kid", json!("second")).signed(),
        good.clone().head("kid", json!("")).signed(),
        good.clone().head("kid", Value::Null).signed(),
        good.clone().head("crit", json!(["exp"])).signed(),
        good.clone().head("jwk", json!({"kty": "oct", "k": "AAAA"})).signed_with(&[0; 3]),
        Forged { head: good.head.clone(), claims: json!([good.claims]) }.signed(),
        format!("{}.{signature}", Forged::of(&holder.token).claim("gen", json!(1)).unsigned().trim_end_matches('.')),
        format!("{message}.{}", signature.to_lowercase()),
        format!("{message}.{}", &signature[..signature.len() - 1]),
        format!("{message}.{signature}="),
        format!("{message}.{signature}.{signature}"),
        message.to_owned(),
        "..".to_owned(),
        String::from_utf8(SECRET.to_vec()).expect("text").replace([' ', ','], ""),
        "x".repeat(4097),
    ] {
        assert_verdict(&trio, &holder, &token, "invalid_token").await;
    }
    assert_untouched(&trio, &holder).await;
}

async fn what_was_made_for_something_else_says_so(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let good = Forged::of(&holder.token);
    for token in [
        good.clone().head("typ", json!("JWT")),
        good.clone().head("typ", json!("at+jwt")),
        good.clone().head("typ", Value::Null),
        good.clone().claim("aud", json!("mcp")),
        good.clone().claim("aud", json!("")),
    ] {
        assert_verdict(&trio, &holder, &token.signed(), "invalid_token_purpose").await;
    }
    assert_verdict(&trio, &holder, &good.claim("iss", json!("somebody")).signed(), "invalid_token").await;
    assert_untouched(&trio, &holder).await;
}

async fn every_claim_must_be_there_and_make_sense(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let good = Forged::of(&holder.token);
    let with = |name: &str, value: Value| good.clone().claim(name, value).signed();
    let mut bad: Vec<String> = good.claims.as_object().unwrap().keys().map(|name| with(name, Value::Null)).collect();
    assert_eq!(bad.len(), 8);
    bad.extend([
        with("gen", json!("0")),
        with("gen", json!(-1)),
        with("gen", json!(1u64 << 32)),
        with("sid", json!("short")),
        with("sid", json!("****************")),
        with("exp", json!("soon")),
        with("exp", json!(1.5)),
        with("exp", good.claims["iat"].clone()),
        with("aud", json!(["mcp-reconnect"])),
        with("nbf", json!(good.claims["iat"].as_u64().unwrap() + 600)),
    ]);
    for token in &bad {
        assert_verdict(&trio, &holder, token, "invalid_token").await;
    }
    let future = with("gen", json!(7));
    assert_verdict(&trio, &holder, &future, "token_mismatch").await;
    let nobody = with("sid", json!("AAAAAAAAAAAAAAAA"));
    assert_eq!(Door::Header.knock(&trio.client(), "", &nobody).await.status, StatusCode::NOT_FOUND);
    assert_untouched(&trio, &holder).await;
}

async fn the_stores_clock_decides_when_a_token_has_expired(backend: Backend) {
    let trio = trio(backend).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let at =
        |token: &str, iat: u64, exp: u64| Forged::of(token).claim("iat", json!(iat)).claim("exp", json!(exp)).signed();
    let holder = Holder::open(&trio.client()).await;
    for (iat, exp, outcome) in [
        (now - 900, now - 6, "token_expired"), // five seconds of leeway, and no more
        (now - 900, now - 60, "token_expired"),
        (0, 1, "token_expired"),
        (now + 60, now + 900, "invalid_token"), // nobody mints ahead
        (u64::MAX - 1, u64::MAX, "invalid_token"),
    ] {
        assert_verdict(&trio, &holder, &at(&holder.token, iat, exp), outcome).await;
    }
    assert_untouched(&trio, &holder).await;
    for (iat, exp) in [(now - 900, now), (now + 4, now + 900), (0, u64::MAX)] {
        for (door, replica) in [Door::Header, Door::Api, Door::Tool].into_iter().zip(&trio.replicas) {
            let mut holder = Holder::open(&trio.client()).await;
            holder.token = at(&holder.token, iat, exp);
            assert_eq!(holder.reconnect(door, replica).await.statuses(&trio).await, [200; 3], "{iat} {exp}");
        }
    }
}

async fn tokens_of_sessions_that_have_ended_are_worth_nothing(backend: Backend) {
    let second = Duration::from_secs(1);
    let brief = |_, builder| open_doors(builder).idle_timeout(second).expires_after(2 * second);
    let trio = Trio::with_monitor(backend, brief).await;
    let (deleted, expired) = (Holder::open(&trio.client()).await, Holder::open(&trio.client()).await);
    assert_eq!(deleted.session.at(&trio.replicas[2]).delete().await.status, StatusCode::NO_CONTENT);
    assert_verdict(&trio, &deleted, &deleted.token, "session_not_found").await;
    eventually("the other session has expired", async || trio.store.counts().await == (0, 0)).await;
    assert_verdict(&trio, &expired, &expired.token, "session_not_found").await;
    assert_eq!(trio.store.counts().await, (0, 0), "nothing brought them back");
}
