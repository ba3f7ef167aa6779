//! Three replicas in this process: one server, as its clients see it.

use tower::Layer;
use tower_mcp_sessions::monitor::MonitorBuilder;
use tower_mcp_sessions::{SessionLayer, SessionLayerBuilder};

use super::backend::{Backend, SharedStore};
use super::eventually::eventually;
use super::inner::Scripted;
use super::raw::{Client, Session};
use super::replica::{Replica, layer};

/// Three replicas on one store, each with an inner service of its own.
pub(crate) struct Trio {
    pub(crate) store: SharedStore,
    pub(crate) inners: [Scripted; 3],
    pub(crate) layers: [SessionLayer; 3],
    pub(crate) replicas: [Replica; 3],
}

impl Trio {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::with(backend, |builder| builder).await
    }

    /// The same with other options.
    pub(crate) async fn with(backend: Backend, options: impl Fn(SessionLayerBuilder) -> SessionLayerBuilder) -> Self {
        let store = backend.store().await;
        let (inners, layers) = (inners(), [(); 3].map(|()| options(layer(&store)).build()));
        let start = async |at: usize| Replica::start(layers[at].layer(inners[at].clone())).await;
        let replicas = [start(0).await, start(1).await, start(2).await];
        Self { store, inners, layers, replicas }
    }

    /// In front of one inner service, which all replicas reach.
    pub(crate) async fn in_front_of_one(
        backend: Backend,
        options: impl Fn(SessionLayerBuilder) -> SessionLayerBuilder,
    ) -> Self {
        let store = backend.store().await;
        let [inner, ..] = inners();
        let layers = [(); 3].map(|()| options(layer(&store)).build());
        let start = async |at: usize| Replica::start(layers[at].layer(inner.clone())).await;
        let replicas = [start(0).await, start(1).await, start(2).await];
        Self { store, inners: [inner.clone(), inner.clone(), inner], layers, replicas }
    }

    /// With the monitor beside each `/mcp`. The replicas are called `a`, `b` and `c`; options may differ from one to the next.
    pub(crate) async fn with_monitor(
        backend: Backend,
        options: impl Fn(usize, SessionLayerBuilder) -> SessionLayerBuilder,
    ) -> Self {
        Self::monitored(backend.store().await, options, |monitor| monitor).await
    }

    /// The same on a store that there is already, with options for the monitors too.
    pub(crate) async fn monitored(
        store: SharedStore,
        options: impl Fn(usize, SessionLayerBuilder) -> SessionLayerBuilder,
        monitor: impl Fn(MonitorBuilder) -> MonitorBuilder,
    ) -> Self {
        let layers = [0, 1, 2].map(|at| options(at, layer(&store).replica(["a", "b", "c"][at])).build());
        let inners = inners();
        let start = async |at: usize| {
            let monitor = monitor(layers[at].monitor()).build();
            Replica::beside(&layers[at], &inners[at], monitor).await
        };
        let replicas = [start(0).await, start(1).await, start(2).await];
        Self { store, inners, layers, replicas }
    }

    /// A session opened on the first replica.
    pub(crate) async fn open(&self) -> Session {
        self.client().open("2025-11-25").await
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.replicas[0])
    }

    /// The session as it is used on each replica.
    pub(crate) fn everywhere(&self, session: &Session) -> [Session; 3] {
        [0, 1, 2].map(|at| session.at(&self.replicas[at]))
    }

    /// A session that has a binding on each replica.
    pub(crate) async fn open_everywhere(&self) -> [Session; 3] {
        let everywhere = self.everywhere(&self.open().await);
        for session in &everywhere {
            assert!(session.works().await);
        }
        everywhere
    }

    /// Waits until the inner services are heard that say something by themselves.
    pub(crate) async fn all_heard(&self) {
        eventually("all inner services are heard", async || self.inners.iter().all(|inner| inner.ears() == 1)).await;
    }
}

fn inners() -> [Scripted; 3] {
    let inners = [(); 3].map(|()| Scripted::with_sessions());
    for inner in &inners {
        inner.script(|script| script.greets = false);
    }
    inners
}
