//! The TypeScript SDKs.

use super::{Client, on_one_replica, on_three_replicas, survives_the_loss_of_a_replica};
use crate::harness::clients::TsSdk;

#[tokio::test]
async fn v1_on_one_replica() {
    on_one_replica(Client::TypeScript(TsSdk::V1)).await;
}

#[tokio::test]
async fn v2_on_one_replica() {
    on_one_replica(Client::TypeScript(TsSdk::V2)).await;
}

#[tokio::test]
async fn v1_on_three_replicas() {
    on_three_replicas(Client::TypeScript(TsSdk::V1)).await;
}

#[tokio::test]
async fn v1_survives_the_loss_of_a_replica() {
    survives_the_loss_of_a_replica(Client::TypeScript(TsSdk::V1)).await;
}

#[tokio::test]
async fn v2_on_three_replicas() {
    on_three_replicas(Client::TypeScript(TsSdk::V2)).await;
}

#[tokio::test]
async fn v2_survives_the_loss_of_a_replica() {
    survives_the_loss_of_a_replica(Client::TypeScript(TsSdk::V2)).await;
}
