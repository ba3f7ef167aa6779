//! Whose address counts: the peer's, or what a trusted proxy says of its client. Nobody chooses an address for himself.

use http::{Request, StatusCode};
use hyper::body::Incoming;
use tower::{Layer, ServiceExt};
use tower_mcp_sessions::{PeerAddr, RateLimits, SessionLayer};

use super::super::{Door, Holder, REVISION, keys, open_doors};
use super::{at_most, from, limited};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, initialize};
use crate::harness::replica::{Replica, layer};
use crate::harness::trio::Trio;

on_every_backend! {
    a_trusted_proxy_is_believed_and_nobody_before_it,
    what_a_peer_that_is_no_proxy_says_counts_for_nothing,
    an_address_that_nobody_knows_is_an_error_with_its_fix,
    a_server_can_tell_the_peer_itself,
}

fn one_an_address() -> RateLimits {
    RateLimits { reconnects_per_address: at_most(1), opens_per_address: at_most(1), ..RateLimits::off() }
}

/// Knocks with nothing of worth; whether it was judged, or refused for the limit.
async fn is_judged(client: &Client) -> bool {
    let answer = Door::Api.knock(client, "AAAAAAAAAAAAAAAA", "nonsense").await;
    match answer.status.as_u16() {
        401 => true,
        429 => false,
        other => panic!("{other}: {}", answer.text()),
    }
}

async fn may_open(client: &Client) -> bool {
    match client.post(&initialize(REVISION)).await.status.as_u16() {
        200 => true,
        429 => false,
        other => panic!("{other}"),
    }
}

async fn a_trusted_proxy_is_believed_and_nobody_before_it(backend: Backend) {
    let (trio, told) = limited(backend, one_an_address()).await;
    let client = trio.client();
    for (number, (forwarded, told_as, is_new)) in [
        ("203.0.113.7", "203.0.113.7", true),
        ("203.0.113.7", "203.0.113.7", false),
        ("203.0.113.8", "203.0.113.8", true),
        // What stands further left is the client's own invention.
        ("198.51.100.1, 203.0.113.7", "203.0.113.7", false),
        ("198.51.100.2,203.0.113.7", "203.0.113.7", false),
        ("127.0.0.1, 203.0.113.7", "203.0.113.7", false),
        ("203.0.113.9, 127.0.0.1", "203.0.113.9", true), // two proxies
        ("203.0.113.7:4711", "203.0.113.7", false),
        ("::ffff:203.0.113.7", "203.0.113.7", false),
        ("2001:db8:1:2::1", "2001:db8:1:2::1", true),
        ("2001:db8:1:2:ffff::2", "2001:db8:1:2:ffff::2", false), // one customer
        ("2001:db8:1:3::1", "2001:db8:1:3::1", true),
        ("198.51.100.3, unknown", "127.0.0.1", true), // the proxy itself
        ("198.51.100.4, unknown", "127.0.0.1", false),
    ]
    .into_iter()
    .enumerate()
    {
        let client = from(&client.at(&trio.replicas[number % 3]), forwarded);
        assert_eq!(is_judged(&client).await, is_new, "{forwarded}");
        assert_eq!(told.one().address, Some(told_as.parse().unwrap()), "{forwarded}");
        assert_eq!(may_open(&client).await, is_new, "{forwarded}");
    }
    assert!(is_judged(&client.with("forwarded", "for=198.51.100.5, for=\"203.0.113.10:80\"")).await);
    assert!(!is_judged(&client.with("forwarded", "for=198.51.100.6, for=203.0.113.10")).await);
    assert!(!is_judged(&from(&client, "203.0.113.10")).await, "the same address, told otherwise");
}

async fn what_a_peer_that_is_no_proxy_says_counts_for_nothing(backend: Backend) {
    let trust_others = |_, builder| open_doors(builder).trusted_proxy("10.0.0.0/8").rate_limits(one_an_address());
    let trio = Trio::with_monitor(backend, trust_others).await;
    assert!(is_judged(&trio.client()).await && may_open(&trio.client()).await);
    for (number, said) in ["203.0.113.1", "203.0.113.2", "10.0.0.1", "203.0.113.3, 10.0.0.1"].into_iter().enumerate() {
        for header in ["x-forwarded-for", "forwarded", "x-real-ip", "client-ip"] {
            let value = if header == "forwarded" { format!("for={said}") } else { said.to_owned() };
            let client = trio.client().at(&trio.replicas[number % 3]).with(header, &value);
            assert!(!is_judged(&client).await, "{header}: {value}");
            assert!(!may_open(&client).await, "{header}: {value}");
        }
    }
}

async fn an_address_that_nobody_knows_is_an_error_with_its_fix(backend: Backend) {
    let unknown = |at: usize, builder| {
        let limits = match at {
            0 => RateLimits::default(),
            1 => one_an_address(),
            _ => RateLimits { reconnects_per_address: None, ..RateLimits::default() },
        };
        open_doors(builder).peer(|_| None).rate_limits(limits)
    };
    let trio = Trio::with_monitor(backend, unknown).await;
    let holder = Holder::open(&from(&trio.client(), "203.0.113.1")).await;
    for door in Door::ALL {
        let answer = holder.knock(door, &trio.replicas[0]).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{door:?}");
        assert!(answer.text().contains(".peer(") && answer.text().contains("PeerAddr"), "{door:?}: {}", answer.text());
    }
    let answer = trio.client().at(&trio.replicas[1]).post(&initialize(REVISION)).await.whole().await;
    let error = &answer.json()["error"];
    assert_eq!((answer.status, error["code"].as_i64()), (StatusCode::INTERNAL_SERVER_ERROR, Some(-32603)));
    assert!(error["message"].as_str().unwrap().contains("PeerAddr"), "{error}");
    assert_eq!(trio.inners[1].asked("initialize"), 0, "nothing is opened");
    // Who needs no address is served, and without the limit everybody is.
    assert_eq!(holder.statuses(&trio).await, [200; 3]);
    holder.reconnect(Door::Header, &trio.replicas[2]).await;
}

async fn a_server_can_tell_the_peer_itself(backend: Backend) {
    let store = backend.store().await;
    let told_nothing = layer(&store).rate_limits(one_an_address()).build();
    let silent = Replica::start(told_nothing.layer(Scripted::with_sessions())).await;
    let answer = Client::of(&silent).post(&initialize(REVISION)).await.whole().await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "plain hyper tells no peer");

    let sessions = SessionLayer::builder(store.clone()).reconnect(keys()).rate_limits(one_an_address()).build();
    let service = sessions.layer(Scripted::with_sessions()).map_request(|mut request: Request<Incoming>| {
        let peer = request.headers()["x-peer"].to_str().unwrap().parse().unwrap();
        request.extensions_mut().insert(PeerAddr(peer));
        request
    });
    let told_by_server = Replica::start(service).await;
    let client = Client::of(&told_by_server).with("x-peer", "203.0.113.1:1");
    assert!(may_open(&client).await);
    assert!(!may_open(&client.with("x-peer", "203.0.113.1:2")).await, "another port of the same address");
    assert!(may_open(&client.with("x-peer", "[2001:db8::1]:1")).await);
}
