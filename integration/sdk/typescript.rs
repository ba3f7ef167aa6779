//! The TypeScript SDKs, `@modelcontextprotocol/sdk` (v1) and `@modelcontextprotocol/client` (v2).

use super::Subject;
use crate::harness::clients::{TsSdk, drive_ts};

#[tokio::test]
async fn v1_can_use_every_tool() {
    can_use_every_tool(TsSdk::V1, "legacy", "legacy").await;
}

#[tokio::test]
async fn v2_can_use_every_tool() {
    can_use_every_tool(TsSdk::V2, "legacy", "legacy").await;
}

#[tokio::test]
async fn v2_can_use_every_tool_without_a_session() {
    can_use_every_tool(TsSdk::V2, "modern", "modern").await;
}

#[tokio::test]
async fn v2_chooses_to_go_without_a_session() {
    can_use_every_tool(TsSdk::V2, "auto", "modern").await;
}

#[tokio::test]
async fn v1_comes_back_to_its_session_without_a_handshake() {
    comes_back(TsSdk::V1).await;
}

#[tokio::test]
async fn v2_comes_back_to_its_session_without_a_handshake() {
    comes_back(TsSdk::V2).await;
}

async fn can_use_every_tool(sdk: TsSdk, era: &str, expected: &str) {
    for subject in Subject::all().await {
        let report = drive_ts(sdk, &subject.server.mcp(), "tools", subject.options(era)).await;
        report.assert_clean();
        assert_eq!(report.era.as_deref(), Some(expected), "{report}");
    }
}

async fn comes_back(sdk: TsSdk) {
    for subject in Subject::all().await {
        let report = drive_ts(sdk, &subject.server.mcp(), "resume", subject.options("legacy")).await;
        report.assert_clean();
    }
}
