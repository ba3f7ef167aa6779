//! Every outcome has its status at the MCP endpoint and at the API, and says which one it is.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_mcp_sessions::RateLimits;
use tower_mcp_sessions::store::Rate;

use super::{Door, Holder, api, open_doors, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::trio::Trio;

on_every_backend! {
    every_outcome_has_its_status_at_every_door,
    too_many_attempts_are_told_when_to_try_again,
    a_store_that_is_away_is_never_a_refusal,
    the_api_tells_what_is_wrong_with_a_request,
}

/// Shows a token everywhere, for a session; expects a status at the MCP endpoint, one at the API, and a name at both.
async fn assert_refused(trio: &Trio, key: &str, token: &str, mcp: u16, api: u16, name: &str) {
    for replica in &trio.replicas {
        for door in Door::ALL {
            let client = trio.client().at(replica);
            let answer = door.knock(&client, key, token).await;
            let status = if door == Door::Api { api } else { mcp };
            assert_eq!(door.outcome(&answer), (status, name.to_owned()), "{door:?}: {}", answer.text());
            assert!(!answer.headers.contains_key("www-authenticate"), "no OAuth begins here");
            assert!(!answer.headers.contains_key("mcp-session-id"));
            match door {
                Door::Api => assert_eq!(answer.json()["success"], false),
                Door::Header | Door::Meta => assert_eq!(answer.json()["id"], 0, "the request's own id"),
                Door::Tool => assert_eq!(answer.json()["id"], 1),
            }
        }
    }
}

async fn every_outcome_has_its_status_at_every_door(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let key = holder.session.key();
    assert_refused(&trio, key, "nonsense", 403, 401, "invalid_token").await;
    let expired = super::forge::Forged::of(&holder.token).claim("exp", json!(2)).claim("iat", json!(1)).signed();
    assert_refused(&trio, key, &expired, 403, 401, "token_expired").await;
    let other_purpose = super::forge::Forged::of(&holder.token).claim("aud", json!("else")).signed();
    assert_refused(&trio, key, &other_purpose, 403, 401, "invalid_token_purpose").await;
    let other = Holder::open(&trio.client()).await;
    for (replica, door) in trio.replicas.iter().flat_map(|replica| [(replica, Door::Api), (replica, Door::Tool)]) {
        let answer = door.knock(&trio.client().at(replica), other.session.key(), &holder.token).await;
        let status = if door == Door::Api { 401 } else { 403 };
        assert_eq!(door.outcome(&answer), (status, "session_id_mismatch".to_owned()));
    }
    let new = holder.reconnect(Door::Api, &trio.replicas[0]).await;
    assert_refused(&trio, key, &holder.token, 409, 409, "token_mismatch").await;
    assert_eq!(new.session.delete().await.status, StatusCode::NO_CONTENT);
    assert_refused(&trio, key, &holder.token, 404, 404, "session_not_found").await;
    assert_refused(&trio, key, &new.token, 404, 404, "session_not_found").await;
}

async fn too_many_attempts_are_told_when_to_try_again(backend: Backend) {
    let one = Some(Rate { most: 1, per: Duration::from_secs(30) });
    let limits = RateLimits { reconnects_per_session: one, ..RateLimits::off() };
    let trio = Trio::with_monitor(backend, |_, builder| open_doors(builder).rate_limits(limits.clone())).await;
    let holder = Holder::open(&trio.client()).await;
    let new = holder.reconnect(Door::Api, &trio.replicas[0]).await;
    for door in Door::ALL {
        let answer = new.knock(door, &trio.replicas[1]).await;
        assert_eq!(door.outcome(&answer), (429, "rate_limited".to_owned()), "{door:?}");
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().expect("seconds");
        assert!((1..=30).contains(&seconds), "{seconds}");
    }
}

async fn a_store_that_is_away_is_never_a_refusal(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let caller = trio.open_everywhere().await;
    trio.store.set_down(true);
    for (replica, caller) in trio.replicas.iter().zip(&caller) {
        for door in [Door::Header, Door::Meta, Door::Api] {
            let answer = holder.knock(door, replica).await;
            assert_eq!(
                (answer.status, &answer.headers["retry-after"]),
                (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
            );
        }
        let arguments = json!({ "session_id": holder.session.key(), "reconnect_token": holder.token });
        assert_eq!(super::call_tool(caller, &arguments).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    trio.store.set_down(false);
    assert_eq!(holder.reconnect(Door::Header, &trio.replicas[1]).await.statuses(&trio).await, [200; 3]);
}

async fn the_api_tells_what_is_wrong_with_a_request(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let client = api(&trio.client(), holder.session.key(), "reconnect");
    let (body, array) = (json!({ "token": holder.token }).to_string(), json!([holder.token]).to_string());
    for (client, body, status) in [
        (client.clone(), "", 400),
        (client.clone(), "[]", 400),
        (client.clone(), &array, 400),
        (client.clone(), r#"{"token":7}"#, 400),
        (client.with("content-type", "text/plain"), &*body, 415),
        (client.with("origin", "https://evil.example"), &body, 403),
        (client.with("host", "evil.example"), &body, 403),
        (api(&trio.client(), "short", "reconnect"), &body, 404),
        (client.clone(), &format!(r#"{{"token":"{}"}}"#, "x".repeat(20_000)), 413),
    ] {
        let answer = client.send(http::Method::POST, body.to_owned()).await.whole().await;
        assert_eq!(answer.status, status, "{body:.80}: {}", answer.text());
    }
    let get = client.get().await.whole().await;
    assert_eq!((get.status, &get.headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
    assert!(holder.session.works().await);
    assert_eq!(holder.reconnect(Door::Api, &trio.replicas[1]).await.statuses(&trio).await, [200; 3]);
}
