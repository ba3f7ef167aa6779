//! Upstreams that answer wrongly, late or not at all.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::upstream::Upstream;
use super::{Refusal, gateway};
use crate::harness::eventually::eventually;
use crate::harness::wire::Wire;

const PAGE: &str = "<!doctype html><title>Not what you asked for</title>";
const EVENT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"odd\",\"result\":{}}\n\n";
const OVERLOADED: &str = r#"{"jsonrpc":"2.0","id":"odd","error":{"code":-32000,"message":"overloaded"}}"#;

/// What is wrong, and the answer.
fn odd_answers() -> [(&'static str, ResponseTemplate); 7] {
    let answer = |status, media, body: &str| ResponseTemplate::new(status).set_body_raw(body.to_owned(), media);
    [
        ("a page", answer(200, "text/html", PAGE)),
        ("events declared as text", answer(200, "text/plain", EVENT)),
        ("a bad request", answer(400, "application/json", OVERLOADED)),
        ("a crash", answer(500, "text/plain", "Internal Server Error")),
        ("a crash in JSON-RPC", answer(500, "application/json", OVERLOADED)),
        ("too much", answer(503, "application/json", OVERLOADED).insert_header(RETRY_AFTER, "7")),
        ("nothing", ResponseTemplate::new(204)),
    ]
}

#[tokio::test]
async fn an_odd_answer_to_a_call_reaches_the_client_as_it_is() {
    for (what, answer) in odd_answers() {
        let upstream = Upstream::start().await;
        upstream.on_call("odd", answer).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;

        let here = wire.call_begun("odd", json!({}), None).await;

        let there = Wire::stranger(&upstream.mcp()).call_begun("odd", json!({}), None).await;
        assert_alike(what, here, there).await;
        assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1", "after {what}");
        // Once by each of the two clients: nothing is repeated.
        assert_eq!(upstream.asked_for("odd").await, 2, "{what}");
    }
}

#[tokio::test]
async fn an_odd_answer_to_initialize_reaches_the_client_as_it_is_or_is_a_502_and_opens_nothing() {
    for (what, answer) in odd_answers() {
        let upstream = Upstream::start().await;
        upstream.on_message(json!({"method": "initialize"}), answer).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;

        let here = Wire::stranger(&gateway.mcp()).initialize().await;

        assert_eq!(here.headers().get("mcp-session-id"), None, "{what}");
        let there = Wire::stranger(&upstream.mcp()).initialize().await;
        if there.status().is_success() {
            // It says yes and is no answer: a client would go on without a session.
            let refusal = Refusal::of(here).await;
            assert_eq!((refusal.status, refusal.id), (502, json!(0)), "{what}");
            assert!(refusal.text.contains("no readable answer"), "{}", refusal.text);
        } else {
            assert_alike(what, here, there).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_that_asks_for_credentials_passes_unchanged() {
    let challenge = r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource""#;
    for status in [401, 403] {
        let upstream = Upstream::start().await;
        let refusal = ResponseTemplate::new(status)
            .insert_header(WWW_AUTHENTICATE, challenge)
            .set_body_json(json!({"error": "invalid_token"}));
        upstream.on_call("secret", refusal.clone()).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;

        let here = wire.call_begun("secret", json!({}), None).await;

        assert_eq!((here.status().as_u16(), &here.headers()[WWW_AUTHENTICATE]), (status, &challenge.parse().unwrap()));
        assert_eq!(here.text().await.expect("a body"), r#"{"error":"invalid_token"}"#);
        assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");

        upstream.on_message(json!({"method": "initialize"}), refusal).await;
        let here = Wire::stranger(&gateway.mcp()).initialize().await;
        let there = Wire::stranger(&upstream.mcp()).initialize().await;
        assert_eq!((here.status().as_u16(), &here.headers()[WWW_AUTHENTICATE]), (status, &challenge.parse().unwrap()));
        assert_alike("initialize without credentials", here, there).await;
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_begin_to_answer_in_time_is_a_504() {
    let upstream = Upstream::start().await;
    upstream.on_call("slow", ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let gateway = gateway(&upstream.mcp(), &["--upstream-timeout", "300ms"]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    let begun = Instant::now();
    let response = wire.call_begun("slow", json!({}), None).await;

    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    let refusal = Refusal::of(response).await;
    assert_eq!((refusal.status, refusal.id), (504, json!(null)));
    assert!(refusal.text.contains("did not answer in time") && refusal.text.contains("check"), "{}", refusal.text);
    eventually("the log names the limit", async || gateway.stderr().contains("--upstream-timeout")).await;
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
}

#[tokio::test]
async fn an_upstream_may_take_its_time_when_nobody_says_otherwise() {
    let upstream = Upstream::start().await;
    // Longer than a connection may take to be made.
    let late =
        ResponseTemplate::new(200).set_body_raw(OVERLOADED, "application/json").set_delay(Duration::from_secs(3));
    upstream.on_call("slow", late).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    let response = wire.call_begun("slow", json!({}), None).await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.expect("a body"), OVERLOADED);
}

#[tokio::test]
async fn an_upstream_that_refuses_connections_is_a_502_that_advises_to_try_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("a bound listener");
    drop(nobody);
    let gateway = gateway(&format!("http://{address}/mcp?key=hunter2"), &[]).await;

    let response = Wire::stranger(&gateway.mcp()).initialize().await;

    assert_eq!(response.headers().get("mcp-session-id"), None);
    let refusal = Refusal::of(response).await;
    assert_eq!((refusal.status, refusal.id), (502, json!(null)));
    assert!(refusal.text.contains("cannot be reached; try again"), "{}", refusal.text);
    // Where the upstream is concerns its operator, not its clients.
    assert!(!refusal.text.contains(&address.to_string()), "{}", refusal.text);
    eventually("the log says what to do", async || gateway.stderr().contains("name another one with --upstream")).await;
    let log = gateway.stderr();
    assert!(log.contains(&address.to_string()) && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn a_redirect_that_leads_past_the_gateway_is_a_502_and_one_that_leads_elsewhere_passes() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    let redirect = |location: &str| ResponseTemplate::new(307).insert_header(LOCATION, location);
    let own = [(1, "far", format!("{}/?key=hunter2", upstream.mcp())), (2, "near", "/deep/mcp/".to_owned())];
    for (turn, tool, location) in own {
        upstream.on_call(tool, redirect(&location)).await;

        let refusal = Refusal::of(wire.call_begun(tool, json!({}), None).await).await;

        assert_eq!((refusal.status, refusal.id), (502, json!(null)), "{location}");
        assert!(refusal.text.contains("operator") && !refusal.text.contains("/deep"), "{}", refusal.text);
        eventually("the log says what to do", async || {
            gateway.stderr().matches("/deep/mcp/; name that with --upstream").count() == turn
        })
        .await;
    }
    assert!(!gateway.stderr().contains("hunter2"), "{}", gateway.stderr());

    upstream.on_call("away", redirect("https://login.example.com/?return=1")).await;
    let passed = wire.call_begun("away", json!({}), None).await;

    assert_eq!(passed.status(), 307);
    assert_eq!(passed.headers()[LOCATION], "https://login.example.com/?return=1");
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
}

/// The answers are one and the same, but for the clock and what belongs to a connection.
async fn assert_alike(what: &str, here: reqwest::Response, there: reqwest::Response) {
    assert_eq!(here.status(), there.status(), "{what}");
    let fields = |response: &reqwest::Response| {
        let mut headers = response.headers().clone();
        headers.remove("date");
        headers
    };
    assert_eq!(fields(&here), fields(&there), "{what}");
    assert_eq!(here.bytes().await.expect("a body"), there.bytes().await.expect("a body"), "{what}");
}
