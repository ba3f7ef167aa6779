//! Ctrl-C: a run that is ended before its time leaves no session behind, and says what it saw until then.

use serde_json::Value;

use super::Run;
use crate::harness::eventually::eventually;
use crate::harness::process::{Process, Signal, output_of, signal, start_example, token_flag};

/// How many sessions the server has.
async fn sessions(server: &Process) -> u64 {
    let url = server.mcp().replace("/mcp", "/api/mcp/sessions/health");
    let health: Value = reqwest::get(url).await.expect("the monitor answers").json().await.expect("health is JSON");
    health["status_breakdown"]["total"].as_u64().expect("a count")
}

/// Begins a scenario, waits until it has this many sessions, and presses Ctrl-C.
async fn interrupted(server: &Process, scenario: &str, count: u64) -> Run {
    let directory = tempfile::tempdir().expect("the temporary directory can be written");
    let report = directory.path().to_str().expect("a path in Unicode");
    let arguments = ["--url", &server.mcp(), "--scenario", scenario, "--clients", "4", "--report", report];
    let child = start_example("stress", &[&arguments[..], &["--time-scale", "0.1"], &token_flag()].concat());
    eventually("the scenario has begun", async || sessions(server).await >= count).await;
    signal(&child, Signal::INT);
    let run = Run::of(&output_of(child).await, directory);
    assert_eq!(sessions(server).await, 0, "it left sessions behind: {run}");
    run
}

#[tokio::test]
async fn a_scenario_that_only_waits_is_cut_off_and_cleaned_up_after() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = interrupted(&server, "stale", 4).await;
    assert_eq!(run.status, 130, "{run}");
    assert_eq!(run.report()["interrupted"], true, "{run}");
    assert!(run.criteria("skipped").contains(&"stale: it runs to its end".to_owned()), "{run}");
    assert_eq!(run.criteria("failed"), [""; 0], "{run}");
    assert_eq!(run.report()["scenarios"][0]["operations"][1]["name"], "connect", "what was measured is told: {run}");
    assert!(run.stdout.contains("interrupted: "), "{run}");
}

#[tokio::test]
async fn a_scenario_that_can_end_early_says_what_it_saw() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = interrupted(&server, "soak", 4).await;
    assert_eq!(run.status, 130, "{run}");
    assert!(run.criteria("passed").contains(&"soak: every client connects".to_owned()), "{run}");
    assert!(run.criteria("skipped").contains(&"soak: it runs to its end".to_owned()), "{run}");
}

#[tokio::test]
async fn a_simulation_ends_no_other_way() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = interrupted(&server, "simulate", 3).await;
    assert_eq!(run.status, 0, "{run}");
    assert_eq!(run.report()["interrupted"], false, "{run}");
}
