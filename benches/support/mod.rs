//! What the benches share: a server on one core, a load on the other, a private Redis.

pub mod cores;
pub mod figures;
pub mod handler;
pub mod inner;
pub mod load;
pub mod redis;
pub mod server;

pub use cores::pin;
pub use figures::median;
