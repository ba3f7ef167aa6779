//! The examples as commands: what they say when asked, and when they cannot start.

use std::net::TcpListener;

use crate::harness::process::{Process, Signal, run_example};
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
        }
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

#[tokio::test]
async fn a_wrong_redis_password_is_called_so() {
    let redis = RedisServer::with(&["--requirepass", "correct"]);
    let said = server_with_redis(&format!("redis://:hunter2@127.0.0.1:{}/", redis.port())).await;
    assert!(said.to_lowercase().contains("password"), "{said}");
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
