//! The Rust SDK, `rmcp`.

use super::{Client, on_one_replica, on_three_replicas, survives_the_loss_of_a_replica};

#[tokio::test]
async fn rmcp_on_one_replica() {
    on_one_replica(Client::Rust).await;
}

#[tokio::test]
async fn rmcp_on_three_replicas() {
    on_three_replicas(Client::Rust).await;
}

#[tokio::test]
async fn rmcp_survives_the_loss_of_a_replica() {
    survives_the_loss_of_a_replica(Client::Rust).await;
}
