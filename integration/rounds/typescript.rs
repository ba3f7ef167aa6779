//! The TypeScript SDKs.

use super::{Client, on_one_replica};
use crate::harness::clients::TsSdk;

#[tokio::test]
async fn v1_on_one_replica() {
    on_one_replica(Client::TypeScript(TsSdk::V1)).await;
}

#[tokio::test]
async fn v2_on_one_replica() {
    on_one_replica(Client::TypeScript(TsSdk::V2)).await;
}
