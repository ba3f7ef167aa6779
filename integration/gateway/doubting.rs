//! Answers that speak of a lost session. Whether it is lost, a ping tells: before that nothing is sent twice, and the session that
//! lives is neither ended nor opened again.

use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::upstream::Upstream;
use super::{Refusal, gateway};
use crate::harness::process::Process;
use crate::harness::upstreams::Upstream as Server;
use crate::harness::wire::Wire;

const LOST: &str = "Unauthorized: Session not found";
const CHALLENGE: &str = r#"Bearer error="invalid_token""#;

/// What the upstream has seen: handshakes, pings, farewells.
async fn seen(upstream: &Upstream) -> (usize, usize, usize) {
    (upstream.asked("initialize").await.len(), upstream.asked("ping").await.len(), upstream.deleted().await.len())
}

#[tokio::test]
async fn a_tools_own_error_that_speaks_of_a_session_is_its_answer() {
    let upstream = Upstream::start().await;
    let error =
        json!({"jsonrpc": "2.0", "id": "look", "error": {"code": -32602, "message": "unknown argument: session"}});
    upstream.on_call("look", ResponseTemplate::new(400).set_body_json(&error)).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    let response = wire.call_begun("look", json!({}), None).await;

    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<serde_json::Value>().await.expect("JSON"), error);
    assert_eq!((upstream.asked_for("look").await, seen(&upstream).await), (1, (1, 0, 0)));
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
}

#[tokio::test]
async fn a_live_session_is_asked_once_a_minute_whether_it_lives() {
    let upstream = Upstream::start().await;
    upstream.on_call("look", ResponseTemplate::new(400).set_body_string("Session not found")).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    for calls in 1..=3 {
        let response = wire.call_begun("look", json!({}), None).await;

        assert_eq!(response.status(), 400);
        assert_eq!(response.text().await.expect("a body"), "Session not found");
        assert_eq!((upstream.asked_for("look").await, seen(&upstream).await), (calls, (1, 1, 0)));
    }
    // What the tool said hides no loss that looks different.
    upstream.forget();
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-2");
}

#[tokio::test]
async fn a_server_that_knows_no_ping_is_alive_all_the_same() {
    let upstream = Upstream::start().await;
    upstream.on_call("look", ResponseTemplate::new(404).set_body_string("nothing here")).await;
    let unknown = |request: &wiremock::Request| {
        let ping: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        let error = json!({"jsonrpc": "2.0", "id": ping["id"], "error": {"code": -32601, "message": "no such method"}});
        ResponseTemplate::new(404).set_body_json(error)
    };
    upstream.on_message(json!({"method": "ping"}), unknown).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    let refusal = Refusal::of(wire.call_begun("look", json!({}), None).await).await;

    assert_eq!(refusal.status, 502, "{}", refusal.text);
    assert_eq!((upstream.asked_for("look").await, seen(&upstream).await), (1, (1, 1, 0)));
}

#[tokio::test]
async fn an_upstream_that_restarts_several_times_locks_nobody_out_and_one_that_keeps_forgetting_is_left_alone() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    for life in 2..=6 {
        upstream.forget();
        assert_eq!(wire.say("echo", json!({})).await, format!("echo in upstream-{life}"));
    }

    upstream.forget();
    let refusal = Refusal::of(wire.call_begun("echo", json!({}), None).await).await;

    assert_eq!(refusal.status, 502, "{}", refusal.text);
    assert_eq!(upstream.asked("initialize").await.len(), 6);
}

#[tokio::test]
async fn a_ping_that_is_not_answered_leaves_the_answer_as_it_is() {
    let upstream = Upstream::start().await;
    upstream.on_call("look", ResponseTemplate::new(400).set_body_string("Session not found")).await;
    upstream
        .on_message(json!({"method": "ping"}), ResponseTemplate::new(200).set_delay(Duration::from_secs(300)))
        .await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    let response = wire.call_begun("look", json!({}), None).await;

    assert_eq!((response.status().as_u16(), upstream.asked_for("look").await), (400, 1));
    assert_eq!(seen(&upstream).await, (1, 1, 0));
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
}

#[tokio::test]
async fn an_expired_login_reaches_the_client_whether_the_session_lives_or_not() {
    let refused = ResponseTemplate::new(401).insert_header(WWW_AUTHENTICATE, CHALLENGE);
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    upstream.on_session("upstream-1", refused.set_body_string("Session expired")).await;

    let response = wire.call_begun("look", json!({}), None).await;

    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], CHALLENGE);
    assert_eq!(response.text().await.expect("a body"), "Session expired");
    assert_eq!(seen(&upstream).await, (1, 0, 0));
}

#[tokio::test]
async fn an_expired_login_is_told_by_the_first_answer_or_where_that_is_a_404_by_the_replay() {
    for (lost, seen_by_client) in [(401, LOST), (403, LOST), (400, LOST), (404, "log in")] {
        let upstream = Upstream::start().await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;
        upstream.on_session("upstream-1", ResponseTemplate::new(lost).set_body_string(LOST)).await;
        let refused = ResponseTemplate::new(401).insert_header(WWW_AUTHENTICATE, CHALLENGE).set_body_string("log in");
        upstream.on_message(json!({"method": "initialize"}), refused).await;

        let response = wire.call_begun("look", json!({}), None).await;

        let challenge = response.headers().get(WWW_AUTHENTICATE).cloned();
        let status = if lost == 404 { 401 } else { lost };
        assert_eq!((response.status().as_u16(), challenge.is_some()), (status, lost == 404), "{lost}");
        assert_eq!(response.text().await.expect("a body"), seen_by_client, "{lost}");
        assert_eq!((upstream.asked_for("look").await, seen(&upstream).await), (1, (2, 1, 0)), "{lost}");
    }
}

#[tokio::test]
async fn an_error_that_stays_names_the_request_that_got_it() {
    for (status, id) in [(404, json!("server-error")), (404, json!(null)), (400, json!(null))] {
        let upstream = Upstream::start().await;
        let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32600, "message": "Session not found"}});
        upstream.on_call("lost", ResponseTemplate::new(status).set_body_json(error)).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;
        upstream.forget();

        let response = wire.call_begun("lost", json!({}), None).await;

        assert_eq!(response.status(), 200);
        let error: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!("lost"), &json!(-32600)), "{status} {id}");
        assert_eq!(upstream.asked_for("lost").await, 2);
    }
}

#[tokio::test]
async fn the_shortest_typescript_server_may_restart_and_its_client_notices_nothing() {
    let server = Server::TsShort.start().await;
    let gateway = gateway(&server.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    assert_eq!(wire.say("hello", json!({})).await, "hello");
    let address = server.address();
    server.kill().await;
    let _restarted = Server::TsShort.start_at(address).await;

    assert_eq!(wire.say("hello", json!({})).await, "hello");
}

#[tokio::test]
async fn a_server_behind_this_very_layer_may_restart_without_its_sessions() {
    let server = Process::server(&[]).await;
    let gateway = gateway(&server.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    assert_eq!(wire.say("echo", json!({"text": "before"})).await, "before");
    let address = server.address();
    server.kill().await;
    let _restarted = Process::server_at(address, &[]).await;

    assert_eq!(wire.say("echo", json!({"text": "after"})).await, "after");
}
