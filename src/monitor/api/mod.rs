//! The JSON API: what a script, a dashboard and a client ask over plain HTTP.
//!
//! | file | route |
//! |---|---|
//! | `health` | `GET /api/mcp/sessions/health` |
//! | `list` | `GET /api/mcp/sessions` |
//! | `detail` | `GET /api/mcp/sessions/{key}` |
//! | `poll` | `GET /api/mcp/sessions/events` |
//! | `terminate` | `DELETE /api/mcp/sessions/{key}` |
//! | `reconnect` | `POST /api/mcp/sessions/{key}/reconnect` |
//! | `token` | `GET /api/mcp/sessions/{key}/token` |
//! | `exchange` | `POST /api/access` |
//! | `openapi` | `GET /api/openapi.json` |

mod body;
pub(super) mod detail;
pub(super) mod exchange;
pub(super) mod health;
pub(super) mod list;
pub(super) mod openapi;
pub(super) mod poll;
#[cfg(feature = "reconnect")]
pub(super) mod reconnect;
pub(super) mod terminate;
#[cfg(feature = "reconnect")]
pub(super) mod token;
