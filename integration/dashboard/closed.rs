//! Who is not let in learns how to get in; a token is asked for, and kept where it belongs.

use http::StatusCode;
use tower_mcp_sessions::monitor::{Access, OneTimeCode, Role};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_sees_counts_and_the_link_shows_the_rest_once() {
    let code = OneTimeCode::generate().expect("randomness");
    let access = Access::local_view().or(Access::code(&code, Role::Admin));
    let store = Backend::Memory.store().await;
    let trio = Trio::monitored(store, with_tokens, |m| m.access(access.clone()).allow_terminate(true)).await;
    let session = trio.open().await;
    let address = format!("http://{}/?sort=idle&dir=asc", trio.replicas[0].address);
    let page = Page::open(&address).await;
    page.until("it counts", "return document.querySelector('#n-active').textContent === '1'").await;
    page.until(
        "it says why there is no more",
        "return document.querySelector('#none').textContent.includes('you see counts')",
    )
    .await;
    let shown = page
        .run("return [...document.querySelectorAll('.whole, #rows tr')].filter((one) => one.checkVisibility()).length")
        .await;
    assert_eq!(shown, 0, "nothing is offered that would be refused");
    trio.open().await;
    page.until(
        "it tells that something happened",
        "return document.querySelector('#events').textContent.includes('Opened')",
    )
    .await;
    page.until("it counts on", "return document.querySelector('#n-active').textContent === '2'").await;
    let text = page.run("return document.documentElement.outerHTML").await;
    assert!(!text.as_str().expect("text").contains(session.key()));
    page.screenshot("counts").await;

    // In the page that is open already.
    page.goto(&code.link(&address)).await;
    page.until("the sessions are there", "return document.querySelectorAll('#rows tr').length === 2").await;
    page.until("it may act", "return !document.querySelector('#read-only').checkVisibility()").await;
    assert!(!page.address().await.contains("code="), "the code has left the address");
    page.reload().await;
    page.until("it stays signed in", "return document.querySelectorAll('#rows tr').length === 2").await;
    assert_eq!(page.run("return localStorage.length + document.cookie.length").await, 0);
    page.close().await;

    let late = Page::open(&code.link(&address)).await;
    late.until(
        "it says that the code was used",
        "return document.querySelector('#toast').textContent.includes('used already')",
    )
    .await;
    late.until("it counts", "return document.querySelector('#n-active').textContent === '2'").await;
    late.close().await;
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
