//! The best transport that works: WebSocket, then SSE, then polling; and back.

use super::browser::Page;
use super::cutter::Cutter;
use super::trio;
use crate::harness::backend::Backend;

async fn shows(page: &Page, state: &str, transport: &str) {
    let script = format!(
        "const {{ state, transport }} = document.querySelector('#state').dataset;
         return state === {state:?} && transport === {transport:?}"
    );
    let took = page.until(&format!("{state} over {transport}"), &script).await;
    println!("{state} over {transport} after {took:?}");
}

const SOCKET: &str = " /ws/sessions";
const STREAM: &str = " /sse/sessions";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_blocked_is_done_without_and_taken_up_again() {
    let trio = trio(Backend::Memory).await;
    let way = Cutter::before(trio.replicas[0].address).await;
    let page = Page::open(&format!("http://{}/", way.address)).await;
    shows(&page, "live", "WebSocket").await;
    let mut sessions = 0;
    let mut another = async |page: &Page| {
        let session = trio.open().await;
        sessions += 1;
        let shown = format!("return document.querySelector('[data-key=\"{}\"]') !== null", session.key());
        let took = page.until("a new session is shown", &shown).await;
        println!("shown after {took:?}");
        let rows = format!("return document.querySelectorAll('#rows tr').length === {sessions}");
        page.until("and no other", &rows).await;
    };
    another(&page).await;
    way.refuse(&[SOCKET]);
    shows(&page, "live", "SSE").await;
    another(&page).await;
    way.refuse(&[SOCKET, STREAM]);
    shows(&page, "polling", "polling").await;
    another(&page).await;
    way.allow_all_but(&[SOCKET]);
    shows(&page, "live", "SSE").await;
    another(&page).await;
    way.allow_all_but(&[]);
    shows(&page, "live", "WebSocket").await;
    another(&page).await;
    page.close().await;
}

#[tokio::test]
async fn a_server_that_is_gone_leaves_a_page_that_says_so_and_comes_back() {
    let trio = trio(Backend::Memory).await;
    trio.open().await;
    let way = Cutter::before(trio.replicas[0].address).await;
    let page = Page::open(&format!("http://{}/", way.address)).await;
    shows(&page, "live", "WebSocket").await;
    page.until("the session is there", "return document.querySelectorAll('#rows tr').length === 1").await;
    way.stop(true);
    page.until(
        "it is stale, since when is said",
        "return /^Stale \\(\\d+s\\)$/.test(document.querySelector('#state-text').textContent)",
    )
    .await;
    page.screenshot("stale").await;
    assert_eq!(page.run("return document.querySelectorAll('#rows tr').length").await, 1);
    way.stop(false);
    let took = page.until("it is live again", "return document.querySelector('#state').dataset.state === 'live'").await;
    println!("live again after {took:?}");
    page.close().await;
}
