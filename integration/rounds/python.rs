//! The Python SDK, in three generations.

use super::{Client, on_one_replica, on_three_replicas, survives_the_loss_of_a_replica};
use crate::harness::clients::PySdk;

#[tokio::test]
async fn v1_9_4_on_one_replica() {
    on_one_replica(Client::Python(PySdk::V1_9_4)).await;
}

#[tokio::test]
async fn v1_30_0_on_one_replica() {
    on_one_replica(Client::Python(PySdk::V1_30_0)).await;
}

#[tokio::test]
async fn v2_3_0_on_one_replica() {
    on_one_replica(Client::Python(PySdk::V2_3_0)).await;
}

#[tokio::test]
async fn v1_9_4_on_three_replicas() {
    on_three_replicas(Client::Python(PySdk::V1_9_4)).await;
}

#[tokio::test]
async fn v1_30_0_on_three_replicas() {
    on_three_replicas(Client::Python(PySdk::V1_30_0)).await;
}

#[tokio::test]
async fn v1_30_0_survives_the_loss_of_a_replica() {
    survives_the_loss_of_a_replica(Client::Python(PySdk::V1_30_0)).await;
}

#[tokio::test]
async fn v2_3_0_on_three_replicas() {
    on_three_replicas(Client::Python(PySdk::V2_3_0)).await;
}

#[tokio::test]
async fn v2_3_0_survives_the_loss_of_a_replica() {
    survives_the_loss_of_a_replica(Client::Python(PySdk::V2_3_0)).await;
}
