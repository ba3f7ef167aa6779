//! Where a row is counted: one thread, a clock that stands still, and a window that callgrind knows by name.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::time::Duration;

use axum::handler::{Handler, HandlerWithoutStateExt};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tokio::runtime::{Builder, Runtime};
use tower::util::{BoxCloneSyncService, ServiceExt};
use tower::{BoxError, Layer};
use tower_mcp_sessions::SessionLayer;

use crate::client::Client;
use crate::probe::RedisProbe;
use crate::setup::Setup;

/// The function whose instructions callgrind counts, with all that it calls.
pub const WINDOW: &str = "*counted_window*";

pub type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<UnsyncBoxBody<Bytes, BoxError>>, Infallible>;

pub struct Stage {
    setup: Setup,
    sessions: Option<SessionLayer>,
    redis: Option<RedisProbe>,
    counted: Counted,
    /// Ends the task that holds the clock; dropped before the runtime, which waits for it.
    _clock: mpsc::Sender<()>,
    runtime: Runtime,
}

/// What a window was about.
#[derive(Default)]
pub struct Counted {
    pub times: usize,
    pub trips: u64,
}

impl Stage {
    pub fn new(setup: Setup, redis: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let clock = runtime.block_on(stop_the_clock());
        let sessions = runtime.block_on(setup.sessions(redis));
        let redis = setup.needs_redis().then(|| RedisProbe::connect(redis));
        Self { setup, sessions, redis, counted: Counted::default(), _clock: clock, runtime }
    }

    pub fn has_layer(&self) -> bool {
        self.sessions.is_some()
    }

    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// The inner service, behind the layer if there is one.
    pub fn mount<H: Handler<T, ()>, T: 'static>(&self, handler: H) -> Service {
        let inner = handler.into_service();
        match &self.sessions {
            None => boxed(inner),
            Some(sessions) => boxed(sessions.layer(inner)),
        }
    }

    /// Does something that does not count.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Lets a session be used until the layer is as it stays: its background tasks have had their first turn, which they
    /// take at once; the bus is heard, and so verdicts are cached.
    pub fn warm_up(&self, client: &Client) {
        self.run(client.ping());
        self.run(tokio::time::advance(Duration::from_millis(2)));
        let Some(redis) = &self.redis else { return };
        let is_warm = || {
            let before = redis.trips();
            self.run(client.ping());
            redis.trips() - before == self.setup.trips_per_request()
        };
        assert!((0..1000).any(|_| is_warm()), "a request of a known session never asked Redis just what it should");
    }

    /// Counts something that is done so many times, to the end of all tasks that it spawns.
    pub fn count(&mut self, times: usize, work: impl Future<Output = ()>) {
        let holes = fill_the_heap();
        let before = self.redis.as_ref().map_or(0, RedisProbe::trips);
        let tasks = self.runtime.metrics().num_alive_tasks();
        let work = async {
            work.await;
            self.settle(tasks).await;
        };
        counted_window(&self.runtime, pin!(work));
        self.counted.times += times;
        self.counted.trips += self.redis.as_ref().map_or(0, RedisProbe::trips) - before;
        drop(holes);
    }

    async fn settle(&self, tasks: usize) {
        for _ in 0..10_000 {
            if self.runtime.metrics().num_alive_tasks() <= tasks {
                return;
            }
            tokio::task::yield_now().await;
            // Blocks on purpose: what Redis takes to answer must not be counted as turns of this loop.
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("tasks that the work spawned do not end");
    }
}

/// Nothing but what callgrind is to see, and nothing generic: its name has to be found.
#[inline(never)]
fn counted_window(runtime: &Runtime, work: Pin<&mut dyn Future<Output = ()>>) {
    runtime.block_on(work);
    // Not the last thing: then a jump would replace the call, and the window would never close.
    std::hint::black_box(());
}

/// Takes what earlier work has left free in the heap: large allocations, which have no lists of their own, then always come
/// from its end, and cost the same whatever was there.
fn fill_the_heap() -> Vec<Vec<u8>> {
    std::hint::black_box((0..4000).map(|_| Vec::with_capacity(1040)).collect())
}

/// Stops the clock of this runtime until the sender is dropped. A stopped clock jumps to the next deadline whenever all tasks
/// wait, also for a socket; while a blocking task runs it does not.
async fn stop_the_clock() -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    tokio::task::spawn_blocking(move || {
        let _ = receiver.recv();
    });
    tokio::time::pause();
    sender
}

fn boxed<S, B>(service: S) -> Service
where
    S: tower::Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let body = |body: B| body.map_err(Into::into).boxed_unsync();
    BoxCloneSyncService::new(service.map_response(move |response: Response<B>| response.map(body)))
}
