//! The Python SDK, `mcp`, in three generations.

use super::Subject;
use crate::harness::clients::{PySdk, drive_py};

#[tokio::test]
async fn v1_9_4_can_use_every_tool() {
    can_use_every_tool(PySdk::V1_9_4, "legacy", "legacy").await;
}

#[tokio::test]
async fn v1_30_0_can_use_every_tool() {
    can_use_every_tool(PySdk::V1_30_0, "legacy", "legacy").await;
}

#[tokio::test]
async fn v2_3_0_can_use_every_tool() {
    can_use_every_tool(PySdk::V2_3_0, "legacy", "legacy").await;
}

#[tokio::test]
async fn v2_3_0_can_use_every_tool_without_a_session() {
    can_use_every_tool(PySdk::V2_3_0, "modern", "modern").await;
}

#[tokio::test]
async fn v2_3_0_chooses_to_go_without_a_session() {
    can_use_every_tool(PySdk::V2_3_0, "auto", "modern").await;
}

async fn can_use_every_tool(sdk: PySdk, era: &str, expected: &str) {
    for subject in Subject::all().await {
        let mut options = subject.options(era);
        if sdk == PySdk::V1_9_4 {
            options["ask"] = "error".into(); // it has no elicitation
        }
        let report = drive_py(sdk, &subject.server.mcp(), "tools", options).await;
        report.assert_clean();
        assert_eq!(report.era.as_deref(), Some(expected), "{report}");
    }
}
