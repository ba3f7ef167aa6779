//! How the sessions fare, in the shape that consumers of `health` know: see [`Health`].

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::event::SessionView;
use crate::session::{SessionStatus, Timestamp, millis};
use crate::store::{Ages, Bucket, ClientUse, Vitals};

/// What `GET /api/mcp/sessions/health` answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Health {
    #[serde(flatten)]
    pub(crate) stats: Stats,
    pub(crate) recent_activity: Vec<Activity>,
    /// Who needs sessions, and who makes requests without: the former first.
    pub(crate) clients: Vec<Client>,
    /// The last 24 hours, by the hour.
    pub(crate) hours: Vec<Hour>,
    pub(crate) timestamp: String,
}

/// The counts of it, which the feed carries too.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Stats {
    pub(crate) status_breakdown: StatusBreakdown,
    pub(crate) age_distribution: Ages,
    pub(crate) connection_health: ConnectionHealth,
    pub(crate) eras: Eras,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StatusBreakdown {
    pub(crate) active: u64,
    pub(crate) disconnected: u64,
    pub(crate) total: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ConnectionHealth {
    /// Over live sessions and those that ended within 24 hours: from opening to the last activity.
    avg_duration_seconds: u64,
    /// Opened in 24 hours, by the hour.
    sessions_per_hour: f64,
    /// Disconnected, or ended while active, of those opened in 24 hours; at most 100.
    disconnect_rate_percent: f64,
    /// Opened in 24 hours.
    total_sessions_24h: u64,
    reconnects_24h: u64,
    refused_reconnects_24h: u64,
}

/// Who still needs sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Eras {
    legacy_sessions: u64,
    modern_requests_24h: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Client {
    client_type: String,
    client_version: String,
    sessions: u64,
    /// Made without a session, in this hour and the 23 before it.
    modern_requests_24h: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Hour {
    /// When it began.
    at: u64,
    opened: u64,
    disconnected: u64,
    reconnected: u64,
    ended: u64,
}

/// A line of recent activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Activity {
    session_id: String,
    client_type: String,
    client_version: String,
    status: SessionStatus,
    /// Whole minutes without activity.
    age_minutes: u64,
    /// Whole minutes since opening.
    uptime_minutes: u64,
    replica: String,
    reconnect_count: u32,
}

impl Stats {
    pub(crate) fn of(vitals: &Vitals) -> Self {
        let day = vitals.history.iter().fold(Bucket::default(), add);
        let total = vitals.active + vitals.disconnected;
        let lived_ms = millis(vitals.lived) + day.lived_ms;
        let lost = (day.disconnected + day.ended_active).min(day.opened);
        let connection_health = ConnectionHealth {
            avg_duration_seconds: (lived_ms / 1000).checked_div(total + day.ended).unwrap_or(0),
            sessions_per_hour: rounded(day.opened as f64 / 24.0, 2),
            disconnect_rate_percent: rounded(100.0 * lost as f64 / day.opened.max(1) as f64, 1),
            total_sessions_24h: day.opened,
            reconnects_24h: day.reconnected,
            refused_reconnects_24h: day.refused,
        };
        Self {
            status_breakdown: StatusBreakdown { active: vitals.active, disconnected: vitals.disconnected, total },
            age_distribution: vitals.ages,
            connection_health,
            eras: Eras { legacy_sessions: total, modern_requests_24h: day.modern },
        }
    }

    /// The same but for what changes with every request.
    pub(crate) fn without_drift(&self) -> Self {
        let mut steady = self.clone();
        steady.connection_health.avg_duration_seconds = 0;
        steady.eras.modern_requests_24h = 0;
        steady
    }
}

impl Health {
    /// Of the sessions last seen, and the time as the vitals tell it.
    pub(crate) fn of(vitals: &Vitals, recent: &[SessionView]) -> Self {
        let client = |of: &ClientUse| Client {
            client_type: of.client.name.clone(),
            client_version: of.client.version.clone(),
            sessions: of.sessions,
            modern_requests_24h: of.modern,
        };
        Self {
            stats: Stats::of(vitals),
            recent_activity: recent.iter().map(|session| Activity::of(session, vitals.now)).collect(),
            clients: vitals.clients.iter().map(client).collect(),
            hours: hours(vitals),
            timestamp: rfc3339(vitals.now),
        }
    }
}

impl Health {
    /// For somebody who may see no session: of clients their types alone.
    pub(crate) fn counts_only(mut self) -> Self {
        self.recent_activity.clear();
        let mut types: Vec<Client> = Vec::new();
        for client in self.clients.drain(..) {
            match types.iter_mut().find(|known| known.client_type == client.client_type) {
                Some(known) => {
                    known.sessions += client.sessions;
                    known.modern_requests_24h += client.modern_requests_24h;
                }
                None => types.push(Client { client_version: String::new(), ..client }),
            }
        }
        self.clients = types;
        self
    }
}

impl Activity {
    pub(crate) fn of(session: &SessionView, now: Timestamp) -> Self {
        let minutes = |since: Timestamp| now.since(since).as_secs() / 60;
        Self {
            session_id: session.key.to_string(),
            client_type: session.origin.client.name.clone(),
            client_version: session.origin.client.version.clone(),
            status: session.status,
            age_minutes: minutes(session.last_seen),
            uptime_minutes: minutes(session.created_at),
            replica: session.origin.replica.to_string(),
            reconnect_count: session.reconnect_count,
        }
    }
}

fn add(mut sum: Bucket, bucket: &Bucket) -> Bucket {
    sum.opened += bucket.opened;
    sum.disconnected += bucket.disconnected;
    sum.reconnected += bucket.reconnected;
    sum.ended += bucket.ended;
    sum.ended_active += bucket.ended_active;
    sum.lived_ms += bucket.lived_ms;
    sum.refused += bucket.refused;
    sum.modern += bucket.modern;
    sum
}

/// Twelve buckets to the hour, the last hour being the one that ends now.
fn hours(vitals: &Vitals) -> Vec<Hour> {
    let span = millis(Bucket::SPAN);
    let newest = vitals.now.0 / span;
    let oldest = (newest + 1).saturating_sub(vitals.history.len() as u64);
    let hour = |(place, buckets): (usize, &[Bucket])| {
        let sum = buckets.iter().fold(Bucket::default(), add);
        Hour {
            at: (oldest + 12 * place as u64) * span,
            opened: sum.opened,
            disconnected: sum.disconnected,
            reconnected: sum.reconnected,
            ended: sum.ended,
        }
    };
    vitals.history.chunks(12).enumerate().map(hour).collect()
}

/// In UTC, to the millisecond.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + Duration::from_millis(at.0)).to_string()
}

fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10f64.powi(places);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_shape_comes_from_the_vitals() {
        let mut history = vec![Bucket::default(); Bucket::A_DAY];
        history[287] = Bucket { opened: 13, disconnected: 12, ..Bucket::default() };
        let vitals = Vitals {
            now: Timestamp(1_768_092_198_123),
            active: 1,
            disconnected: 13,
            ages: Ages { healthy: 1, aging: 0, stale: 13 },
            lived: Duration::from_secs(14 * 20926),
            history,
            clients: Vec::new(),
        };
        let json = serde_json::to_value(Stats::of(&vitals)).unwrap();
        assert_eq!(json["status_breakdown"], serde_json::json!({"active": 1, "disconnected": 13, "total": 14}));
        assert_eq!(json["age_distribution"], serde_json::json!({"healthy": 1, "aging": 0, "stale": 13}));
        let health = &json["connection_health"];
        assert_eq!(health["avg_duration_seconds"], 20926);
        assert_eq!(health["sessions_per_hour"], 0.54);
        assert_eq!(health["disconnect_rate_percent"], 92.3);
        assert_eq!(health["total_sessions_24h"], 13);
        let whole = serde_json::to_value(Health::of(&vitals, &[])).unwrap();
        assert_eq!(whole["timestamp"], "2026-01-11T00:43:18.123Z");
        assert_eq!(whole["hours"].as_array().unwrap().len(), 24);
        assert_eq!(whole["hours"][23]["opened"], 13);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let json = serde_json::to_value(Stats::of(&Vitals::default())).unwrap();
        assert_eq!(json["connection_health"]["avg_duration_seconds"], 0);
        assert_eq!(json["connection_health"]["disconnect_rate_percent"], 0.0);
    }
}
