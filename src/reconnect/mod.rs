//! Coming back to a session with a signed token, after the session id was lost with the client's memory or is known to
//! too many.
//!
//! A *reconnect token* is a JWT that names a session, its reconnect generation and its principal. The layer hands one out
//! with the answer to `initialize` and a fresh one on later answers; whoever shows it within its lifetime gets the session
//! under a new id and a new token, and the old ones are worth nothing from then on. It is a secret like the id.
//!
//! Everything here is pure: no store, no tasks, and the time is an argument.
//!
//! | file | question it answers |
//! |---|---|
//! | `keys`, `key_text`, `error` | who can sign tokens, and whose tokens are accepted? |
//! | `token` | what does a token say, and how is it kept out of logs? |
//! | `jwt` | how is a token written, and when is it believed, also where the store's clock has gone back? |
//! | `renewal` | which id does the winner of a reconnect get, and again when it asks again? |
//! | `seal` | who can read what is kept of a shared inner service's session? |
//! | `asked` | what does an `initialize` say about reconnecting? |
//! | `tool` | how does the MCP tool `reconnect_session` look on the wire? |

pub(crate) mod asked;
mod error;
mod jwt;
mod key_text;
mod keys;
mod renewal;
#[cfg(feature = "seal")]
mod seal;
pub(crate) mod token;
pub(crate) mod tool;

pub use error::ReconnectKeysError;
pub(crate) use jwt::TokenTime;
pub use keys::ReconnectKeys;
pub use token::ReconnectToken;
