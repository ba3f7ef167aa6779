//! What an operator does: ends a session, and gives out a token for one.

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::monitor::Role;

use super::browser::Page;
use super::{live_page, open_as, trio, with_tokens};
use crate::harness::backend::Backend;
use crate::harness::eventually::eventually;
use crate::harness::login::everybody_as;
use crate::harness::raw::Client;
use crate::harness::trio::Trio;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_ends_a_session_on_another_replica() {
    let trio = trio(Backend::Redis).await;
    let elsewhere = Client::of(&trio.replicas[1]);
    let session = open_as(&elsewhere, "cursor", "1.7.2").await;
    let other = open_as(&elsewhere, "zed", "0.208.4").await;
    let page = live_page(&trio).await;
    let row = format!("[data-key=\"{}\"]", session.key());
    page.until("the row is there", &format!("return document.querySelector('{row}') !== null")).await;
    page.click(&format!("{row} button")).await;
    page.until("the timeline is there", "return document.querySelectorAll('#drawer .timeline li').length === 1").await;
    assert_eq!(page.text("#drawer-title").await, "cursor 1.7.2");
    assert_eq!(page.text("#drawer-key").await, session.key());
    assert!(page.text("#drawer .timeline").await.contains("Opened on b"));

    // What happens to it shows while one looks at it.
    page.click("#drawer [data-hold=end]").await;
    let asked = page.text("#dialog").await;
    assert!(asked.contains("End the session of cursor 1.7.2?") && asked.contains(session.key()), "{asked}");
    page.press("\u{e00c}").await; // Escape
    page.until("it asks no more", "return !document.querySelector('#dialog').open").await;
    assert!(session.works().await, "nothing was ended");

    page.click("#drawer [data-hold=end]").await;
    page.screenshot("confirm").await;
    page.click("#end-it").await;
    page.until("it says so", "return document.querySelector('#toast').textContent.includes('has ended')").await;
    let gone = async || session.at(&trio.replicas[2]).status().await == StatusCode::NOT_FOUND;
    eventually("it is gone on every replica", gone).await;
    page.until(
        "its timeline says why",
        "return document.querySelector('#drawer .timeline').textContent.includes('by an operator')",
    )
    .await;
    page.press("\u{e00c}").await;
    let left = format!("return document.querySelector('{row}') === null");
    page.until("its row is gone", &left).await;
    assert!(other.works().await);
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_and_lets_its_client_back() {
    let trio = trio(Backend::Memory).await;
    let session = open_as(&trio.client(), "cursor", "1.7.2").await;
    let page = live_page(&trio).await;
    page.until("the row is there", "return document.querySelectorAll('#rows tr').length === 1").await;
    page.click("#rows button").await;
    page.until("it can be done", "return document.querySelector('#drawer [data-hold=token]') !== null").await;
    page.click("#drawer [data-hold=token]").await;
    page.click("#issue-it").await;
    page.until("the token is there", "return document.querySelector('#token')?.value.split('.').length === 3").await;
    assert!(page.text("#dialog").await.contains("Expires in"));
    let token = page.run("return document.querySelector('#token').value").await;
    page.press("\u{e00c}").await;
    page.until("it is gone", "return document.querySelector('#token') === null").await;
    let text = token.as_str().expect("a token").to_owned();
    let kept =
        page.run("return document.documentElement.outerHTML + JSON.stringify({...sessionStorage, ...localStorage})");
    assert!(!kept.await.as_str().expect("text").contains(&text), "it stays nowhere");

    let path = format!("/api/mcp/sessions/{}/reconnect", session.key());
    let back = trio.client().at_path(path).post(&json!({ "token": text })).await.whole().await;
    assert_eq!(back.status, StatusCode::OK);
    let told = "return document.querySelector('#drawer .timeline').textContent.includes('Reconnected with a token')";
    page.until("the timeline tells of it", told).await;
    page.screenshot("drawer").await;
    page.close().await;
}

#[tokio::test]
async fn who_may_only_look_is_offered_nothing_else() {
    let store = Backend::Memory.store().await;
    let trio = Trio::monitored(store, with_tokens, |m| m.access(everybody_as(Role::View))).await;
    trio.open().await;
    let page = live_page(&trio).await;
    page.until("it says read-only", "return document.querySelector('#read-only').checkVisibility()").await;
    page.click("#rows button").await;
    page.until("the session is open", "return document.querySelectorAll('#drawer .timeline li').length === 1").await;
    assert_eq!(page.run("return document.querySelectorAll('#drawer .actions button').length").await, 0);
    page.close().await;
}

#[tokio::test]
async fn a_dialog_that_follows_another_at_once_stays() {
    let trio = trio(Backend::Memory).await;
    let page = live_page(&trio).await;
    // A browser tells of the first one's close when the second is there already.
    page.run(
        "const dialog = document.querySelector('#dialog');
         window.closes = 0;
         dialog.addEventListener('close', () => { window.closes += 1; });
         document.querySelector('#help').click();
         dialog.close();
         document.querySelector('#help').click();",
    )
    .await;
    page.until("the first close was told", "return window.closes === 1").await;
    assert!(page.text("#dialog").await.contains("Keyboard shortcuts"));
    page.press("\u{e00c}").await; // Escape
    page.until("it is empty", "return document.querySelector('#dialog').childElementCount === 0").await;
    page.close().await;
}

#[tokio::test]
async fn a_session_that_is_not_there_is_said_so() {
    let trio = trio(Backend::Memory).await;
    let page = Page::open(&format!("http://{}/?session=AAAAAAAAAAAAAAAA", trio.replicas[0].address)).await;
    page.until(
        "it says so",
        "return document.querySelector('#drawer').textContent.includes('No session has this key')",
    )
    .await;
    assert_eq!(page.run("return document.querySelector('#drawer .timeline, #drawer .actions')").await, Value::Null);
    page.close().await;
}
