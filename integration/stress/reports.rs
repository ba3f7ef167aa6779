//! What a run leaves behind.

use std::fs;

use serde_json::{Value, json};

use super::{Run, run, stress};
use crate::harness::process::{Process, output_of, run_example, start_example};

#[tokio::test]
async fn a_run_leaves_a_report_for_programs_for_tickets_and_for_eyes() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = stress(&[server.mcp()], &["--scenario", "lifecycle", "concurrent", "--clients", "3"]).await;
    assert_eq!(run.status, 0, "{run}");

    let report = run.report();
    let call = report["scenarios"][1]["operations"].as_array().expect("a list").iter();
    let call = call.clone().find(|operation| operation["name"] == "call").expect("calls were measured");
    assert_eq!((&call["count"], &call["failed"]), (&json!(15), &json!(0)), "{run}");
    assert!(call["p50_ms"].as_f64() <= call["p99_ms"].as_f64(), "{call}");
    assert!(report["server"]["before"]["status_breakdown"]["total"].is_u64(), "{run}");

    let markdown = run.file("report.md");
    assert!(markdown.contains("| ✅ | no answer is crossed |"), "{markdown}");

    let page = run.file("report.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark"), "{page}");
    for foreign in ["src=", "href=", "@import", "url(", "<script"] {
        assert!(!page.contains(foreign), "the page needs something else: {foreign}");
    }
    for secret in ["mcp-session-id", "eyJ"] {
        assert!(!page.contains(secret) && !report.to_string().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_report_is_there_though_nobody_reads_the_table() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let directory = tempfile::tempdir().expect("the temporary directory can be written");
    let report = directory.path().to_str().expect("a path in Unicode");
    let mut child = start_example("stress", &["--url", &server.mcp(), "--scenario", "concurrent", "--report", report]);
    drop(child.stdout.take());
    let run = Run::of(&output_of(child).await, directory);
    assert_eq!(run.status, 0, "{run}");
    assert_eq!(run.criteria("failed"), [""; 0], "{run}");
}

#[tokio::test]
async fn two_reports_are_compared_and_what_got_worse_fails() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = stress(&[server.mcp()], &["--scenario", "concurrent", "--clients", "2"]).await;
    let (before, after) = (run.directory.path().join("report.json"), run.directory.path().join("worse.json"));
    let mut worse = run.report();
    let crossed = worse["scenarios"][0]["criteria"].as_array_mut().expect("a list").iter_mut();
    for criterion in crossed.filter(|criterion| criterion["name"] == "no answer is crossed") {
        criterion["verdict"] = Value::from("failed");
        criterion["detail"] = Value::from("7 crossed");
    }
    let new = json!({"name": "nothing fails on the way", "verdict": "failed", "detail": "8 × 503 unavailable"});
    worse["scenarios"][0]["criteria"].as_array_mut().expect("a list").push(new);
    fs::write(&after, worse.to_string()).expect("a file can be written");
    let [before, after] = [&before, &after].map(|path| path.to_str().expect("a path in Unicode"));

    let same = run_example("stress", &["--compare", before, before]).await;
    let said = String::from_utf8_lossy(&same.stdout);
    assert_eq!(same.status.code(), Some(0), "{said}");
    assert!(said.contains("no criterion changed") && said.contains("concurrent: call"), "{said}");

    let worse = run_example("stress", &["--compare", before, after]).await;
    let said = String::from_utf8_lossy(&worse.stdout);
    assert_eq!(worse.status.code(), Some(1), "{said}");
    assert!(said.contains("concurrent: no answer is crossed: ok → FAIL (7 crossed)"), "{said}");
    assert!(said.contains("nothing fails on the way: not asked → FAIL (8 × 503 unavailable)"), "{said}");
}

#[tokio::test]
async fn what_is_no_report_is_not_compared() {
    let directory = tempfile::tempdir().expect("the temporary directory can be written");
    let other = directory.path().join("other.json");
    fs::write(&other, "{}").expect("a file can be written");
    let other = other.to_str().expect("a path in Unicode");
    let output = run_example("stress", &["--compare", other, other]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let missing = run(&["--compare", "nowhere.json", "nowhere.json"]).await;
    assert_eq!(missing.status, 2, "--compare stands alone: {missing}");
}
