//! A tool that panics must cost its caller one failed call.
//!
//! rmcp runs each call in a task of its own and answers when the task is done. A task that panics is never done: the
//! client would wait for its timeout on a stream that stays open. So the panic is caught here, where the request is
//! still known, and becomes an error answer; the session goes on. The panic hook has already printed message and
//! place, and the client is told neither.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use rmcp::ErrorData;

/// The call's own outcome, or an internal error if it panics.
///
/// Unwind safety: what a handler remembers changes in single steps, none of which a panic leaves half done.
pub async fn answered<T>(tool: &str, call: impl Future<Output = Result<T, ErrorData>>) -> Result<T, ErrorData> {
    let panicked = |_| Err(ErrorData::internal_error(format!("the tool {tool} panicked"), None));
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(panicked)
}
