//! What is said to those who ask for help, or for what makes no sense.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{run, stress};
use crate::harness::process::{Process, run_example};

#[tokio::test]
async fn it_explains_itself() {
    let output = run_example("stress", &["--help"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for word in ["Usage: stress", "The server:", "--time-scale", "round-robin", "simulate", "Exit status"] {
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
async fn what_is_not_so_is_said_before_anything_is_played() {
    let server = Process::server(&[]).await;
    let elsewhere = server.mcp().replace("/mcp", "/elsewhere");
    let no_metrics = server.mcp().replace("/mcp", "/metrics");
    let cases: [(&str, &[&str], &str); 3] = [
        (&elsewhere, &[], "there is no MCP endpoint"),
        (&server.mcp(), &["--pid", "4294967295"], "process 4294967295"),
        (&server.mcp(), &["--metrics", &no_metrics], "process_resident_memory_bytes"),
    ];
    for (url, arguments, why) in cases {
        let run = stress(&[url.to_owned()], arguments).await;
        assert_eq!(run.status, 2, "{arguments:?}: {run}");
        assert!(run.stderr.contains(why), "{arguments:?}: {run}");
    }
}

#[tokio::test]
async fn the_memory_of_a_process_elsewhere_is_told_by_its_metrics() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let page = "# HELP process_resident_memory_bytes Memory.\nprocess_resident_memory_bytes{job=\"mcp\"} 2.5e7\n";
    let app = Router::new().route("/metrics", get(async move || page));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let metrics = format!("http://{}/metrics", listener.local_addr().expect("a bound socket has an address"));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, app).await.expect("the listener works") });

    let arguments = ["--scenario", "soak", "--clients", "3", "--duration", "2s", "--metrics", &metrics];
    let run = stress(&[server.mcp()], &arguments).await;
    assert_eq!(run.status, 0, "{run}");
    assert!(run.said().contains("0 B each: 25.0 MB before, 25.0 MB with 3 sessions"), "{run}");
    assert!(run.said().contains("25.0 MB in the middle, 25.0 MB at the end"), "{run}");
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
