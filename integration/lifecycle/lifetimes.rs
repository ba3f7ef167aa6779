//! How long a session lives is its own: a process that is set up differently, or only watches, changes nothing about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::monitor::Role;
use tower_mcp_sessions::store::{Lifetimes, SessionStore};
use tower_mcp_sessions::{OnReturn, SessionLayer};

use super::{IDLE, tuned};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, throughout};
use crate::harness::inner::Scripted;
use crate::harness::log::Log;
use crate::harness::login::everybody_as;
use crate::harness::process::{Process, token_flag};
use crate::harness::raw::{Client, Session};
use crate::harness::redis::RedisServer;
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    nobodys_session_ends_early_because_another_process_is_set_up_differently,
    who_only_watches_ends_nothing_whatever_it_is_set_to,
    a_session_in_use_at_a_process_that_is_set_up_differently_stays_active,
    applied_lifetimes_are_those_of_all_sessions,
    what_a_return_finds_is_the_sessions_own,
}

/// Long enough for a few requests of a busy machine.
const BRIEF: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(3600);

async fn nobodys_session_ends_early_because_another_process_is_set_up_differently(backend: Backend) {
    // Spans that no other test sets, so that their warnings are told from others'.
    static LAST: AtomicU64 = AtomicU64::new(0);
    let unlike = LONG + Duration::from_millis(1 + LAST.fetch_add(1, Ordering::Relaxed));
    let log = Log::capture_ours();
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let patient = tuned(&store, &inner, |layer| layer.idle_timeout(unlike)).await;
    let long = Client::of(&patient).open("2025-11-25").await;
    let other = tuned(&store, &inner, |layer| layer.idle_timeout(unlike).max_lifetime(unlike)).await;
    let also_long = Client::of(&other).open("2025-11-25").await;
    let brief = tuned(&store, &inner, |layer| layer.idle_timeout(BRIEF).expires_after(BRIEF)).await;
    let short = Client::of(&brief).open("2025-11-25").await;
    assert!(short.works().await && long.at(&brief).works().await && also_long.at(&brief).works().await);
    eventually("the brief one's own session ends", async || store.ended().len() == 1).await;
    assert_eq!(short.status().await, StatusCode::NOT_FOUND);
    throughout(IDLE * 2, "no other does", async || store.counts().await == (2, 0)).await;
    for session in [&long, &also_long] {
        for at in [&patient, &other, &brief] {
            assert!(session.at(at).works().await, "they live on every replica");
        }
    }
    let warned = |part: String| {
        let of_lifetimes = |line: &&str| line.contains("WARN") && line.contains("gives its sessions other lifetimes");
        log.text().lines().filter(of_lifetimes).filter(|line| line.contains(&part)).count()
    };
    assert_eq!(warned(format!("{unlike:?}")), 2, "two differ from who started before: {}", log.text());
    assert_eq!(warned(format!("max_lifetime is {unlike:?} here and none there")), 1);
    let both = format!(
        "idle_timeout is {BRIEF:?} here and {unlike:?} there, expires_after is {BRIEF:?} here and 86400s there"
    );
    assert_eq!(warned(both), 1);
}

async fn who_only_watches_ends_nothing_whatever_it_is_set_to(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let sessions = layer(&store).idle_timeout(IDLE).expires_after(IDLE).build();
    let serving = Replica::start(tower::Layer::layer(&sessions, inner.clone())).await;
    let session = Client::of(&serving).open("2025-11-25").await;
    // Nobody serves any more: what was due stays due, until somebody does.
    sessions.shutdown().await;
    drop((serving, sessions));
    let brief = SessionLayer::builder(store.clone()).idle_timeout(IDLE).expires_after(IDLE).build();
    for watching in [SessionLayer::watch(store.clone()), brief] {
        let monitor = watching.monitor().access(everybody_as(Role::View)).build();
        let replica = Replica::serve(axum::Router::new().fallback_service(monitor)).await;
        let health = Client::of(&replica).at_path("/api/mcp/sessions/health");
        throughout(IDLE * 2, "the session is counted, and not judged", async || {
            let health: Value = health.get().await.whole().await.json();
            health["status_breakdown"]["total"] == 1 && store.ended().is_empty() && store.disconnected().is_empty()
        })
        .await;
    }
    let again = tuned(&store, &inner, |layer| layer.idle_timeout(LONG)).await;
    assert_eq!(session.at(&again).status().await, StatusCode::NOT_FOUND, "its own time is over");
    eventually("who serves ends it", async || store.counts().await == (0, 0)).await;
}

