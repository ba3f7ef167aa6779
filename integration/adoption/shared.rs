//! Where all replicas share one inner service, the adopter goes on with the inner session there is.

use tower_mcp_sessions::{InnerSessions, RateLimits};

use super::{assert_foreign, of};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::notification;
use crate::harness::trio::Trio;

on_every_backend! {
    the_one_inner_session_goes_on,
}

async fn the_one_inner_session_goes_on(backend: Backend) {
    let sharing = |builder: tower_mcp_sessions::SessionLayerBuilder| {
        builder.inner_sessions(InnerSessions::Shared).rate_limits(RateLimits::off())
    };
    let trio = Trio::in_front_of_one(backend, sharing).await;
    let inner = &trio.inners[0];
    let everywhere = trio.open_everywhere().await;
    let mut listening = everywhere[0].listen().await;
    eventually("it is heard", async || inner.ears() == 1).await;

    assert!(of(&everywhere[1], "alice").works().await);

    while listening.event().await.is_some() {}
    assert_foreign(&trio, &everywhere[0], "alice").await;
    let mut listening = of(&everywhere[2], "alice").listen().await;
    eventually("it is heard for the adopter", async || inner.ears() == 1).await;
    eventually("what it says arrives", async || {
        inner.mutter(&notification("notifications/tools/list_changed"));
        matches!(tokio::time::timeout(std::time::Duration::from_millis(500), listening.next()).await, Ok(Some(_)))
    })
    .await;
    assert_eq!((inner.minted(), inner.asked("initialize"), inner.sessions()), (1, 1, 1));
    assert_eq!(of(&everywhere[1], "alice").delete().await.status, 204);
    eventually("it is closed once", async || inner.sessions() == 0).await;
}
