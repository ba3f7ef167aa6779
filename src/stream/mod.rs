//! Bodies of the inner service on their way to the client.

pub(crate) mod cursor;
pub(crate) mod early;
pub(crate) mod initialize;
pub(crate) mod quiet;
mod seen;
