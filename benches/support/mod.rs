//! What the benches share: a server on one core, a load on the other, a private Redis.

pub mod figures;
pub mod inner;
pub mod load;
pub mod redis;
pub mod server;

pub use figures::{median, pin};
