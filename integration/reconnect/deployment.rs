//! Three replicas of the example server as processes, with one Redis and one secret. Each can be killed, and comes back where
//! it was.

use std::io::Write;
use std::net::SocketAddr;

use serde_json::json;
use tempfile::NamedTempFile;

use crate::harness::process::{FREE_PORT, Process};
use crate::harness::raw::{Client, SESSION_ID};
use crate::harness::redis::RedisServer;

/// A line of the secret file.
const KEY: &[u8] = b"first 6f66-the-integration-tests-32-bytes-at-least";

pub(super) struct Deployment {
    pub(super) addresses: [SocketAddr; 3],
    /// `None` while it is down.
    processes: [Option<Process>; 3],
    /// Where each finds Redis.
    stores: [String; 3],
    secret: NamedTempFile,
    redis: RedisServer,
}

impl Deployment {
    pub(super) async fn start() -> Self {
        let redis = RedisServer::start();
        let stores = [(); 3].map(|()| redis.url());
        Self::with_stores(redis, stores).await
    }

    /// The same with other ways to the Redis.
    pub(super) async fn with_stores(redis: RedisServer, stores: [String; 3]) -> Self {
        let mut secret = NamedTempFile::new().expect("the temporary directory can be written");
        secret.write_all(KEY).expect("a file can be written");
        let start = async |at| server(FREE_PORT, at, &stores, &secret).await;
        let processes = [start(0).await, start(1).await, start(2).await];
        let addresses = processes.each_ref().map(Process::address);
        Self { addresses, processes: processes.map(Some), stores, secret, redis }
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self, at: usize) {
        let killed = self.processes[at].take().expect("it runs").kill().await;
        assert!(!killed.status.success(), "it did not end by itself: {killed:?}");
    }

    /// Starts a replica that was killed again, on its own port.
    pub(super) async fn restart(&mut self, at: usize) {
        assert!(self.processes[at].is_none(), "it was killed before");
        self.processes[at] = Some(server(self.addresses[at], at, &self.stores, &self.secret).await);
    }

    pub(super) fn mcp(&self, at: usize) -> String {
        format!("http://{}/mcp", self.addresses[at])
    }

    pub(super) fn client(&self, at: usize) -> Client {
        Client::to(self.addresses[at])
    }

    /// The status of an ordinary request with this session id, at each replica.
    pub(super) async fn statuses(&self, id: &str) -> [u16; 3] {
        let mut statuses = [0; 3];
        for (at, status) in statuses.iter_mut().enumerate() {
            let client = self.client(at).with(SESSION_ID, id);
            *status = client.call("tools/list", json!({})).await.status.as_u16();
        }
        statuses
    }

    /// How often a session has changed hands, as its record in Redis says.
    pub(super) fn generation(&self, key: &str) -> u64 {
        let said = self.ask_record(key, "return struct.unpack('>I4', redis.call('GETRANGE', KEYS[1], 2, 5))");
        said.parse().unwrap_or_else(|_| panic!("no generation in {said:?}"))
    }

    /// Something that changes with the holder's secret, of which the record has a digest.
    pub(super) fn holder_of(&self, key: &str) -> String {
        self.ask_record(key, "return redis.sha1hex(redis.call('GETRANGE', KEYS[1], 14, 45))")
    }

    fn ask_record(&self, key: &str, script: &str) -> String {
        self.redis.cli(&["EVAL", script, "1", &format!("mcp:{{00}}:s:{key}")])
    }
}

async fn server(listen: SocketAddr, at: usize, stores: &[String; 3], secret: &NamedTempFile) -> Process {
    let secret = secret.path().to_str().expect("a path in UTF-8");
    // What is tested here is not how quickly a machine with much else to do gets to its Redis.
    let arguments = ["--redis", &stores[at], "--redis-timeout", "5s", "--replica", ["a", "b", "c"][at]];
    Process::server_at(listen, &[&arguments[..], &["--secret-file", secret, "--rate-limits", "off"]].concat()).await
}
