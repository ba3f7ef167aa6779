//! Any history ends in the same state over every transport, wherever a viewer begins: a property.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tower_mcp_sessions::monitor::Role;
use tower_mcp_sessions::store::{EndedBy, Lifetimes, Reconnection, SessionStore};
use tower_mcp_sessions::{
    ClientInfo, EndReason, NewSession, NonceDigest, OnReturn, ProtocolVersion, SessionId, SessionKey, SessionOrigin,
};

use super::dice::Dice;
use super::history::Truth;
use super::viewer::{Transport, Viewer};
use crate::harness::backend::{Backend, SharedStore};
use crate::harness::eventually::becomes;
use crate::harness::inner::Scripted;
use crate::harness::login::everybody_as;
use crate::harness::replica::{Replica, layer};
use crate::harness::size::size;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Open,
    /// So many of the sessions in use are idle.
    Idle(usize),
    /// So many of the idle ones are over.
    Expire(usize),
    Return(usize),
    Reconnect(usize),
    End(usize),
    /// A viewer begins.
    Attach(usize),
    /// The store is given time to tell.
    Pause,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Open),
        2 => (1..4_usize).prop_map(Step::Idle),
        1 => (1..3_usize).prop_map(Step::Expire),
        3 => any::<usize>().prop_map(Step::Return),
        2 => any::<usize>().prop_map(Step::Reconnect),
        2 => any::<usize>().prop_map(Step::End),
        2 => (0..3_usize).prop_map(Step::Attach),
        1 => Just(Step::Pause),
    ]
}

#[test]
fn any_history_ends_the_same_over_every_transport() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        Config { cases: size(24, 300) as u32, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let history = prop::collection::vec(step(), 1..60);
    let replayed = TestRunner::new(config).run(&history, |steps| runtime.block_on(replay(steps)));
    replayed.unwrap_or_else(|failure| panic!("{failure}"));
}

async fn replay(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let store = Backend::Memory.store().await;
    let sessions = layer(&store).build();
    let monitor = sessions.monitor().access(everybody_as(Role::View)).build();
    let replica = Replica::beside(&sessions, &Scripted::with_sessions(), monitor).await;
    let mut dice = Dice::new();
    let mut begin = |transport| Viewer::follow(transport, vec![replica.address], dice.fork(), None);
    let mut viewers = Vec::from(Transport::ALL.map(&mut begin));
    let mut life = Life { store: store.clone(), opened: Vec::new() };
    for step in steps {
        match step {
            Step::Attach(at) => viewers.push(begin(Transport::ALL[at])),
            Step::Pause => tokio::time::sleep(Duration::from_millis(15)).await,
            other => life.take(&other).await,
        }
    }
    let truth = Truth::at(&replica, &store).await;
    for viewer in &viewers {
        let knows = becomes(Duration::from_secs(10), async || truth.holds(&viewer.book())).await;
        let book = viewer.book();
        prop_assert!(knows, "{:?} knows {book:?}", viewer.transport);
        prop_assert_eq!((book.doubled(), book.disorders, book.misfits, book.snapshots), (0, 0, 0, 1));
    }
    Ok(())
}

/// Sessions that live and end in a store.
struct Life {
    store: SharedStore,
    opened: Vec<(SessionKey, u32)>,
}

const LIFETIMES: Lifetimes = Lifetimes {
    idle_timeout: Duration::from_secs(3600),
    expires_after: Duration::from_secs(3600),
    max_lifetime: None,
    handshake_timeout: Duration::from_secs(3600),
    on_return: OnReturn::Revive,
};

impl Life {
    async fn take(&mut self, step: &Step) {
        let now = Duration::ZERO;
        match step {
            Step::Open => self.open().await,
            Step::Idle(most) => self.sweep(Lifetimes { idle_timeout: now, ..LIFETIMES }, *most).await,
            Step::Expire(most) => self.sweep(Lifetimes { expires_after: now, ..LIFETIMES }, *most).await,
            Step::Return(at) => {
                if let Some((key, generation)) = self.chosen(*at) {
                    self.store.revive(&key, generation, "b").await.unwrap();
                }
            }
            Step::Reconnect(at) => self.reconnect(*at).await,
            Step::End(at) => {
                if let Some((key, _)) = self.chosen(*at) {
                    self.store.end(&key, EndedBy::Operator, EndReason::ClosedByClient).await.unwrap();
                }
            }
            Step::Attach(_) | Step::Pause => {}
        }
    }

    fn chosen(&self, at: usize) -> Option<(SessionKey, u32)> {
        self.opened.get(at.checked_rem(self.opened.len())?).copied()
    }

    async fn sweep(&self, lifetimes: Lifetimes, most: usize) {
        self.store.apply_lifetimes(&lifetimes).await.unwrap();
        self.store.sweep(Duration::ZERO, most).await.unwrap();
        self.store.apply_lifetimes(&LIFETIMES).await.unwrap();
    }

    async fn open(&mut self) {
        let id = SessionId::generate().unwrap();
        let session = NewSession {
            key: id.key(),
            digest: id.digest(),
            lifetimes: LIFETIMES,
            origin: origin("a"),
            handshake: Bytes::from_static(b"{}"),
            inner: None,
        };
        self.store.open(&session, None).await.unwrap();
        self.opened.push((session.key, 0));
    }

    async fn reconnect(&mut self, at: usize) {
        let Some((key, generation)) = self.chosen(at) else { return };
        let digest = SessionId::generate().unwrap().digest();
        let nonce = NonceDigest::of(&generation.to_be_bytes());
        let change = Reconnection { key, generation, digest, origin: origin("c"), handshake: None, inner: None, nonce };
        self.store.reconnect(&change).await.unwrap();
        let at = at % self.opened.len();
        self.opened[at].1 += 1;
    }
}

fn origin(replica: &str) -> SessionOrigin {
    SessionOrigin {
        protocol_version: ProtocolVersion::V2025_11_25,
        client: ClientInfo { name: "property".into(), version: "1".into() },
        principal: None,
        replica: replica.into(),
        adopted: None,
        inner_has_sessions: false,
    }
}
