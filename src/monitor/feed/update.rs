//! The one object that every transport carries: a WebSocket text frame, an SSE `data:`, the body of a poll.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;

use super::cursor::Cursor;
use crate::event::{SessionEvent, SessionView};
use crate::monitor::stats::Stats;
use crate::session::Timestamp;

/// Whether the store can be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// What happens is told at once.
    Live,
    /// The store is away: what is shown is the last that was known.
    Degraded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// The sessions as they are; what the viewer knew before is void with its first page.
    Snapshot,
    /// What happened since `from`. A viewer that is not there resyncs.
    Delta,
}

/// What is told to viewers, written once for all of them.
pub(crate) struct Update {
    pub(crate) from: Option<Cursor>,
    pub(crate) to: Cursor,
    pub(crate) at: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) state: State,
    pub(crate) more: bool,
    pub(crate) events: Vec<Told>,
    pub(crate) stats: Option<Arc<Stats>>,
    json: OnceLock<Bytes>,
    sse: OnceLock<Bytes>,
}

/// An event as viewers get it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Told {
    /// It is in the log: told exactly once.
    Event(Arc<SessionEvent>),
    /// The session as it is: may be told again, or left out for a newer one.
    Session(Shown),
}

/// A session as it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    n: u64,
    r#type: &'static str,
    at: Timestamp,
    pub(crate) session: SessionView,
}

impl Shown {
    pub(crate) const fn new(session: SessionView, at: Timestamp) -> Self {
        Self { n: 0, r#type: "session_updated", at, session }
    }
}

impl Told {
    /// Its type on the wire.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Event(event) => event.change.name(),
            Self::Session(shown) => shown.r#type,
        }
    }

    /// That it happened, and not to which session; nothing of what only tells of a session.
    pub(crate) fn without_session(&self) -> Option<Self> {
        match self {
            Self::Event(event) => {
                let SessionEvent { offset, at, ref change, .. } = **event;
                Some(Self::Event(Arc::new(SessionEvent { offset, at, change: change.clone(), session: None })))
            }
            Self::Session(_) => None,
        }
    }

    /// The session it is about.
    pub(crate) fn session(&self) -> Option<&SessionView> {
        match self {
            Self::Event(event) => event.session.as_ref(),
            Self::Session(shown) => Some(&shown.session),
        }
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    t: &'static str,
    v: u8,
    mode: Mode,
    from: Option<&'a Cursor>,
    to: &'a Cursor,
    at: Timestamp,
    events: &'a [Told],
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<&'a Stats>,
    state: State,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Update {
    pub(crate) fn delta(from: Cursor, to: Cursor, at: Timestamp, events: Vec<Told>) -> Self {
        Self::new(Mode::Delta, Some(from), to, at, events)
    }

    pub(crate) fn snapshot(from: Option<Cursor>, to: Cursor, at: Timestamp, events: Vec<Told>) -> Self {
        let more = to.reading.is_some();
        Self { more, ..Self::new(Mode::Snapshot, from, to, at, events) }
    }

    fn new(mode: Mode, from: Option<Cursor>, to: Cursor, at: Timestamp, events: Vec<Told>) -> Self {
        Self {
            from,
            to,
            at,
            mode,
            state: State::Live,
            more: false,
            events,
            stats: None,
            json: OnceLock::new(),
            sse: OnceLock::new(),
        }
    }

    pub(crate) fn with(self, state: State, stats: Option<Arc<Stats>>) -> Self {
        Self { state, stats, ..self }
    }

    /// The same with more to tell.
    pub(crate) fn and(mut self, told: Vec<Told>) -> Self {
        self.events.extend(told);
        self
    }

    /// The same with other events, as one viewer gets it.
    pub(crate) fn with_events(&self, events: Vec<Told>) -> Self {
        Self {
            from: self.from.clone(),
            to: self.to.clone(),
            events,
            stats: self.stats.clone(),
            json: OnceLock::new(),
            sse: OnceLock::new(),
            ..*self
        }
    }

    /// A snapshot without its sessions, whole in one page.
    pub(crate) fn of_counts(&self) -> Self {
        Self { from: None, more: false, ..self.with_events(Vec::new()) }
    }

    /// As JSON, written once.
    pub(crate) fn json(&self) -> &Bytes {
        self.json.get_or_init(|| {
            let wire = Wire {
                t: "update",
                v: 1,
                mode: self.mode,
                from: self.from.as_ref(),
                to: &self.to,
                at: self.at,
                events: &self.events,
                stats: self.stats.as_deref(),
                state: self.state,
                more: self.more,
            };
            serde_json::to_vec(&wire).expect("an update is plain data").into()
        })
    }

    /// As a server-sent event, written once.
    pub(crate) fn sse(&self) -> &Bytes {
        self.sse.get_or_init(|| crate::protocol::sse::event(&self.to.to_string(), self.json()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::feed::cursor::Mark;
    use crate::store::{Epoch, EventHead};

    #[test]
    fn an_update_is_the_object_of_the_protocol() {
        let head = |offset| EventHead { epoch: Epoch::parse("e").unwrap(), offset };
        let at = |offset| Cursor::at(vec![Mark { head: head(offset), at: Timestamp(offset) }]);
        let update = Update::delta(at(1), at(2), Timestamp(5), Vec::new());
        let (from, to) = (at(1), at(2));
        let expected = format!(
            r#"{{"t":"update","v":1,"mode":"delta","from":"{from}","to":"{to}","at":5,"events":[],"state":"live"}}"#
        );
        assert_eq!(update.json(), &Bytes::from(expected.clone()));
        assert_eq!(update.sse(), &Bytes::from(format!("id: {to}\ndata: {expected}\n\n")));
    }
}