async fn a_session_in_use_at_a_process_that_is_set_up_differently_stays_active(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let brief = tuned(&store, &inner, |layer| layer.idle_timeout(BRIEF)).await;
    let patient = tuned(&store, &inner, |layer| layer.idle_timeout(LONG)).await;
    let session = Client::of(&brief).open("2025-11-25").await;
    let mut listening = session.at(&patient).listen().await;
    assert!(listening.next().await.is_some());
    throughout(BRIEF * 2, "it is used, and told of in time", async || store.counts().await == (1, 0)).await;
    drop(listening);
    eventually("then it is idle after its own time", async || store.counts().await == (0, 1)).await;
    assert_eq!(store.disconnected().len(), 1);
}

async fn applied_lifetimes_are_those_of_all_sessions(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let patient = tuned(&store, &inner, |layer| layer.idle_timeout(LONG)).await;
    let sessions = [Client::of(&patient).open("2025-11-25").await, Client::of(&patient).open("2025-11-25").await];
    let brief = layer(&store).idle_timeout(IDLE).expires_after(LONG).build();
    throughout(IDLE * 2, "nothing happens by itself", async || store.counts().await == (2, 0)).await;
    assert_eq!(brief.apply_lifetimes().await.expect("the store answers"), 2);
    eventually("the replicas that serve them find them idle", async || store.counts().await == (0, 2)).await;
    let back = layer(&store).idle_timeout(LONG).build();
    assert_eq!(back.apply_lifetimes().await.expect("the store answers"), 2);
    assert!(sessions[0].works().await, "nothing else has changed");
    throughout(IDLE * 2, "a longer life is longer at once", async || store.counts().await == (1, 1)).await;
}

async fn what_a_return_finds_is_the_sessions_own(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let rejecting = tuned(&store, &inner, |layer| layer.on_return(OnReturn::Reject)).await;
    let reviving = tuned(&store, &inner, |layer| layer).await;
    let stays_away = Client::of(&rejecting).open("2025-11-25").await;
    let comes_back = Client::of(&reviving).open("2025-11-25").await;
    eventually("both are idle", async || store.counts().await == (0, 2)).await;
    assert_eq!(stays_away.at(&reviving).status().await, StatusCode::NOT_FOUND);
    assert!(comes_back.at(&rejecting).works().await);
    let revive = Lifetimes { on_return: OnReturn::Revive, ..Lifetimes::default() };
    store.apply_lifetimes(&revive).await.expect("the store answers");
    eventually("given others, it comes back too", async || stays_away.at(&rejecting).works().await).await;
}

/// Real processes on one Redis, as in a deploy that changes a timeout; the third is asked for its health, as a dashboard does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_processes_with_different_settings_each_has_its_own_sessions() {
    let redis = RedisServer::start();
    let url = redis.url();
    let patient = [Process::server(&["--redis", &url]).await, Process::server(&["--redis", &url]).await];
    let mut sessions = Vec::new();
    for process in patient.iter().cycle().take(6) {
        sessions.push(Client::to(process.address()).open("2025-11-25").await);
    }
    let brief = Process::server(&["--redis", &url, "--idle-timeout", "3s", "--expires-after", "6s"]).await;
    let [flag, file] = token_flag();
    assert_eq!(flag, "--monitor-token-file");
    let token = std::fs::read_to_string(file).expect("the file of the token");
    let health = Client::to(brief.address()).with("authorization", &format!("Bearer {}", token.trim()));
    let total = async || {
        let health: Value = health.at_path("/api/mcp/sessions/health").get().await.whole().await.json();
        health["status_breakdown"]["total"].as_u64()
    };
    let own = Client::to(brief.address()).open("2025-11-25").await;
    assert_eq!(total().await, Some(7));
    eventually("its own session ends after its own time", async || total().await == Some(6)).await;
    let ping = async |session: &Session| session.call("ping", json!({})).await.status;
    assert_eq!(ping(&own).await, StatusCode::NOT_FOUND);
    for session in &sessions {
        for process in patient.iter().chain([&brief]) {
            assert_eq!(ping(&session.at_address(process.address())).await, StatusCode::OK, "no other ends");
        }
    }
    let warned = "idle_timeout is 3s here and 300s there, expires_after is 6s here and 86400s there";
    assert_eq!(brief.stderr().matches(warned).count(), 1, "{}", brief.stderr());
    for process in &patient {
        assert!(!process.stderr().contains("other lifetimes"), "{}", process.stderr());
    }
}
