//! The viewer that the feed's protocol is documented with does what is said of it.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{open_as, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::clients::installed;
use crate::harness::eventually::soon;

on_every_backend! { the_documented_viewer_ends_in_the_truth }

const PROTOCOL: &str = include_str!("../../src/monitor/feed/protocol.md");

/// Prints the keys whenever they have changed.
const DRIVER: &str = "
let told;
setInterval(() => {
  const keys = [...sessions.keys()].sort().join(' ');
  if (cursor && keys !== told) console.log((told = keys));
}, 20);
watch(process.argv[1]);
";

async fn the_documented_viewer_ends_in_the_truth(backend: Backend) {
    let trio = trio(backend).await;
    let (one, other) = (open_as(&trio.client(), "one", "1").await, open_as(&trio.client(), "other", "1").await);
    let (_, viewer) = PROTOCOL.split_once("```js\n").expect("there is a viewer");
    let (viewer, _) = viewer.split_once("```").expect("which ends");
    let mut node = Command::new(installed("node_modules/node/bin/node"))
        .args(["--eval", &format!("{viewer}{DRIVER}"), &format!("ws://{}/ws/sessions", trio.replicas[1].address)])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node.js runs");
    let mut lines = BufReader::new(node.stdout.take().expect("it is piped")).lines();
    let mut until = async |keys: &[&str]| {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let told =
            async { while lines.next_line().await.expect("it goes on").expect("it goes on") != keys.join(" ") {} };
        soon("the viewer knows", told).await;
    };
    until(&[one.key(), other.key()]).await;
    one.delete().await;
    until(&[other.key()]).await;
    let next = open_as(&trio.client(), "next", "1").await;
    until(&[other.key(), next.key()]).await;
}
