//! The Rust SDK, `rmcp`.

use super::{Client, on_one_replica};

#[tokio::test]
async fn rmcp_on_one_replica() {
    on_one_replica(Client::Rust).await;
}
