//! An MCP client that hides nothing: what it measures is what the server did.
//!
//! | file | question it answers |
//! |---|---|
//! | `target` | whom do the clients talk to? |
//! | `session` | what does one client say in its session? |
//! | `ledger` | which sessions are open, and who closes those that are left? |
//! | `answer` | how is an answer read, as JSON or as an event stream? |
//! | `stream` | how are events read as they come, and resumed? |
//! | `errand` | which tool is called, and how does an answer prove whose it is? |
//! | `failure` | what can go wrong, by kind? |

mod answer;
pub mod errand;
pub mod failure;
mod ledger;
pub mod session;
pub mod stream;
pub mod target;

pub use self::errand::Errand;
pub use self::failure::Failure;
pub use self::ledger::Ledger;
pub use self::session::{Coming, Session};
pub use self::target::{Client, Target};
