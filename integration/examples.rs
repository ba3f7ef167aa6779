//! The examples as commands: what they say when asked, and when they cannot start.

use crate::harness::process::run_example;

const EXAMPLES: [&str; 3] = ["bare_hyper", "quickstart", "server"];

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
async fn a_bad_value_is_named_together_with_its_flag() {
    let cases: [&[&str]; 7] = [
        &["--listen", "nowhere"],
        &["--idle-timeout", "soon"],
        &["--on-return", "shrug"],
        &["--principal-header", "no header"],
        &["--allow-host", "http://no.host/"],
        &["--allow-origin", "no-origin"],
        &["--no-such-flag", "--no-such-flag"],
    ];
    for arguments in cases {
        let said = refusal(arguments).await;
        let [flag, value] = arguments else { unreachable!("pairs only") };
        let named = flag.trim_start_matches("--").replace('-', "_");
        assert!(said.contains(flag) || said.contains(&named), "{flag} is not named: {said}");
        assert!(said.contains(value), "{value:?} is not named: {said}");
    }
}

#[tokio::test]
async fn lifetimes_that_make_no_sense_are_refused() {
    let said = refusal(&["--idle-timeout", "10m", "--expires-after", "5m"]).await;
    assert!(said.contains("expires_after must not be shorter than idle_timeout"), "{said}");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound listener").to_string();
    let said = refusal(&["--listen", &address]).await;
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_named_without_its_password() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("a bound listener").to_string();
    drop(nobody);
    let said = refusal(&["--redis", &format!("redis://user:hunter2@{address}/")]).await;
    assert!(said.contains("Redis") && said.contains(&address), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

/// Why `server` does not start with these arguments.
async fn refusal(arguments: &[&str]) -> String {
    let output = run_example("server", arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?} are accepted: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    said
}
