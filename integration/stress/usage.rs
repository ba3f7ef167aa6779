//! What is said to those who ask for help, or for what makes no sense.

use super::{run, stress};
use crate::harness::process::{Process, run_example};

#[tokio::test]
async fn it_explains_itself() {
    let output = run_example("stress", &["--help"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for word in ["Usage: stress", "--time-scale", "round-robin", "simulate", "Exit status"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_ends_with_2_and_says_why() {
    let cases: [(&[&str], &str); 8] = [
        (&[], "--url"),
        (&["--url", "http://127.0.0.1:9/mcp", "--clients", "0"], "--clients"),
        (&["--url", "http://127.0.0.1:9/mcp", "--time-scale", "0"], "greater than 0"),
        (&["--url", "http://127.0.0.1:9/mcp", "--scenario", "chaos"], "chaos"),
        (&["--url", "https://127.0.0.1:9/mcp"], "proxy"),
        (&["--url", "127.0.0.1"], "127.0.0.1"),
        (&["--url", "http://127.0.0.1:9/mcp"], "is the server started"),
        (&["--url", "http://127.0.0.1:9/mcp", "--tool", "echo"], "--argument"),
    ];
    for (arguments, why) in cases {
        let run = run(arguments).await;
        assert_eq!(run.status, 2, "{arguments:?}: {run}");
        assert!(run.stderr.contains(why), "{arguments:?}: {run}");
    }
}

#[tokio::test]
async fn a_monitor_that_is_named_must_be_there() {
    let server = Process::server(&[]).await;
    let run = stress(&[server.mcp()], &["--monitor", "http://127.0.0.1:9"]).await;
    assert_eq!(run.status, 2, "{run}");
    assert!(run.stderr.contains("no monitor at http://127.0.0.1:9"), "{run}");
}

#[tokio::test]
async fn a_rate_is_kept_and_measured_from_when_it_was_due() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let arguments =
        ["--scenario", "concurrent,churn", "--rate", "200", "--clients", "10", "--calls", "20", "--duration", "1s"];
    let run = stress(&[server.mcp()], &arguments).await;
    assert_eq!(run.status, 0, "{run}");
    let (report, mut counts) = (run.report(), Vec::new());
    for played in report["scenarios"].as_array().expect("a list") {
        let operations = played["operations"].as_array().expect("a list").iter();
        let connects = operations.filter(|operation| operation["name"] == "connect");
        counts.extend(connects.map(|operation| operation["count"].as_u64()));
        assert!(played["took_seconds"].as_f64() >= Some(0.99), "200 at 200 a second take a second: {run}");
    }
    assert_eq!(counts, [Some(10), Some(200)], "{run}");
}

#[tokio::test]
async fn simulated_clients_come_work_and_leave() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let arguments = ["--scenario", "simulate", "--clients", "20", "--time-scale", "0.02", "--duration", "3s"];
    let run = stress(&[server.mcp()], &arguments).await;
    assert_eq!(run.status, 0, "{run}");
    assert!(run.stderr.contains("20 clients of 9 kinds"), "{run}");
    let report = run.report();
    let opened = &report["server"]["after"]["connection_health"]["total_sessions_24h"];
    assert!(opened.as_u64() > Some(10), "{run}");
    assert_eq!(report["scenarios"][0]["failures"], serde_json::json!({}), "{run}");
}
