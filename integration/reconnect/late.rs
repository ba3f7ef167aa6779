//! What a holder does is judged, and then on its way to the store for a while. If the session changes hands in between, it is the
//! new holder's, and nothing of it is done.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::McpSession;

use super::{Door, Holder, open_doors, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::Whole;
use crate::harness::trio::Trio;

on_every_backend! {
    a_late_delete_ends_no_session_of_the_next_holder,
    late_data_is_none_of_the_next_holders,
    a_late_return_wakes_nothing_of_the_next_holders,
}

/// Does something in a holder's name; while that is on its way, the session changes hands. Returns what came of it.
async fn overtaken<T: Send + 'static>(
    trio: &Trio,
    old: &Holder,
    deed: impl Future<Output = T> + Send + 'static,
) -> (T, Holder) {
    let before = trio.store.waited();
    trio.store.hold_deeds(true);
    let late = tokio::spawn(deed);
    eventually("it is on its way", async || trio.store.waited() > before).await;
    let new = old.reconnect(Door::Header, &trio.replicas[2]).await;
    trio.store.hold_deeds(false);
    (late.await.expect("it does not panic"), new)
}

async fn put(holder: &Holder, value: &str) -> Value {
    let put = holder.session.call("session/put", json!({ "name": "note", "value": value })).await;
    put.json()["result"].clone()
}

async fn a_late_delete_ends_no_session_of_the_next_holder(backend: Backend) {
    let trio = trio(backend).await;
    for at in [0, 1] {
        let old = Holder::open(&trio.client()).await;
        assert_eq!(put(&old, "kept").await, json!({ "stored": true }));
        let session = old.session.at(&trio.replicas[at]);
        let (late, new) = overtaken(&trio, &old, async move { session.delete().await }).await;
        assert_unknown(&late, &old, &trio).await;
        for session in trio.everywhere(&new.session) {
            assert!(session.works().await, "the new holder's session lives");
        }
        let kept = new.session.call("session/get", json!({ "name": "note" })).await.json();
        assert_eq!(kept["result"]["value"], "kept");
        assert_eq!(trio.store.ended().len(), at, "nothing ended");
        assert_eq!(new.session.delete().await.status, StatusCode::NO_CONTENT, "its holder can end it");
        eventually("it ends", async || trio.store.counts().await == (0, 0)).await;
        assert_eq!(trio.store.ended().len(), at + 1);
    }
}

/// As an id that never was.
async fn assert_unknown(answer: &Whole, old: &Holder, trio: &Trio) {
    let unknown = trio.client().with("mcp-session-id", "unknown").delete().await.whole().await;
    assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, unknown.text()));
    eventually("the old id is unknown", async || old.statuses(trio).await == [404; 3]).await;
}

async fn late_data_is_none_of_the_next_holders(backend: Backend) {
    let trio = trio(backend).await;
    let old = Holder::open(&trio.client()).await;
    assert_eq!(put(&old, "kept").await, json!({ "stored": true }));
    let handle: Arc<McpSession> = Arc::new(trio.inners[0].last("session/put").session.expect("the session"));
    let writing = Arc::clone(&handle);
    let (late, new) = overtaken(&trio, &old, async move { writing.insert("note", "late").await }).await;
    let refused = late.expect_err("it is not the old holder's any more");
    assert!(refused.is_superseded() && !refused.is_ended(), "{refused}");
    let removing = Arc::clone(&handle);
    assert!(removing.remove("note").await.expect_err("nor does it remove anything").is_superseded());
    let kept = new.session.call("session/get", json!({ "name": "note" })).await.json();
    assert_eq!(kept["result"]["value"], "kept");
    assert_eq!(put(&new, "changed").await, json!({ "stored": true }), "its holder can change it");
}

async fn a_late_return_wakes_nothing_of_the_next_holders(backend: Backend) {
    let idle = std::time::Duration::from_secs(1);
    let trio = Trio::with_monitor(backend, |_, builder| open_doors(builder).idle_timeout(idle)).await;
    let old = Holder::open(&trio.client()).await;
    eventually("the session is idle", async || trio.store.counts().await == (0, 1)).await;
    let session = old.session.clone();
    let (late, new) = overtaken(&trio, &old, async move { session.status().await }).await;
    assert_eq!(late, StatusCode::NOT_FOUND, "who comes back late finds nothing");
    assert!(new.session.works().await, "the session is its new holder's");
}
