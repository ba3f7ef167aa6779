//! The engine: the only writer of session state. One per layer, shared by all its services.
//!
//! | file | question it answers |
//! |---|---|
//! | `verdict` | may this request use this session? |
//! | `watch` | is what this replica was told still true? |
//! | `open` | how does a session begin? |
//! | `foreign` | who was refused for where a request came from? |
//! | `adopt` | whose is an anonymous session? |
//! | `limit` | may this happen once more? |
//! | `reconnect`, `attempt` | may this client have its session back, and who tried? |
//! | `resident` | what does this replica know of a session? |
//! | `binding`, `rehydrate` | how does the inner service on this replica know the session? |
//! | `shared_inner` | how do all replicas use one inner session? |
//! | `newest_head`, `undelivered` | with whose credentials does the layer speak there, and what if they are refused? |
//! | `flush` | how does the store learn that a session is in use? |
//! | `aside` | what is worth a note, and no operation of its own? |
//! | `sweep` | how do idle sessions end? |
//! | `deployment` | do all processes on this store belong together, and mean the same? |
//! | `hear` | how does a change made elsewhere arrive here? |
//! | `record`, `inner_stream` | how does a call's stream get into the log? |
//! | `reader`, `hints`, `orphan` | how does a client read its streams, on whichever replica? |
//! | `inner_lost_session`, `recovery` | does the inner service still know its session, and how often is that asked? |
//! | `ear`, `get_answer`, `ear_signal`, `backoff` | how is what an inner service says by itself heard? |
//! | `until_stored` | what if the store is away when something is over? |
//! | `outgoing`, `questions`, `question_name` | how does a question of the server's find its answer? |
//! | `inbox`, `unread` | how does what reached one replica get to the inner service of another? |
//! | `shape` | how does a log level or a subscription reach every replica? |
//! | `presence` | which replicas run? |
//! | `clock` | what time is it, by the store? |
//! | `drain` | how does a replica leave? |
//! | `handle` | what can a handler do with its session? |

mod adopt;
pub(crate) mod aside;
#[cfg(feature = "reconnect")]
pub(crate) mod attempt;
mod backoff;
pub(crate) mod binding;
mod clock;
pub(crate) mod config;
pub(crate) mod deployment;
pub(crate) mod drain;
mod ear;
pub(crate) mod ear_signal;
mod flush;
mod foreign;
pub(crate) mod get_answer;
pub(crate) mod handle;
mod hear;
mod hints;
pub(crate) mod inbox;
pub(crate) mod inner_lost_session;
pub(crate) mod inner_stream;
pub(crate) mod limit;
mod newest_head;
pub(crate) mod open;
mod orphan;
pub(crate) mod outgoing;
mod presence;
pub(crate) mod question_name;
pub(crate) mod questions;
pub(crate) mod reader;
#[cfg(feature = "reconnect")]
pub(crate) mod reconnect;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod rehydrate;
pub(crate) mod resident;
pub(crate) mod shape;
mod shared_inner;
mod sweep;
mod undelivered;
mod unread;
mod until_stored;
pub(crate) mod verdict;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use crate::engine::aside::Asides;
use crate::engine::clock::StoreClock;
use crate::engine::config::Config;
use crate::engine::drain::Drain;
use crate::engine::foreign::Seldom;
use crate::engine::questions::Questions;
use crate::engine::resident::{Resident, Residents};
use crate::engine::shared_inner::AFTER_WHO_ENDED;
use crate::engine::watch::BusWatch;
use crate::id::SessionKey;
use crate::inner::{Ask, InnerHead};
use crate::local_limiter::LocalLimiter;
use crate::protocol::message::RequestId;
use crate::rejection::Rejection;
use crate::store::{ReplicaId, Store, StoreError, StreamName};
use crate::stream::cursor;
use crate::telemetry::metrics;
use crate::telemetry::text::escaped;

pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    /// For what outlasts a call.
    itself: Weak<Self>,
    pub(crate) residents: Residents,
    pub(crate) watch: BusWatch,
    pub(crate) drain: Drain,
    pub(crate) questions: Questions,
    pub(crate) clock: StoreClock,
    pub(crate) local_limits: LocalLimiter,
    pub(crate) asides: Asides,
    /// What was said lately of requests from elsewhere.
    seldom: Seldom,
    /// Held while the store is told what is to be told: who has taken that must not be stopped before it has arrived.
    pub(crate) telling: tokio::sync::Mutex<()>,
    /// This run of this replica.
    pub(crate) replica_id: ReplicaId,
    streams: AtomicU64,
    started: Once,
    /// Whether a service was made that opens sessions: a process that only watches neither sweeps nor announces anything.
    serving: tokio::sync::watch::Sender<bool>,
    /// Whether the sessions in the store are another deployment's.
    elsewhere: AtomicBool,
    /// What the inner service calls itself, once it has said so.
    server_name: OnceLock<Arc<str>>,
    /// When somebody was last warned that another server keeps its sessions here.
    warned_of_server: Mutex<Option<tokio::time::Instant>>,
    /// The way to an inner service that all replicas share, once a session was bound to it.
    way: OnceLock<(Ask, InnerHead)>,
    /// Whoever runs this was told that inner sessions are not sealed.
    unsealed: Once,
    /// The background tasks: none before the first request, aborted when the last handle is dropped.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Engine {
    pub(crate) fn new(config: Config, store: Arc<dyn Store>, replica_id: ReplicaId) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            config,
            store,
            itself: Weak::clone(itself),
            residents: Residents::default(),
            watch: BusWatch::new(),
            drain: Drain::default(),
            questions: Questions::default(),
            clock: StoreClock::default(),
            local_limits: LocalLimiter::default(),
            asides: Asides::default(),
            seldom: Seldom::default(),
            telling: tokio::sync::Mutex::default(),
            replica_id,
            streams: AtomicU64::new(0),
            started: Once::new(),
            serving: tokio::sync::watch::Sender::new(false),
            elsewhere: AtomicBool::new(false),
            server_name: OnceLock::new(),
            warned_of_server: Mutex::new(None),
            way: OnceLock::new(),
            unsealed: Once::new(),
            tasks: Mutex::new(None),
        })
    }

    /// Starts the background tasks, once. They hold the engine weakly: they live no longer than its last handle.
    pub(crate) fn start(self: &Arc<Self>) {
        self.started.call_once(|| {
            let weak: Weak<Self> = Arc::downgrade(self);
            let mut tasks = JoinSet::new();
            tasks.spawn(hear::run(weak.clone()));
            tasks.spawn(flush::run(weak.clone()));
            tasks.spawn(presence::run(weak.clone()));
            tasks.spawn(inbox::run(weak.clone()));
            tasks.spawn(deployment::run(weak.clone()));
            tasks.spawn(sweep::run(weak));
            *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = Some(tasks);
        });
    }

    /// A name for the stream of a call, unlike any other.
    pub(crate) fn name_stream(&self) -> StreamName {
        cursor::of_call(&self.replica_id, self.streams.fetch_add(1, Ordering::Relaxed))
    }

    /// A name for a ping of the layer's own, unlike any other.
    pub(crate) fn ping_id(&self) -> Option<RequestId> {
        RequestId::from_json(format!(r#""ping-{}""#, self.name_stream().as_str()).as_bytes())
    }

    fn take_tasks(&self) -> Option<JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The session has ended: its streams here close, and so does the inner service's session.
    pub(crate) fn forget(&self, key: &SessionKey) {
        if let Some(resident) = self.residents.get(key) {
            self.forget_resident(&resident, Some(AFTER_WHO_ENDED));
        }
    }

    /// The session has changed hands: what is here of earlier generations is over.
    pub(crate) fn supersede(&self, key: &SessionKey, generation: u32) {
        self.drop_verdict(key);
        if let Some(before) = self.residents.get(key).filter(|resident| resident.generation < generation) {
            self.forget_resident(&before, Some(AFTER_WHO_ENDED));
        }
    }

    /// An inner session that replicas share, if it was left behind, is closed by whoever is first once the time to do so has come.
    fn forget_resident(&self, resident: &Arc<Resident>, goodbye_after: Option<Duration>) {
        let binding = resident.binding();
        self.release(resident);
        if let (Some(binding), Some(after)) = (binding, goodbye_after) {
            self.say_goodbye(&resident.key, binding, after);
        }
        resident.ended.cancel();
    }

    /// Drops what this replica holds for a session, without ending it.
    pub(crate) fn release(&self, resident: &Arc<Resident>) -> Option<JoinHandle<()>> {
        self.residents.remove(resident);
        self.withdraw_questions(&resident.key, &StreamName::LISTEN);
        resident.set_verdict(None);
        resident.set_binding(None).and_then(|binding| binding.close())
    }

    /// Says that the store failed, where an operator looks, and turns it into the answer for the client.
    pub(crate) fn store_failed(&self, what: &'static str, key: &SessionKey, error: &StoreError) -> Rejection {
        metrics::store_failed(what);
        tracing::warn!(session = %key, operation = what, %error, cause = cause(error), "the session store failed; answering 503");
        Rejection::StoreUnavailable
    }

    /// The same, for what concerns no session.
    #[cfg(feature = "reconnect")]
    pub(crate) fn store_away(&self, what: &'static str, error: &StoreError) -> Rejection {
        metrics::store_failed(what);
        tracing::warn!(operation = what, %error, cause = cause(error), "the session store failed; answering 503");
        Rejection::StoreUnavailable
    }
}

/// What the store said. It may repeat what it was sent.
fn cause(error: &StoreError) -> String {
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    escaped(&said).into_owned()
}
