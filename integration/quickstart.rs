//! The quickstart, as the README has it: start it, and a client works.

use serde_json::json;

use crate::harness::clients::{TsSdk, drive_ts};
use crate::harness::process::Process;

#[tokio::test]
async fn the_typescript_client_goes_from_initialize_to_404() {
    let server = Process::example("quickstart", &[]).await;
    for sdk in TsSdk::ALL {
        let report = drive_ts(sdk, &server.mcp(), "quickstart", json!({})).await;
        report.assert_clean();
        assert_eq!(report.detail("call greet"), "Hello, Ada!", "{report}");
        assert_eq!(report.detail("the old id is 404"), 404, "{report}");
    }
}

#[tokio::test]
async fn it_says_where_it_is_and_what_to_try_next() {
    let mut server = Process::example("quickstart", &[]).await;
    let mut said = String::new();
    while !said.contains("@modelcontextprotocol/inspector") {
        said.push_str(&server.next_line().await.unwrap_or_else(|| panic!("nothing to try in {said:?}")));
    }
    assert!(said.contains(&server.mcp()), "{said}");
}
