//! The held connection: one multiplexed connection for all plain reads, so that a verdict costs one command.
//!
//! It is replaced as soon as an error says that it is broken, silent, or that its server no longer takes writes (a demoted
//! primary goes on answering reads, from the past). Whoever finds it gone dials, once for all callers; they wait no longer
//! than an operation may take, and while dialing is known to fail they are told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, AsyncConnectionConfig, Client, FromRedisValue, RedisError, RedisResult};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::failure::{spoils, store_error, too_late};
use super::request::Request;
use crate::store::StoreError;
use crate::telemetry::text::escaped;

/// How a connection is made.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) client: Client,
    pub(super) config: AsyncConnectionConfig,
    /// A key to prove writing with; it never exists.
    pub(super) probe: String,
}

impl Dialer {
    /// A connection to a server that takes writes. `DEL` is refused by a replica, and works in a full server.
    async fn dial(&self) -> RedisResult<MultiplexedConnection> {
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&self.config).await?;
        redis::cmd("DEL").arg(&self.probe).exec_async(&mut connection).await?;
        Ok(connection)
    }
}

/// The held connection and what is known of it.
pub(super) struct Link {
    dialer: Dialer,
    state: watch::Sender<State>,
    epochs: AtomicU64,
    patience: Duration,
}

#[derive(Clone)]
enum State {
    Up(Held),
    /// The next attempt is due at `retry_at`, and if that fails the one after it `pause` later.
    Down {
        retry_at: Instant,
        pause: Duration,
        why: Option<RedisError>,
    },
    Dialing {
        pause: Duration,
    },
}

#[derive(Clone)]
struct Held {
    connection: MultiplexedConnection,
    epoch: u64,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Link {
    pub(super) fn new(dialer: Dialer, patience: Duration) -> Arc<Self> {
        let state = watch::Sender::new(State::Down { retry_at: Instant::now(), pause: FIRST_PAUSE, why: None });
        Arc::new(Self { dialer, state, epochs: AtomicU64::new(0), patience })
    }

    /// Asks something that changes nothing. A connection that turns out to be closed is replaced, and asked once more.
    pub(super) async fn ask<T: FromRedisValue + Send>(
        self: &Arc<Self>,
        request: &impl Request,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.patience;
        match self.ask_once(request, deadline).await {
            Err(Unanswered::Broken(error)) if error.is_connection_dropped() => self.ask_once(request, deadline).await,
            answer => answer,
        }
        .map_err(Into::into)
    }

    async fn ask_once<T: FromRedisValue + Send>(
        self: &Arc<Self>,
        request: &impl Request,
        deadline: Instant,
    ) -> Result<T, Unanswered> {
        let mut held = self.hold(deadline).await?;
        let answer = timeout_at(deadline, request.send(&mut held.connection)).await;
        let error = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if !spoils(&error) => return Err(Unanswered::Told(store_error(error))),
            Ok(Err(error)) => error,
            Err(_) => RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)),
        };
        self.replace(|current| current.epoch == held.epoch, &error);
        Err(Unanswered::Broken(error))
    }

    /// The connection, dialed if need be.
    pub(super) async fn ready(self: &Arc<Self>, patience: Duration) -> Result<(), StoreError> {
        self.hold(Instant::now() + patience).await.map(|_| ()).map_err(Into::into)
    }

    /// Told by others that the server no longer takes writes. Whatever is held now is not to be trusted.
    pub(super) fn suspect(&self, error: &RedisError) {
        self.replace(|_| true, error);
    }

    fn replace(&self, which: impl FnOnce(&Held) -> bool, error: &RedisError) {
        self.state.send_if_modified(|state| {
            let stale = matches!(state, State::Up(held) if which(held));
            if stale {
                *state = State::Down { retry_at: Instant::now(), pause: FIRST_PAUSE, why: Some(error.clone()) };
            }
            stale
        });
    }

    async fn hold(self: &Arc<Self>, deadline: Instant) -> Result<Held, Unanswered> {
        if let State::Up(held) = &*self.state.borrow() {
            return Ok(held.clone());
        }
        let mut news = self.state.subscribe();
        self.dial_if_due();
        let settled = timeout_at(deadline, news.wait_for(|state| !matches!(state, State::Dialing { .. }))).await;
        match settled.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State::Up(held))) => Ok(held),
            Ok(Ok(State::Down { why: Some(error), .. })) => Err(Unanswered::Told(store_error(error))),
            _ => Err(Unanswered::Told(too_late())),
        }
    }

    /// Of all callers that find the connection gone, one dials. It does so in a task: its caller may leave.
    fn dial_if_due(self: &Arc<Self>) {
        let mut mine = None;
        self.state.send_if_modified(|state| {
            if let State::Down { retry_at, pause, .. } = state
                && *retry_at <= Instant::now()
            {
                mine = Some(*pause);
                *state = State::Dialing { pause: *pause };
            }
            mine.is_some()
        });
        if mine.is_some() {
            let attempt = Attempt { link: Arc::clone(self), settled: false };
            tokio::spawn(attempt.run());
        }
    }
}

/// An attempt to dial. However it goes, even if its runtime is shut down under it, it leaves a verdict.
struct Attempt {
    link: Arc<Link>,
    settled: bool,
}

impl Attempt {
    async fn run(mut self) {
        let outcome = self.link.dialer.dial().await;
        self.settled = true;
        match outcome {
            Ok(connection) => {
                let epoch = self.link.epochs.fetch_add(1, Ordering::Relaxed);
                self.link.state.send_replace(State::Up(Held { connection, epoch }));
            }
            Err(error) => {
                tracing::debug!(error = &*escaped(&error.to_string()), "redis cannot be used; will try again");
                self.fail(Some(error));
            }
        }
    }

    fn fail(&self, why: Option<RedisError>) {
        self.link.state.send_if_modified(|state| {
            let State::Dialing { pause } = *state else { return false };
            *state = State::Down { retry_at: Instant::now() + pause, pause: (pause * 2).min(LONGEST_PAUSE), why };
            true
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.settled {
            self.fail(None);
        }
    }
}

/// Why a question has no answer.
enum Unanswered {
    /// The connection is of no more use.
    Broken(RedisError),
    /// Redis said so, or cannot be asked.
    Told(StoreError),
}

impl From<Unanswered> for StoreError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Broken(error) => store_error(error),
            Unanswered::Told(error) => error,
        }
    }
}
