//! Upstreams and clients that are gone without a word: the connection is asked whether anybody is still there, both ways.
//!
//! What a dead node does cannot be played on loopback, where the kernel answers for a process that is frozen. The kernel tells
//! whether it will ask, and when.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::join;

use super::by_hand::ByHand;
use super::gateway;
use crate::harness::eventually::eventually;

/// No later than this a silent connection is asked the first time.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn connections_to_the_upstream_and_from_clients_are_asked_whether_anybody_is_there() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (answer, ()) = join!(wire.call_begun("slow", json!({}), None), async {
        let asked = upstream.asked("\"slow\"").await;
        eventually("the upstream's side will be asked", async || is_asked(Side::Remote, upstream.address())).await;
        eventually("the client's side will be asked", async || is_asked(Side::Local, gateway.address())).await;
        drop(asked);
    });

    assert_eq!(answer.status(), 502, "one that hangs up is noticed at once");
}

#[derive(Clone, Copy)]
enum Side {
    Local,
    Remote,
}

/// Whether a connection with this address has the timer of TCP's keep-alive running, as Linux tells it.
fn is_asked(side: Side, address: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux's table of connections");
    let port = format!(":{:04X}", address.port());
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, _, timer, ..] = fields[..] else { return false };
        let end = match side {
            Side::Local => local,
            Side::Remote => remote,
        };
        let Some((kind, when)) = timer.split_once(':') else { return false };
        // In hundredths of a second.
        let when = u64::from_str_radix(when, 16).map_or(Duration::MAX, |when| Duration::from_millis(when * 10));
        // Established, and the timer is that of keep-alive.
        end.ends_with(&port) && state == "01" && kind == "02" && when <= ASKED_WITHIN
    })
}
