//! The live feed: one row of updates for each replica, brought to any number of viewers over WebSocket, SSE or polling.
//!
//! | file | question it answers |
//! |---|---|
//! | `update` | what is told? |
//! | `cursor` | where does a viewer stand? |
//! | `hub` | what do all viewers of a replica share? |
//! | `watch` | how does the hub learn what happens, and that it missed nothing? |
//! | `snapshot` | what does a viewer get that does not stand in the row? |
//! | `viewer`, `filter` | how does one viewer read on, and what does it want to see? |
//! | `ws`, `frame`, `sse` | how does it get there? (Polling is [`Hub::poll`](hub::Hub::poll).) |

pub(crate) mod cursor;
pub(crate) mod filter;
mod frame;
pub(crate) mod hub;
mod snapshot;
pub(crate) mod sse;
pub(crate) mod update;
mod viewer;
mod watch;
pub(crate) mod ws;
