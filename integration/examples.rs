//! The examples as commands: what they say when asked, and when they cannot start.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::eventually::soon;
use crate::harness::process::{Process, Signal, run_example};
use crate::harness::raw::{Client, SESSION_ID, initialize, notification};
use crate::harness::redis::RedisServer;

const EXAMPLES: [&str; 5] = ["bare_hyper", "custom_store", "gateway", "quickstart", "server"];

/// What an example does not start without.
fn required_by(example: &str) -> &'static [&'static str] {
    match example {
        "gateway" => &["--upstream", "http://127.0.0.1:9/mcp"],
        _ => &[],
    }
}

#[tokio::test]
async fn every_example_explains_itself() {
    for example in EXAMPLES {
        let output = run_example(example, &["--help"]).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{example}: {output:?}");
        assert!(said.contains(&format!("Usage: {example}")) && said.contains("--listen"), "{example}: {said}");
    }
}

#[tokio::test]
async fn every_example_leaves_when_told_to() {
    for example in EXAMPLES {
        for signal in [Signal::TERM, Signal::INT] {
            let mut process = Process::example(example, required_by(example)).await;
            process.signal(signal);
            let exit = process.exit().await;
            assert!(exit.status.success(), "{example} after {signal:?}: {}", exit.stderr);
            let heard = if signal == Signal::TERM { "SIGTERM" } else { "SIGINT" };
            assert!(example == "bare_hyper" || exit.stderr.contains(heard), "{example}: {}", exit.stderr);
        }
    }
}

/// What the examples with a log, told to leave, have written to a pipe.
async fn log_of(example: &str, arguments: &[&str]) -> String {
    let process = Process::example(example, &[required_by(example), arguments].concat()).await;
    let exit = process.terminate().await;
    assert!(exit.stderr.contains("SIGTERM"), "{example} {arguments:?}: {}", exit.stderr);
    exit.stderr
}

#[tokio::test]
async fn a_log_that_nobody_reads_in_a_terminal_is_plain() {
    for example in EXAMPLES.into_iter().filter(|&example| example != "bare_hyper") {
        for arguments in [&[][..], &["--log-format", "text"]] {
            let log = log_of(example, arguments).await;
            assert!(!log.contains('\u{1b}') && log.contains(" INFO "), "{example}: {log}");
        }
    }
}

#[tokio::test]
async fn a_log_for_programs_is_an_object_a_line() {
    for example in EXAMPLES.into_iter().filter(|&example| example != "bare_hyper") {
        let log = log_of(example, &["--log-format", "json"]).await;
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{example}: {line}")));
        let lines: Vec<Value> = lines.collect();
        for line in &lines {
            let has = |name| line[name].as_str().is_some_and(|text| !text.is_empty());
            assert!(["timestamp", "level", "target", "message"].into_iter().all(has), "{example}: {line}");
        }
        assert!(lines.iter().any(|line| line["message"] == "SIGTERM: finishing calls"), "{example}: {log}");
    }
}

/// Clients and proxies add a slash; what stands there otherwise is the dashboard.
#[tokio::test]
async fn the_endpoint_is_there_with_a_slash_too() {
    for example in EXAMPLES {
        let process = Process::example(example, required_by(example)).await;
        for path in ["/mcp", "/mcp/", "/mcp?a=b", "/mcp/?a=b"] {
            let client = Client::to(process.address()).at_path(path);
            let opened = client.post(&initialize("2025-11-25")).await.whole().await;
            if example == "gateway" {
                assert_eq!(opened.status, 502, "{path}: nobody is behind it");
            } else {
                assert_eq!(opened.status, 200, "{example} {path}: {}", opened.text());
                let id = opened.session_id().expect("a session id");
                let session = client.with(SESSION_ID, &id);
                assert_eq!(session.post(&notification("notifications/initialized")).await.status, 202);
                assert_eq!(session.call("tools/list", json!({})).await.status, 200, "{example} {path}");
                let listening = session.with("accept", "text/event-stream").get().await;
                assert_eq!(listening.headers["content-type"], "text/event-stream", "{example} {path}");
                assert_eq!(session.delete().await.status, 204, "{example} {path}");
            }
            for refused in [
                client.with("accept", "text/event-stream").get().await.whole().await,
                client.delete().await.whole().await,
                client.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await.whole().await,
            ] {
                assert_eq!(refused.status, 400, "{example} {path}: {}", refused.text());
                assert!(refused.json()["error"]["message"].as_str().unwrap().contains("Mcp-Session-Id"));
            }
        }
    }
}

