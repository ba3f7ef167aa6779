//! The layer and the service inside of it: handshakes replayed once and wholly, calls that outlive their clients, panics
//! that cost one answer.

mod cancellation;
mod concurrency;
mod credentials;
mod minted;
mod notifications;
mod panics;
mod questions;
mod rehydration;
mod responses;
mod rmcp;
mod shared;
