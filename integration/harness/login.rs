//! A monitor that anybody may use, as behind a login of the application's own: for tests that are about something else.

use tower_mcp_sessions::monitor::{Access, Role};

/// Whoever comes has this role.
pub(crate) fn everybody_as(role: Role) -> Access {
    Access::from_fn(move |_| Some(role))
}