/// A client that is still sending when its connection is closed would lose what it was told: the connection closes in stages.
#[tokio::test]
async fn a_body_far_too_long_is_refused_and_the_refusal_arrives() {
    const LENGTH: usize = 32 << 20;
    for example in EXAMPLES {
        let process = Process::example(example, required_by(example)).await;
        let client = Client::to(process.address());
        for round in 0..3 {
            let mut socket = client.dial().await;
            socket
                .write_all(format!("{}content-length: {LENGTH}\r\n\r\n", client.head("POST")).as_bytes())
                .await
                .unwrap();
            let sent = async {
                for _ in 0..LENGTH >> 20 {
                    socket.write_all(&vec![b' '; 1 << 20]).await?;
                }
                let mut answer = String::new();
                socket.read_to_string(&mut answer).await.map(|_| answer)
            };
            let answer = soon("the refusal", sent).await.unwrap_or_else(|error| panic!("{example} {round}: {error}"));
            assert!(answer.starts_with("HTTP/1.1 413"), "{example} {round}: {answer}");
            assert!(answer.ends_with('}'), "{example} {round}: {answer}");
        }
        assert_eq!(client.get().await.status, 400, "{example} goes on");
    }
}

#[tokio::test]
async fn the_link_to_the_dashboard_is_its_readers_alone_and_goes_with_the_server() {
    for example in ["gateway", "quickstart", "server"] {
        let mut process = Process::example(example, required_by(example)).await;
        let file = process.link_file().await;
        let mode = fs::metadata(&file).expect("the file is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{example}");
        let link = fs::read_to_string(&file).expect("it can be read");
        let address = process.address();
        let code = link.trim().strip_prefix(&format!("http://{address}/#code=")).unwrap_or_else(|| panic!("{link:?}"));
        assert_eq!(code.len(), 43, "{example}: 32 bytes");
        assert!(!process.stderr().contains(code), "{example}");
        let exchange = Client::to(address).at_path("/api/access");
        let given = exchange.post(&json!({ "code": code })).await.whole().await.json();
        let bearer = format!("Bearer {}", given["token"].as_str().expect("a token"));
        let list = Client::to(address).at_path("/api/mcp/sessions");
        assert_eq!(list.with("authorization", &bearer).get().await.status, 200, "{example}");
        assert_eq!(list.get().await.status, 403, "{example}: this machine alone is no reason");
        assert_eq!(list.at_path("/api/mcp/sessions/health").get().await.status, 200, "{example}: but for counts");
        assert!(process.terminate().await.status.success(), "{example}");
        assert!(!file.exists(), "{example}");
    }
}

#[tokio::test]
async fn a_monitor_token_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("the temporary directory can be written");
    let file = folder.path().join("token");
    let path = file.to_str().expect("a path in Unicode");
    for (text, told) in [("short", "at least 16"), ("two words of a token", "one token"), ("", "at least 16")] {
        fs::write(&file, text).expect("the file can be written");
        let said = refusal("server", &["--listen=127.0.0.1:0", "--monitor-token-file", path]).await;
        assert!(said.contains(told) && said.contains(path), "{said}");
    }
}

#[tokio::test]
async fn a_bad_value_is_named_together_with_its_flag() {
    let cases: [[&str; 2]; 7] = [
        ["--idle-timeout", "soon"],
        ["--expires-after", "5 parsecs"],
        ["--on-return", "shrug"],
        ["--principal-header", "no header"],
        ["--allow-host", "http://no.host/"],
        ["--allow-origin", "no-origin"],
        ["--no-such-flag", ""],
    ];
    for example in ["server", "gateway"] {
        for [flag, value] in cases {
            let said = refusal(example, &[&["--listen=127.0.0.1:0", flag, value], required_by(example)].concat()).await;
            let named = flag.trim_start_matches("--").replace('-', "_");
            assert!(said.contains(flag) || said.contains(&named), "{example}: {flag} is not named: {said}");
            assert!(said.contains(value), "{example}: {value:?} is not named: {said}");
        }
    }
}

#[tokio::test]
async fn a_span_of_time_that_makes_no_sense_is_refused_with_the_range() {
    let cases = [
        ("--token-ttl", "0s", "must be 1s to 30days"),
        ("--token-ttl", "999ms", "must be 1s to 30days"),
        ("--token-ttl", "10y", "must be 1s to 30days"),
        ("--redis-timeout", "0s", "must be 1ms to 1m"),
        ("--redis-timeout", "1h", "must be 1ms to 1m"),
        ("--idle-timeout", "0s", "must be 1s to"),
        ("--expires-after", "0s", "must be 1s to"),
        ("--expires-after", "1000000y", "must be 1s to"),
    ];
    for example in ["server", "gateway"] {
        for (flag, value, told) in cases {
            let said = refusal(example, &[&["--listen=127.0.0.1:0", flag, value], required_by(example)].concat()).await;
            for part in [flag, value, told] {
                assert!(said.contains(part), "{example}: {part:?} is missing: {said}");
            }
        }
    }
    let said = refusal("gateway", &[&["--upstream-timeout", "0s"], required_by("gateway")].concat()).await;
    assert!(said.contains("--upstream-timeout") && said.contains("must be 1ms to 1day"), "{said}");
}

