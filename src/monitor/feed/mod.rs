//! The live feed: one row of updates for each replica, brought to any number of viewers over WebSocket, SSE or polling.
//!
//! | file | question it answers |
//! |---|---|
//! | `update` | what is told? |
//! | `cursor` | where does a viewer stand? |
//! | `counts` | when is it news how many there are? |
//! | `hub` | what do all viewers of a replica share? |
//! | `watch` | how does the hub learn what happens, and that it missed nothing? |
//! | `snapshot` | what does a viewer get that does not stand in the row? |
//! | `viewer`, `filter` | how does one viewer read on, and what does it want to see? |
//! | `pace` | how long may a viewer take, and how many may there be? |
//! | `ws`, `frame`, `sse` | how does it get there? (Polling is [`Hub::poll`](hub::Hub::poll).) |

mod counts;
pub(crate) mod cursor;
pub(crate) mod filter;
mod frame;
pub(crate) mod hub;
pub(crate) mod pace;
mod snapshot;
pub(crate) mod sse;
pub(crate) mod update;
mod viewer;
mod watch;
pub(crate) mod ws;

use std::sync::Arc;

use http::request::Parts;

use self::hub::{Hub, Seat};
use self::pace::Pace;
use crate::monitor::access::{Access, Role};
use crate::monitor::answer::Refusal;

/// Somebody who asks to watch, and will be asked again whether they may.
pub(crate) struct Watching {
    pub(crate) hub: Arc<Hub>,
    pub(crate) access: Access,
    pub(crate) pace: Pace,
    pub(crate) role: Option<Role>,
    /// The request that began it: what access is judged by.
    pub(crate) parts: Parts,
}

impl Watching {
    /// A place among the viewers of this replica, if it has one and stays.
    fn be_seated(&self) -> Result<Seat, Refusal> {
        if self.hub.engine.drain.is_draining() {
            return Err(crate::rejection::Rejection::ShuttingDown.into());
        }
        Seat::take(&self.hub, self.pace.viewers).ok_or_else(Refusal::no_seat)
    }

    /// What may be done now.
    async fn ask_again(&self) -> Option<Role> {
        self.access.role_of(&self.parts, &self.hub.engine.config).await
    }
}
