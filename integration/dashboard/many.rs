//! More sessions than the page shows at once, and more than the feed tells of.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tower_mcp_sessions::store::{Lifetimes, Opening, SessionStore};
use tower_mcp_sessions::{
    ClientInfo, NewSession, ProtocolVersion, SessionId, SessionKey, SessionLayerBuilder, SessionOrigin,
};

use super::browser::Page;
use super::{admins, live_page, open_as, with_tokens};
use crate::harness::backend::{Backend, SharedStore};
use crate::harness::trio::Trio;

const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Sessions put straight into the store: through the door each would cost two requests. Returns the first one's key.
async fn fill(store: &SharedStore, count: usize, name: &str) -> SessionKey {
    let lifetimes =
        Lifetimes { idle_timeout: A_DAY, expires_after: A_DAY, handshake_timeout: A_DAY, ..Lifetimes::default() };
    let mut first = None;
    for _ in 0..count {
        let id = SessionId::generate().expect("the operating system has randomness");
        let origin = SessionOrigin {
            protocol_version: ProtocolVersion::V2025_11_25,
            client: ClientInfo { name: name.into(), version: "1.0".into() },
            principal: None,
            replica: "a".into(),
            adopted: None,
            inner_has_sessions: true,
        };
        let (key, digest, handshake) = (id.key(), id.digest(), Bytes::from_static(b"{}"));
        let session = NewSession { key, digest, lifetimes, origin, handshake, inner: None };
        let opened = store.open(&session, None).await.expect("the store is there");
        assert!(matches!(opened, Opening::Opened { .. }));
        first.get_or_insert(session.key);
    }
    first.expect("at least one was asked for")
}

/// Nobody confirms the handshakes of the sessions above.
fn patient(at: usize, builder: SessionLayerBuilder) -> SessionLayerBuilder {
    with_tokens(at, builder).handshake_timeout(A_DAY)
}

async fn rows(page: &Page) -> u64 {
    page.run("return document.querySelectorAll('#rows tr').length").await.as_u64().expect("a number")
}

/// Five more sessions, shown above all others.
async fn newcomers(trio: &Trio, page: &Page, known: usize) {
    for index in known..known + 5 {
        open_as(&trio.client(), &format!("newcomer-{index}"), "1.0").await;
    }
    let first = format!(
        "return document.querySelector('#rows tr:nth-child(5) .client').textContent === 'newcomer-{known} 1.0'"
    );
    page.until("they are there, the newest first", &first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_sessions_come_in_pages_and_stay_usable() {
    let store = Backend::Memory.store().await;
    fill(&store, 2_000, "one-of-many").await;
    let trio = Trio::monitored(store, patient, admins).await;
    let began = Instant::now();
    let page = live_page(&trio).await;
    println!("2,000 sessions are shown {:?} after the browser was started", began.elapsed());
    assert_eq!(page.text("#count").await, "2,000 sessions");
    assert_eq!(rows(&page).await, 100);
    assert_eq!(page.run("return document.querySelector('#deep').hidden").await, true, "all of them are here");
    assert_eq!(page.text("#more").await, "Show 100 more");
    page.click("#more").await;
    assert_eq!(rows(&page).await, 200);

    // What the browser calls a long task, while sessions go on being opened: with these rows, and with all there are.
    page.run(
        "window.long = [];
         new PerformanceObserver((list) => window.long.push(...list.getEntries().map((task) => task.duration)))
           .observe({ type: 'longtask' });",
    )
    .await;
    newcomers(&trio, &page, 0).await;
    println!("long tasks with 200 rows of 2,000, in ms: {}", page.run("return window.long.splice(0)").await);
    page.run("while (!document.querySelector('#more').hidden) document.querySelector('#more').click()").await;
    assert_eq!(rows(&page).await, 2_005);
    page.run("return window.long.splice(0)").await;
    newcomers(&trio, &page, 5).await;
    println!("long tasks with as many rows as there are, in ms: {}", page.run("return window.long").await);

    // What is chosen shows at once, and begins with the first rows again.
    page.press("/").await;
    page.press("newcomer").await;
    page.until("only they are shown", "return document.querySelectorAll('#rows tr').length === 10").await;
    page.press("\u{e00c}").await; // Escape
    page.until("the first rows are there", "return document.querySelectorAll('#rows tr').length === 100").await;
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_feed_does_not_tell_of_is_found_on_the_server() {
    // The feed tells of ten thousand: those seen last.
    let store = Backend::Memory.store().await;
    let lost = fill(&store, 1, "the-lost-one").await;
    fill(&store, 10_300, "one-of-many").await;
    let trio = Trio::monitored(store, patient, admins).await;
    let page = live_page(&trio).await;
    page.until("some are beyond", "return !document.querySelector('#deep').hidden").await;
    assert_eq!(page.text("#deep").await, "Load more from the server");
    let limits = page.text("#limits").await;
    assert!(limits.contains("10,000 seen last") && limits.contains("301 more"), "{limits}");
    page.press("/").await;
    page.press("lost-one").await;
    page.until("it is not known here", "return document.querySelector('#none').checkVisibility()").await;
    assert_eq!(page.text("#deep").await, "Search the rest on the server");
    page.click("#deep").await;
    page.until("it is found", "return document.querySelectorAll('#rows tr').length === 1").await;
    assert_eq!(page.run("return document.querySelector('#rows tr').dataset.key").await, lost.to_string());
    assert!(page.text("#toast").await.contains("1 more session found on the server"));
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}
