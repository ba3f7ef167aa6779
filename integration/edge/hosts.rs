//! `Host` and `Origin`, over real HTTP: what is foreign is refused before anything else happens.

use http::StatusCode;
use tower::Layer;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::inner::Scripted;
use crate::harness::log::Log;
use crate::harness::raw::{Client, VERSION, initialize, modern};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_foreign_host_or_origin_is_403_before_any_work,
    loopback_and_allowed_hosts_and_origins_are_served,
    a_refusal_is_logged_with_what_arrived_and_what_would_be_taken,
}

/// The lines of the log in which all of this stands.
fn lines_with(log: &Log, parts: &[&str]) -> usize {
    log.text().lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

/// At the endpoint and at the monitor, which a proxy in front may name differently.
async fn a_refusal_is_logged_with_what_arrived_and_what_would_be_taken(backend: Backend) {
    let log = Log::capture_ours();
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let sessions = layer(&store).allow_host("mcp.example.com").allow_origin("https://app.example.com").build();
    let replica = Replica::with_monitor(&sessions, &inner).await;
    let port = replica.address.port();
    for (what, path) in [("endpoint", "/mcp"), ("monitor", "/api/mcp/sessions/health")] {
        let client = Client::of(&replica).at_path(path);
        let host = format!("{what}.foreign.example:{port}");
        assert_eq!(client.with("host", &host).get().await.status, StatusCode::FORBIDDEN);
        let told = ["WARN", &format!("host=\"{host}\""), "taken=\"loopback names, mcp.example.com\"", "allow_host"];
        assert!(lines_with(&log, &told) > 0, "{what}: {}", log.text());
        let origin = format!("https://{what}.foreign.example:{port}");
        let page = client.with("host", "mcp.example.com").with("origin", &origin);
        assert_eq!(page.get().await.status, StatusCode::FORBIDDEN);
        let taken = "taken=\"pages of the host that was asked, https://app.example.com:443\"";
        let told = ["WARN", &format!("origin=\"{origin}\""), "host=\"mcp.example.com\"", taken, "allow_origin"];
        assert!(lines_with(&log, &told) > 0, "{what}: {}", log.text());
    }
}

async fn a_foreign_host_or_origin_is_403_before_any_work(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    let hosts = [
        "evil.example",
        "localhost.evil.com",
        "localhost.",
        "LOCALHOST.evil.com:80",
        "user@localhost",
        "127.0.0.1.nip.io",
        "0.0.0.0",
        "[::2]",
        "2130706433",
    ];
    let origins = [
        "https://evil.example",
        "http://localhost.evil.com",
        "http://localhost.",
        "http://user@localhost",
        "http://localhost:99999",
        "null",
        "localhost",
        "file://",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "",
        "http://evil.example, http://localhost",
    ];
    let refused = hosts
        .iter()
        .map(|host| (client.with("host", host), host))
        .chain(origins.iter().map(|origin| (client.with("origin", origin), origin)));
    for (client, what) in refused {
        for client in [client.clone(), client.with(VERSION, "2026-07-28")] {
            for body in [initialize("2025-11-25"), modern("echo")] {
                let answer = client.post(&body).await.whole().await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
                assert!(answer.json()["error"]["message"].as_str().is_some(), "{what}");
            }
            assert_eq!(client.get().await.status, StatusCode::FORBIDDEN, "{what}");
            assert_eq!(client.delete().await.status, StatusCode::FORBIDDEN, "{what}");
            assert_eq!(client.send(http::Method::OPTIONS, "").await.status, StatusCode::FORBIDDEN, "{what}");
        }
    }
    for doubled in ["host: localhost\r\n", "origin: http://localhost\r\norigin: http://localhost\r\n"] {
        let answer = client.bytes(format!("{}{doubled}\r\n", client.head("GET")).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") || answer.starts_with("HTTP/1.1 400 "), "{doubled}: {answer}");
    }
    assert_eq!((store.commands(), inner.seen().len()), (0, 0));
}

async fn loopback_and_allowed_hosts_and_origins_are_served(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let open = layer(&store).allow_host("mcp.example.com").allow_origin("https://app.example.com");
    let open = open.allow_origin("chrome-extension://abcdefghijklmnopabcdefghijklmnop").build();
    let replica = Replica::start(open.layer(inner.clone())).await;
    let client = Client::of(&replica);
    for host in ["localhost", "LocalHost:80", "127.0.0.1:1", "127.1.2.3", "[::1]:9000", "mcp.example.com:443"] {
        assert_eq!(client.with("host", host).post(&initialize("2025-11-25")).await.status, StatusCode::OK, "{host}");
    }
    let page_of_its_own = format!("http://{}", replica.address);
    let extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
    for origin in ["https://APP.example.com:443", extension, &page_of_its_own] {
        let answer = client.with("origin", origin).post(&initialize("2025-11-25")).await;
        assert_eq!(answer.status, StatusCode::OK, "{origin}");
    }
    let unnamed = Replica::of(&store, &inner).await;
    for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5"] {
        let served = Client::of(&unnamed).with("origin", origin).post(&initialize("2025-11-25")).await;
        assert_eq!(served.status, StatusCode::OK, "{origin}");
        let foreign = client.with("origin", origin).post(&initialize("2025-11-25")).await;
        assert_eq!(
            foreign.status,
            StatusCode::FORBIDDEN,
            "{origin}: a server that has a name is asked by its own pages"
        );
    }
}
