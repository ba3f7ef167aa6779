//! [`Monitor`]: what stands beside the MCP endpoint, as one service that any hyper or axum app can mount; and
//! [`SessionFeed`], its WebSocket alone.
//!
//! Routes, relative to the mount ([`mounted_at`](MonitorBuilder::mounted_at)); under any other prefix they answer 404:
//!
//! | route | for whom | what |
//! |---|---|---|
//! | `GET /`, `GET /assets/*` | viewers, and whoever may have a token | the dashboard |
//! | `GET /api/mcp/sessions/health` | viewers, counts | how the sessions fare |
//! | `GET /api/mcp/sessions` | viewers | the sessions, page by page: `status`, `age`, `client`, `q`, `cursor`, `limit` |
//! | `GET /api/mcp/sessions/{key}` | viewers | one session and its timeline |
//! | `GET /ws/sessions`, `GET /sse/sessions`, `GET /api/mcp/sessions/events?cursor=` | viewers, counts | the live feed |
//! | `DELETE /api/mcp/sessions/{key}` | admins, where allowed | ends a session |
//! | `GET /api/openapi.json` | viewers, counts | all of this as an OpenAPI document |
//! | `POST /api/access` | whoever has a one-time code | a bearer token |
//! | `POST /api/mcp/sessions/{key}/reconnect` | clients | a session back for a reconnect token |
//! | `GET /api/mcp/sessions/{key}/token` | clients, admins | a reconnect token for the holder of the session's id |
//!
//! `{key}` is the session's public name, the first 16 characters of its id; an id never stands in a URL. What clients get, they
//! get for a secret; viewers and admins need an [`Access`], without which the monitor is closed. *Counts* are for whoever may see no
//! session ([`Role::Counts`]): numbers, ages and types of clients, and that something happened, not to whom.
//!
//! | file | question it answers |
//! |---|---|
//! | `access`, `one_time_code` | who may look, and who may act? |
//! | `route`, `query`, `answer` | how is a request read and answered? |
//! | `deed` | what did an operator do, or try to? |
//! | `dashboard` | how do people see and steer all of this? |
//! | `api` | what does each JSON route do? |
//! | `feed` | how does what happens reach every viewer, whole and once? |
//! | `stats` | how do the sessions fare? |

mod access;
mod answer;
mod api;
mod builder;
mod dashboard;
mod deed;
pub(crate) mod feed;
mod one_time_code;
mod query;
mod route;
mod service;
mod stats;

pub use self::access::{Access, Role};
pub use self::builder::MonitorBuilder;
pub use self::one_time_code::OneTimeCode;
pub use self::service::{Monitor, SessionFeed};