#[tokio::test]
async fn an_upstream_that_the_gateway_cannot_ask_is_refused_with_the_way_out() {
    let cases = [
        ("https://127.0.0.1/mcp", "put a proxy that does in front of the server"),
        ("127.0.0.1:3000/mcp", "--upstream takes http://host[:port]/path"),
        ("ftp://127.0.0.1/mcp", "--upstream takes http://host[:port]/path"),
        ("http://127.0.0.1:99999/mcp", "a port is a number"),
        ("http://somebody:hunter2@127.0.0.1/mcp", "without user and password"),
    ];
    for (upstream, told) in cases {
        let said = refusal("gateway", &["--listen=127.0.0.1:0", "--upstream", upstream]).await;
        assert!(said.contains(told) && !said.contains("hunter2"), "{upstream}: {said}");
    }
    let said = refusal("gateway", &["--listen=127.0.0.1:0", "--upstream-timeout", "soon"]).await;
    assert!(said.contains("--upstream-timeout"), "{said}");
    let said = refusal("gateway", &["--listen=127.0.0.1:0"]).await;
    assert!(said.contains("--upstream <URL>"), "{said}");
}

#[tokio::test]
async fn lifetimes_that_make_no_sense_are_refused() {
    let said = refusal("server", &["--listen=127.0.0.1:0", "--idle-timeout", "10m", "--expires-after", "5m"]).await;
    assert!(said.contains("expires_after must not be shorter than idle_timeout"), "{said}");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound listener").to_string();
    for example in EXAMPLES {
        let said = refusal(example, &[&["--listen", &address], required_by(example)].concat()).await;
        assert!(said.contains(&format!("cannot listen on {address}")), "{example}: {said}");
    }
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named_without_its_password() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("a bound listener").to_string();
    drop(nobody);
    let said = server_with_redis(&format!("redis://somebody:hunter2@{address}/")).await;
    for part in [&format!("no Redis at {address}"), "refused", "redis-server", "--redis"] {
        assert!(said.contains(part), "{part:?} is missing: {said}");
    }
}

#[tokio::test]
async fn a_redis_that_is_silent_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("a bound listener").to_string();
    let said = server_with_redis(&format!("redis://somebody:hunter2@{address}/")).await;
    assert!(said.contains(&format!("no Redis at {address}")), "{said}");
}

#[tokio::test]
async fn a_redis_url_that_is_none_is_not_repeated() {
    for url in ["hunter2", "redis://somebody:hunter2@127.0.0.1:99999/", "redis://somebody:hunter2/@127.0.0.1/"] {
        let said = server_with_redis(url).await;
        assert!(said.contains("--redis takes redis://"), "{said}");
    }
}

/// None of them is told that there is no Redis, nor to look into a log.
#[tokio::test]
async fn a_redis_that_does_not_fit_is_told_apart_with_what_to_do() {
    let redis = RedisServer::start();
    redis.cli(&["ACL", "SETUSER", "poor", "on", ">hunter2", "~mcp:*", "&*", "-@all", "+@connection"]);
    redis.cli(&["ACL", "SETUSER", "rich", "on", ">hunter2", "~*", "&*", "+@all"]);
    for (user, path, happened, advice) in [
        ("nobody", "", "does not take the user and password", "%40"),
        ("rich", "99", "has no database", "0 to 15"),
        ("poor", "", "lets its user do too little", "ACL SETUSER"),
    ] {
        let said = server_with_redis(&format!("redis://{user}:hunter2@127.0.0.1:{}/{path}", redis.port())).await;
        let address = format!("the session store at 127.0.0.1:{}", redis.port());
        for part in [&address, happened, advice, "--redis takes redis://"] {
            assert!(said.contains(part), "{user} {path:?}: {part:?} is missing: {said}");
        }
        assert!(!said.contains("no Redis at"), "{said}");
    }
}

/// Why `server` does not start with this Redis, whose password is `hunter2`.
async fn server_with_redis(url: &str) -> String {
    let said = refusal("server", &["--listen", "127.0.0.1:0", "--redis", url]).await;
    assert!(!said.contains("hunter2"), "{said}");
    said
}

/// Why an example does not start with these arguments.
async fn refusal(example: &str, arguments: &[&str]) -> String {
    let output = run_example(example, arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{example} accepts {arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{example} {arguments:?}: {said}");
    said
}
