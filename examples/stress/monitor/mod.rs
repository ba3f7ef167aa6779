//! The monitor beside the server, as its API and its feed show it.

mod api;
mod feed;

pub use self::api::Monitor;
pub use self::feed::Viewer;
