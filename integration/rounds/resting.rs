//! Sessions that rest while a replica dies: what they kept is found on the others, and so is what their clients asked for.

use serde_json::{Value, json};

use super::Cluster;
use crate::harness::wire::Wire;

const SESSIONS: usize = 9;

#[tokio::test]
async fn a_replica_that_crashes_takes_no_session_along() {
    let mut cluster = Cluster::of(3).await;
    let mut sessions = Vec::new();
    for turn in 0..SESSIONS {
        let session = Wire::open(&cluster.proxy.mcp()).await;
        session.call("note_put", json!({"name": "turn", "value": turn.to_string()})).await;
        done(&session, "resources/subscribe", json!({"uri": "note://turn"})).await;
        done(&session, "logging/setLevel", json!({"level": "info"})).await;
        sessions.push(session);
    }

    let lost = cluster.replicas.remove(0).kill().await;

    assert!(!lost.status.success(), "{lost:?}");
    for (turn, session) in sessions.iter().enumerate() {
        for replica in &cluster.replicas {
            let session = session.at(&replica.mcp());
            assert_eq!(session.say("note_get", json!({"name": "turn"})).await, turn.to_string());
            let who = session.call("whoami", json!({})).await["structuredContent"].take();
            assert_eq!((&who["subscriptions"], &who["log_level"]), (&json!(["note://turn"]), &json!("info")), "{who}");
        }
    }
}

/// A request that has nothing to tell.
async fn done(session: &Wire, method: &str, params: Value) {
    let answer = session.post(&json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params})).await;
    assert_eq!(answer.status(), 200, "{method}");
    let said = answer.text().await.expect("an answer");
    assert!(said.contains(r#""result":{}"#), "{method}: {said}");
}
