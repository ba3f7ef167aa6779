//! The MCP tool `reconnect_session`: off unless asked for, listed at the end, and about the session named, not the caller's.

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::RateLimits;

use super::{Holder, call_tool, keys, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::raw::{RECONNECT_TOKEN, SESSION_ID, Session, request};
use crate::harness::trio::Trio;

on_every_backend! {
    it_is_off_by_default,
    it_is_listed_on_the_last_page_and_all_other_bytes_stay,
    another_tool_of_its_name_is_hidden_on_every_page,
    it_acts_on_the_session_named_and_never_on_the_callers,
    a_client_may_reconnect_the_session_it_calls_in,
}

async fn list(session: &Session, params: Value) -> String {
    session.call("tools/list", params).await.text().to_owned()
}

fn names(page: &str) -> Vec<String> {
    let page: Value = serde_json::from_str(page).expect("a page");
    let tools = page["result"]["tools"].as_array().expect("a list of tools");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

async fn it_is_off_by_default(backend: Backend) {
    let trio = Trio::with_monitor(backend, |_, builder| builder.reconnect(keys()).rate_limits(RateLimits::off())).await;
    let holder = Holder::open(&trio.client()).await;
    let page = list(&holder.session, json!({ "cursor": "2" })).await;
    assert_eq!(names(&page), ["own"]);
    let arguments = json!({ "session_id": holder.session.key(), "reconnect_token": holder.token });
    let answer = call_tool(&holder.session, &arguments).await;
    assert_eq!(answer.json()["result"]["called"], "reconnect_session", "the call is the inner service's");
    assert!(holder.session.works().await);
}

async fn it_is_listed_on_the_last_page_and_all_other_bytes_stay(backend: Backend) {
    let trio = trio(backend).await;
    let plain = Trio::with_monitor(backend, |_, builder| builder.rate_limits(RateLimits::off())).await;
    let (ours, theirs) = (trio.open().await, plain.open().await);
    let cut = |page: &str| {
        let (before, rest) = page.split_once(r#",{"name":"reconnect_session""#).expect("our tool is listed");
        let (_, after) = rest.split_once(r#""openWorldHint":false}}"#).expect("its definition ends");
        format!("{before}{after}")
    };
    let (first, last) = (json!({}), json!({ "cursor": "2" }));
    assert_eq!(list(&ours, first.clone()).await, list(&theirs, first).await, "more pages follow");
    let page = list(&ours, last.clone()).await;
    assert_eq!(names(&page), ["own", "reconnect_session"]);
    assert_eq!(cut(&page), list(&theirs, last).await);

    let first = json!({ "as": "stream" });
    let untouched = ours.begin(1, "tools/list", first).await.rest().await;
    assert!(!format!("{untouched:?}").contains("reconnect_session"));
    let last = json!({ "as": "stream", "cursor": "2" });
    let ours = ours.begin(1, "tools/list", last.clone()).await.rest().await;
    let theirs = theirs.begin(1, "tools/list", last).await.rest().await;
    assert_eq!(ours.len(), 2);
    assert_eq!(ours[0], theirs[0], "what else the stream says");
    assert_eq!(names(&ours[1].to_string()), ["own", "reconnect_session"]);
    assert_eq!(names(&theirs[1].to_string()), ["own"]);
}

async fn another_tool_of_its_name_is_hidden_on_every_page(backend: Backend) {
    let trio = trio(backend).await;
    let session = trio.open().await;
    let batches = trio.client().open("2025-03-26").await;
    let without = Trio::with_monitor(backend, |_, builder| builder.rate_limits(RateLimits::off())).await;
    let plain = without.open().await;
    for (cursor, shown) in [(json!(null), vec!["own"]), (json!("2"), vec!["own", "reconnect_session"])] {
        let params = json!({ "rival": true, "cursor": cursor });
        assert_eq!(names(&list(&session, params.clone()).await), shown);
        assert_eq!(names(&list(&plain, params.clone()).await), ["reconnect_session", "own"], "where ours is not on");
        let mut streamed = params.clone();
        streamed["as"] = "stream".into();
        let said = session.begin(1, "tools/list", streamed).await.rest().await;
        assert_eq!(names(&said[1].to_string()), shown);
        let batch = json!([request(1, "tools/list", params.clone()), request(2, "tools/list", params)]);
        let answers = batches.client.post(&batch).await.whole().await.json();
        for answer in answers.as_array().expect("two answers") {
            assert_eq!(names(&answer.to_string()), shown);
        }
    }
}

async fn it_acts_on_the_session_named_and_never_on_the_callers(backend: Backend) {
    let trio = trio(backend).await;
    let (caller, named) = (Holder::open(&trio.client()).await, Holder::open(&trio.client()).await);
    let (ours, theirs) = (caller.session.key(), named.session.key());
    for (arguments, status, outcome) in [
        (json!({ "session_id": ours, "reconnect_token": named.token }), 403, "session_id_mismatch"),
        (json!({ "session_id": theirs, "reconnect_token": caller.token }), 403, "session_id_mismatch"),
        (json!({ "session_id": "?", "reconnect_token": named.token }), 403, "session_id_mismatch"),
        (json!({ "reconnect_token": named.token }), 403, "session_id_mismatch"),
        (json!({ "session_id": theirs }), 403, "invalid_token"),
        (json!({}), 403, "invalid_token"),
    ] {
        let answer = call_tool(&caller.session, &arguments).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["error"]["data"]["outcome"], outcome, "{arguments}");
        assert_eq!((caller.session.status().await, named.session.status().await), (StatusCode::OK, StatusCode::OK));
    }
    let arguments = json!({ "session_id": theirs, "reconnect_token": named.token });
    let answer = call_tool(&caller.session.at(&trio.replicas[1]), &arguments).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key(SESSION_ID), "the caller keeps its own id");
    assert_eq!(caller.statuses(&trio).await, [200; 3]);
    assert_eq!(
        trio.inners.iter().map(|inner| inner.asked("tools/call")).sum::<usize>(),
        0,
        "the inner services know nothing of it"
    );
}

async fn a_client_may_reconnect_the_session_it_calls_in(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let arguments = json!({ "session_id": holder.session.id, "reconnect_token": holder.token });
    let answer = call_tool(&holder.session.at(&trio.replicas[1]), &arguments).await;
    let stale = answer.headers.get(RECONNECT_TOKEN);
    assert_eq!(stale, None, "a token beside the new one would be of the generation that has just ended");
    let new = Holder::accepted(&holder.stranger(&trio.replicas[1]), super::Door::Tool, &answer).await;
    assert_eq!(new.statuses(&trio).await, [200; 3]);
    assert_eq!(new.reconnect(super::Door::Tool, &trio.replicas[0]).await.statuses(&trio).await, [200; 3]);
}
