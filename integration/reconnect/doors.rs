//! Whichever door a client comes back through, it has the same session under a new id, and the old id is worth nothing.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_mcp_sessions::Freshness;

use super::{Door, Holder, api, call_tool, open_doors, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, within};
use crate::harness::raw::{Client, Whole};
use crate::harness::trio::Trio;

on_every_backend! {
    through_every_door_the_same_session_goes_on_under_a_new_id,
    where_every_request_asks_the_store_the_old_id_is_unknown_at_once,
    an_idle_session_comes_back_active,
    reconnects_are_counted,
    the_api_says_what_became_of_the_session,
}

/// How long a replica may trust what it heard of a session; the rest is for a machine with much else to do.
const CACHED_FOR: Duration = Duration::from_secs(3);

async fn through_every_door_the_same_session_goes_on_under_a_new_id(backend: Backend) {
    let trio = trio(backend).await;
    for door in Door::ALL {
        let old = Holder::open(&trio.client().with("x-user", "alice")).await;
        old.put("note", "mine").await;
        assert_eq!(old.statuses(&trio).await, [200; 3], "every replica has a verdict cached");

        let new = old.reconnect(door, &trio.replicas[1]).await;

        assert_eq!(new.session.key(), old.session.key());
        assert_ne!(new.session.id, old.session.id);
        assert_ne!(new.token, old.token);
        assert_eq!(new.statuses(&trio).await, [200; 3], "{door:?}");
        within(CACHED_FOR, "the old id is unknown", async || old.statuses(&trio).await == [404; 3]).await;
        for replica in &trio.replicas {
            assert_eq!(new.get("note", replica).await, "mine", "{door:?}");
            assert_eq!(door.outcome(&old.knock(door, replica).await), (409, "token_mismatch".to_owned()));
        }
        let newer = new.reconnect(door, &trio.replicas[2]).await;
        assert_eq!(newer.statuses(&trio).await, [200; 3], "a token is good for its session as long as there is one");
    }
}

async fn where_every_request_asks_the_store_the_old_id_is_unknown_at_once(backend: Backend) {
    let strict = |_, builder| open_doors(builder).freshness(Freshness::Strict);
    let trio = Trio::with_monitor(backend, strict).await;
    trio.store.silence_bus();
    for door in Door::ALL {
        let old = Holder::open(&trio.client()).await;
        assert_eq!(old.statuses(&trio).await, [200; 3]);
        let new = old.reconnect(door, &trio.replicas[1]).await;
        assert_eq!((old.statuses(&trio).await, new.statuses(&trio).await), ([404; 3], [200; 3]), "{door:?}");
    }
}

async fn an_idle_session_comes_back_active(backend: Backend) {
    let brief = |_, builder| open_doors(builder).idle_timeout(Duration::from_secs(1));
    let trio = Trio::with_monitor(backend, brief).await;
    for door in [Door::Header, Door::Api] {
        let holder = Holder::open(&trio.client()).await;
        holder.put("note", "kept").await;
        eventually("the session is idle", async || trio.store.counts().await == (0, 1)).await;
        let back = holder.reconnect(door, &trio.replicas[2]).await;
        assert_eq!(trio.store.counts().await, (1, 0), "{door:?}");
        assert_eq!(back.get("note", &trio.replicas[0]).await, "kept");
        assert_eq!(back.session.delete().await.status, StatusCode::NO_CONTENT);
    }
}

/// What the API or the tool says of a reconnect.
async fn counted(holder: &Holder, door: Door, client: &Client) -> (Whole, u64) {
    let answer = door.knock(client, holder.session.key(), &holder.token).await;
    let json = answer.json();
    let count = [&json["reconnect_count"], &json["result"]["structuredContent"]["reconnect_count"]];
    let count = count.into_iter().find_map(serde_json::Value::as_u64);
    (answer, count.expect("a count"))
}

async fn reconnects_are_counted(backend: Backend) {
    let trio = trio(backend).await;
    let mut holder = Holder::open(&trio.client()).await;
    for round in 1..=6 {
        let client = holder.stranger(&trio.replicas[round % 3]);
        let door = [Door::Api, Door::Tool, Door::Header][round % 3];
        let answer = if door == Door::Header {
            holder.knock(door, &trio.replicas[round % 3]).await
        } else {
            let (answer, count) = counted(&holder, door, &client).await;
            assert_eq!(count, round as u64);
            answer
        };
        holder = Holder::accepted(&client, door, &answer).await;
    }
}

async fn the_api_says_what_became_of_the_session(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let answer = holder.knock(Door::Api, &trio.replicas[1]).await;
    let (id, token) = Door::Api.renewed(&answer);
    let expected = json!({
        "success": true, "outcome": "reconnected", "session_id": holder.session.key(), "mcp_session_id": id,
        "reconnect_token": token, "reconnect_count": 1,
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!answer.headers.contains_key("mcp-session-id") && !answer.headers.contains_key("mcp-reconnect-token"));

    // The tool returns the same object, twice.
    let caller = trio.client().open("2025-11-25").await;
    let arguments = json!({ "session_id": id, "reconnect_token": token });
    let result = call_tool(&caller, &arguments).await.json()["result"].take();
    let object = &result["structuredContent"];
    assert_eq!((&object["session_id"], &object["reconnect_count"]), (&expected["session_id"], &json!(2)));
    let members = |value: &serde_json::Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(object), members(&expected));
    let text = result["content"][0]["text"].as_str().expect("text");
    assert_eq!(&serde_json::from_str::<serde_json::Value>(text).expect("JSON"), object);

    let id = object["mcp_session_id"].as_str().expect("an id");
    let new_id = api(&trio.client(), holder.session.key(), "token").with("mcp-session-id", id);
    assert_eq!(new_id.get().await.status, StatusCode::OK);
}
