//! The Python SDK, in its last two generations.

use super::{Program, lives_three_times};
use crate::harness::clients::PySdk;

#[tokio::test]
async fn v1_30_0_is_killed_and_comes_back_elsewhere() {
    lives_three_times(Program::Python(PySdk::V1_30_0)).await;
}

#[tokio::test]
async fn v2_3_0_is_killed_and_comes_back_elsewhere() {
    lives_three_times(Program::Python(PySdk::V2_3_0)).await;
}
