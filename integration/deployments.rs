//! Two servers that share a Redis by mistake: whoever says what it is, is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use tower::Layer;
use tower_mcp_sessions::store::{RedisStore, StoreErrorKind};
use tower_mcp_sessions::{ReconnectKeys, SessionLayerBuilder};

use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::{eventually, throughout};
use crate::harness::inner::Scripted;
use crate::harness::log::Log;
use crate::harness::process::{Process, run_example, token_flag};
use crate::harness::raw::{Client, initialize};
use crate::harness::redis::RedisServer;
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    two_names_on_one_store_are_refused,
    who_does_not_ask_before_serving_serves_nothing,
    servers_without_a_deployments_name_are_told_apart_by_their_own,
    a_keys_id_with_another_secret_is_warned_of,
}

/// A name that no other test has.
fn unique(name: &str) -> &'static str {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}", LAST.fetch_add(1, Ordering::Relaxed)).leak()
}

/// How many lines say all this.
fn count(log: &Log, parts: &[&str]) -> usize {
    log.text().lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

async fn two_names_on_one_store_are_refused(backend: Backend) {
    let store = backend.store().await;
    let named = |name: &str| layer(&store).deployment(name).build();
    named("billing").start().await.expect("the first is right");
    named("billing").start().await.expect("so is the same");
    let refused = named("search").start().await.expect_err("another is not");
    assert!(refused.is_other_deployment());
    let text = refused.to_string();
    for part in ["\"search\"", "\"billing\"", "prefix"] {
        assert!(text.contains(part), "{text}");
    }
    layer(&store).build().start().await.expect("whoever has no name is not asked");
    named("billing").start().await.expect("the refused one has changed nothing");
    store.set_down(true);
    let away = named("billing").start().await.expect_err("a store that is away says nothing");
    assert!(!away.is_other_deployment(), "{away}");
}

async fn who_does_not_ask_before_serving_serves_nothing(backend: Backend) {
    let log = Log::capture_ours();
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let named = async |name: &str| Replica::start(layer(&store).deployment(name).build().layer(inner.clone())).await;
    let (billing, search) = (unique("billing"), unique("search"));
    let right = named(billing).await;
    let session = Client::of(&right).open("2025-11-25").await;
    eventually("its word is there", async || {
        let asked = layer(&store).deployment("asks").build().start().await;
        asked.is_err_and(|error| error.is_other_deployment())
    })
    .await;
    let wrong = named(search).await;
    eventually("the other one finds out", async || {
        session.at(&wrong).status().await == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let refused = Client::of(&wrong).post(&initialize("2025-11-25")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "it opens none either");
    assert!(refused.headers.contains_key("retry-after"));
    let foreign = Client::of(&wrong).with("origin", "https://evil.example").post(&initialize("2025-11-25")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "who is not let in hears nothing of it");
    assert!(session.works().await, "the right one goes on");
    assert_eq!(count(&log, &["ERROR", search, billing, "503"]), 1, "{}", log.text());
}

async fn served(
    store: &SharedStore,
    name: &'static str,
    tune: impl FnOnce(SessionLayerBuilder) -> SessionLayerBuilder,
) -> Replica {
    let inner = Scripted::with_sessions();
    inner.script(|script| script.name = Some(name));
    Replica::start(tune(layer(store)).build().layer(inner)).await
}

async fn servers_without_a_deployments_name_are_told_apart_by_their_own(backend: Backend) {
    let log = Log::capture_ours();
    let store = backend.store().await;
    let (first, other) = (unique("billing"), unique("search"));
    let hostile = format!("sea\u{1b}[31mrch\r\nforged {other}").leak();
    let warned = || count(&log, &["two MCP servers with different names", first]);
    let billing = served(&store, first, |layer| layer).await;
    for _ in 0..2 {
        Client::of(&billing).open("2025-11-25").await;
    }
    Client::of(&served(&store, first, |layer| layer).await).open("2025-11-25").await;
    throughout(Duration::from_millis(200), "one name is one server", async || warned() == 0).await;
    let hostile = served(&store, hostile, |layer| layer).await;
    for _ in 0..3 {
        Client::of(&hostile).open("2025-11-25").await;
    }
    eventually("another name is warned of", async || warned() > 0).await;
    throughout(Duration::from_millis(200), "once", async || warned() == 1).await;
    assert_eq!(count(&log, &["own=\"sea", other]), 1, "in one line that forges nothing");
    Client::of(&served(&store, other, |layer| layer.deployment("both")).await).open("2025-11-25").await;
    throughout(Duration::from_millis(200), "a name of the deployment says it is meant", async || warned() == 1).await;
}

async fn a_keys_id_with_another_secret_is_warned_of(backend: Backend) {
    let log = Log::capture_ours();
    let store = backend.store().await;
    let (one, two) = (unique("one"), unique("two"));
    let keyed = |kid: &str, secret: u8| ReconnectKeys::new(kid, &[secret; 32]).expect("a good key");
    let start = async |keys: ReconnectKeys| layer(&store).reconnect(keys).build().start().await.expect("it starts");
    let warned = |kid: &str| count(&log, &["with another secret under this key's id", kid]);
    for keys in [keyed(one, 1), keyed(one, 1).accept(two, &[2; 32]).expect("a good key"), keyed(two, 2)] {
        start(keys).await;
    }
    start(ReconnectKeys::random().expect("randomness")).await;
    assert_eq!(
        (warned(one), warned(two)),
        (0, 0),
        "the same ids have the same secrets, and a random key is nobody else's"
    );
    start(keyed(one, 3)).await;
    assert_eq!((warned(one), warned(two)), (1, 0));
    start(keyed(one, 3)).await;
    assert_eq!(warned(one), 1, "all have changed it");
    for secret in [[1; 32], [2; 32], [3; 32]] {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!log.text().contains(&hex));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_its_data_is_told_the_name_again() {
    let (store, inner) = (Backend::Redis.store().await, Scripted::with_sessions());
    let sessions = layer(&store).deployment("billing").build();
    let replica = Replica::start(sessions.layer(inner)).await;
    Client::of(&replica).open("2025-11-25").await;
    let redis = store.redis().expect("it is one");
    let name = async || redis.cli(&["HGET", "mcp:{00}:facts", "deployment"]) == "billing";
    eventually("the name is said", name).await;
    redis.cli(&["FLUSHALL"]);
    eventually("and said again", name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_shards_is_refused() {
    let server = RedisServer::start();
    let store = |shards: u16| RedisStore::builder(server.url()).shards(shards).connect();
    store(4).await.expect("the first is right");
    store(4).await.expect("so is the same");
    let refused = store(1).await.expect_err("another is not");
    assert_eq!(refused.kind(), StoreErrorKind::Misconfigured);
    let why = std::error::Error::source(&refused).expect("it says why").to_string();
    assert!(why.contains("over 4 shards") && why.contains("set to 1"), "{why}");
    RedisStore::builder(server.url()).prefix("another").connect().await.expect("under another prefix it is right");
    server.cli(&["HDEL", "mcp:{00}:facts", "shards"]);
    store(1).await.expect("what the text advises helps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_server_does_not_start_in_another_deployment() {
    let redis = RedisServer::start();
    let url = redis.url();
    let first = Process::server(&["--redis", &url, "--deployment", "billing"]).await;
    let [flag, file] = token_flag();
    let refused =
        run_example("server", &["--listen", "127.0.0.1:0", "--redis", &url, "--deployment", "search", flag, file])
            .await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("\"search\"") && told.contains("\"billing\"") && told.contains("prefix"), "{told}");
    let patient = Client::to(first.address()).open("2025-11-25").await;
    let brief = ["--redis", &url, "--deployment", "billing", "--idle-timeout", "1s", "--apply-lifetimes"];
    let second = Process::server(&brief).await;
    assert!(second.stderr().contains("sessions=1"), "{}", second.stderr());
    assert!(second.stderr().contains("idle_timeout is 1s here and 300s there"), "{}", second.stderr());
    assert_eq!(patient.call("ping", serde_json::json!({})).await.status, StatusCode::OK);
}
