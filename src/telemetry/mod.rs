//! What an operator's own tools see of the layer: counts and times (`metrics`), and a span for each message (`span`);
//! and how text that others have written is logged (`text`).
//!
//! Nothing here names a session's id, a token or a principal; and no label comes from a client.

pub(crate) mod metrics;
pub(crate) mod span;
pub(crate) mod text;
