//! Three replicas of the example server as processes, with one Redis and one secret.

use std::io::Write;

use serde_json::json;
use tempfile::NamedTempFile;

use crate::harness::process::Process;
use crate::harness::raw::{Client, SESSION_ID};
use crate::harness::redis::RedisServer;

/// A line of the secret file.
const KEY: &[u8] = b"first 6f66-the-integration-tests-32-bytes-at-least";

pub(super) struct Deployment {
    processes: [Process; 3],
    _secret: NamedTempFile,
    redis: RedisServer,
}

impl Deployment {
    pub(super) async fn start() -> Self {
        let redis = RedisServer::start();
        let mut secret = NamedTempFile::new().expect("the temporary directory can be written");
        secret.write_all(KEY).expect("a file can be written");
        let start = async |name| server(name, &redis.url(), &secret).await;
        Self { processes: [start("a").await, start("b").await, start("c").await], _secret: secret, redis }
    }

    pub(super) fn mcp(&self, at: usize) -> String {
        self.processes[at].mcp()
    }

    pub(super) fn client(&self, at: usize) -> Client {
        Client::to(self.processes[at].address())
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
        generation(&self.redis, key)
    }
}

/// The generation in a session's record: the four bytes after the first two.
fn generation(redis: &RedisServer, key: &str) -> u64 {
    let read = "return struct.unpack('>I4', redis.call('GETRANGE', KEYS[1], 2, 5))";
    let said = redis.cli(&["EVAL", read, "1", &format!("mcp:{{00}}:s:{key}")]);
    said.parse().unwrap_or_else(|_| panic!("no generation in {said:?}"))
}

async fn server(name: &str, redis: &str, secret: &NamedTempFile) -> Process {
    let secret = secret.path().to_str().expect("a path in UTF-8");
    // What is tested here is not how quickly a machine with much else to do gets to its Redis.
    let arguments = ["--redis", redis, "--redis-timeout", "5s", "--replica", name];
    Process::server(&[&arguments[..], &["--secret-file", secret, "--rate-limits", "off"]].concat()).await
}
