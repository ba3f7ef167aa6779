//! The TypeScript SDKs.

use super::{Program, lives_three_times};
use crate::harness::clients::TsSdk;

#[tokio::test]
async fn v1_is_killed_and_comes_back_elsewhere() {
    lives_three_times(Program::TypeScript(TsSdk::V1)).await;
}

#[tokio::test]
async fn v2_is_killed_and_comes_back_elsewhere() {
    lives_three_times(Program::TypeScript(TsSdk::V2)).await;
}
