//! The logic of the modules, under Node.js: `node --test`; and their types, as JSDoc states them.

use std::path::Path;

use tokio::process::Command;

use crate::harness::clients::installed;

async fn node(arguments: &[&str]) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboard");
    let ran = Command::new(installed("node_modules/node/bin/node")).args(arguments).current_dir(here).output().await;
    let output = ran.expect("Node.js runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_modules_do_as_their_tests_say() {
    node(&["--test", "modules/*.test.mjs"]).await;
}

#[tokio::test]
async fn the_modules_have_the_types_that_they_state() {
    node(&["../clients/node_modules/typescript/bin/tsc", "--project", "jsconfig.json"]).await;
}
