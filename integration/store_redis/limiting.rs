//! Limits that replicas keep together: windows, and a cap on living sessions.

use std::time::Duration;

use tower_mcp_sessions::store::{Limiter, Opening, Rate, SessionStore, WindowName};

use super::fixture::{patient, session, take};
use crate::harness::redis::RedisServer;

#[tokio::test]
async fn a_cap_is_exact_and_shared_out_over_the_shards() {
    let server = RedisServer::start();
    for (shards, cap, most) in [(1, 5, 5), (4, 10, 12)] {
        let store = patient(server.url()).prefix(format!("{shards}")).shards(shards).connect().await.unwrap();
        let openings = (0..120).map(|_| session()).collect::<Vec<_>>();
        let openings = openings.iter().map(|session| store.open(session, Some(cap)));
        let openings = futures::future::try_join_all(openings).await.unwrap();
        let opened = openings.iter().filter(|opening| matches!(opening, Opening::Opened { .. })).count();
        assert_eq!((opened, store.census().await.unwrap().active), (most, most as u64), "{shards} shards");
    }
}

#[tokio::test]
async fn a_window_keeps_no_more_than_its_permits_and_ends_with_their_span() {
    let server = RedisServer::start();
    let store = patient(server.url()).shards(16).connect().await.unwrap();
    let name = WindowName::parse("w").unwrap();
    let (few, mut given) = (Rate { most: 3, per: Duration::from_millis(20) }, 0);
    while given < 10 {
        given += usize::from(store.take(&name, &few).await.unwrap().retry_after.is_none());
    }
    store.take(&name, &Rate { most: 4, per: Duration::from_secs(60) }).await.unwrap();
    let windows: Vec<String> = server.keys().into_iter().filter(|name| !name.ends_with(":facts")).collect();
    let [window] = windows.try_into().expect("there is one key");
    assert!(window.starts_with("mcp:{") && window.ends_with("}:q:w"), "{window}");
    let (kept, ttl): (u32, u32) =
        (server.cli(&["LLEN", &window]).parse().unwrap(), server.cli(&["PTTL", &window]).parse().unwrap());
    assert!(kept <= 4 && (50_000..=60_000).contains(&ttl), "{kept} permits, for {ttl} ms");
}

#[tokio::test]
async fn what_a_window_costs() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    take(&store, "so-that-the-script-is-known").await.unwrap();
    for (most, windows) in [(1, 1000), (60, 50), (2000, 1)] {
        let rate = Rate { most, per: Duration::from_secs(3600) };
        let before = server.info("used_memory");
        for i in 0..windows {
            let name = WindowName::parse(&format!("reconnect:{most}:{i}")).unwrap();
            for _ in 0..=most {
                store.take(&name, &rate).await.unwrap();
            }
        }
        let each = server.info("used_memory").saturating_sub(before) / windows;
        println!("bytes per window with {most} permits: {each}");
        assert!(each < 500 + u64::from(most) * 20, "a window of {most} takes {each} bytes");
    }
}
