//! Who is not let in learns how to get in; a token is asked for, and kept where it belongs.

use http::StatusCode;
use tower_mcp_sessions::monitor::{Access, Role};

use super::browser::Page;
use super::with_tokens;
use crate::harness::backend::Backend;
use crate::harness::raw::Client;
use crate::harness::trio::Trio;

const TOKEN: &str = "a-long-random-token-of-the-tests";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_in_and_stays_out_of_every_address() {
    let store = Backend::Memory.store().await;
    let trio = Trio::monitored(store, with_tokens, |monitor| {
        monitor.access(Access::bearer(TOKEN, Role::Admin)).allow_terminate(true)
    })
    .await;
    trio.open().await;
    let page = Page::open(&format!("http://{}/", trio.replicas[0].address)).await;
    page.until("it asks", "return document.querySelector('#monitor-token')?.checkVisibility() === true").await;
    assert_eq!(page.text("#state-text").await, "No access");
    page.screenshot("sign-in").await;
    page.press("a wrong one\u{e007}").await; // Enter
    assert!(page.text("#dialog .problem").await.contains("one word"));
    page.run("document.querySelector('#monitor-token').value = ''").await;
    page.press("wrong\u{e007}").await;
    page.until("it asks again", "return document.querySelector('#monitor-token')?.value === ''").await;
    page.press(&format!("{TOKEN}\u{e007}")).await;
    page.until("it is live", "return document.querySelector('#state').dataset.state === 'live'").await;
    page.until("the session is there", "return document.querySelectorAll('#rows tr').length === 1").await;
    page.until("it may act", "return !document.querySelector('#read-only').checkVisibility()").await;
    page.reload().await;
    page.until("it stays signed in", "return document.querySelector('#state').dataset.state === 'live'").await;
    let asked = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name).join()").await;
    assert!(!asked.as_str().expect("text").contains(TOKEN) && !page.address().await.contains(TOKEN));
    assert_eq!(page.run("return localStorage.length + document.cookie.length").await, 0);
    page.click("#sign-in").await;
    page.run(
        "[...document.querySelectorAll('#dialog button')].find((b) => b.textContent === 'Forget the token').click()",
    )
    .await;
    page.until("it asks once more", "return document.querySelector('#state').dataset.state === 'denied'").await;
    assert_eq!(page.run("return sessionStorage.length").await, 0);
    page.close().await;
}

#[tokio::test]
async fn who_cannot_get_in_is_told_how_one_could() {
    let trio = Trio::with_monitor(Backend::Memory, |_, builder| builder).await;
    for path in ["/", "/assets/any/app.js"] {
        let answer = Client::of(&trio.replicas[0]).at_path(path).get().await.whole().await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        assert!(answer.text().contains("sessions.monitor().access("), "{path}");
    }
    let page = Page::open(&format!("http://{}/", trio.replicas[0].address)).await;
    assert_eq!(page.text("h1").await, "You are not let in here");
    page.close().await;
}
