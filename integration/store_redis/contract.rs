//! The contract of all stores, on a server for each check.

use std::sync::Arc;

use tower_mcp_sessions::store::Store;

use super::fixture::patient;
use crate::harness::redis::RedisServer;

async fn fresh() -> (Arc<dyn Store>, RedisServer) {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.expect("a fresh server can be used");
    (Arc::new(store), server)
}

tower_mcp_sessions::store_contract_tests!(fresh);

mod sharded {
    use super::*;

    async fn fresh() -> (Arc<dyn Store>, RedisServer) {
        let server = RedisServer::start();
        let store = patient(server.url()).shards(16).connect().await.expect("a fresh server can be used");
        (Arc::new(store), server)
    }

    tower_mcp_sessions::store_contract_tests!(fresh);
}
