//! A client that keeps its session on disk: its process is killed while it calls, and the next one has the session back on
//! another replica, with its data.

mod python;
mod typescript;

use std::fs;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::deployment::Deployment;
use crate::harness::clients::{Life, PySdk, TsSdk};
use crate::harness::eventually::within;

/// How long a replica may trust what it heard of a session; the rest is for a machine with much else to do.
const CACHED_FOR: Duration = Duration::from_secs(3);

/// A client program.
#[derive(Clone, Copy)]
enum Program {
    TypeScript(TsSdk),
    Python(PySdk),
}

/// What a client has on disk.
#[derive(Deserialize)]
struct Wallet {
    id: String,
    token: String,
}

/// Each life at another replica, until it is killed.
async fn lives_three_times(program: Program) {
    let deployment = Deployment::start().await;
    let directory = TempDir::new().expect("the temporary directory can be written");
    let path = directory.path().join("wallet");
    let mut wallets: Vec<Wallet> = Vec::new();
    let mut diary = Value::Null;
    for (at, word) in ["one", "two", "three"].into_iter().enumerate() {
        let url = deployment.mcp(at);
        let mut life = match program {
            Program::TypeScript(sdk) => Life::of_ts(sdk, &url, &path, word),
            Program::Python(sdk) => Life::of_py(sdk, &url, &path, word),
        };

        let said = life.says().await;
        assert!(life.says().await["counting"].is_number(), "it is in the middle of a call");
        life.kill().await;

        let wallet: Wallet = serde_json::from_slice(&fs::read(&path).expect("a wallet")).expect("an id and a token");
        let key = &wallet.id[..16];
        assert_eq!((&said["who"]["replica"], &said["who"]["session"]), (&json!(["a", "b", "c"][at]), &json!(key)));
        assert_eq!(said["found"], diary, "what the life before wrote");
        diary = said["keeps"].clone();
        assert_eq!(deployment.statuses(&wallet.id).await, [200; 3]);
        assert_eq!(deployment.generation(key), at as u64);
        for before in &wallets {
            assert!(before.id != wallet.id && before.token != wallet.token && before.id[..16] == *key, "a new id");
            let is_out = async || deployment.statuses(&before.id).await == [404; 3];
            within(CACHED_FOR, "the id of the life before is unknown", is_out).await;
        }
        wallets.push(wallet);
    }
    assert_eq!(diary, "one two three");
}
