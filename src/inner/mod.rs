//! The wrapped service, and what the layer sends it.
//!
//! | file | question it answers |
//! |---|---|
//! | `service` | how is the wrapped service called? |
//! | `request` | how is a request for it made? The one place that makes them |
//! | `head` | with whose head does the layer speak by itself? |
//! | `session`, `cookies` | what makes a request one of the inner session's? |

mod cookies;
mod head;
mod request;
mod service;
mod session;

use self::cookies::SessionCookies;
pub(crate) use self::head::InnerHead;
pub(crate) use self::request::{forget_content, passing, whole};
pub use self::service::InnerService;
pub(crate) use self::service::{Ask, Failure, Inner};
pub(crate) use self::session::InnerSession;
