//! What can be chosen about a layer, frozen when it is built.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;

use crate::address::TrustedProxies;
use crate::audit::ReconnectAttempt;
use crate::id::SessionKey;
use crate::limits::RateLimits;
use crate::origin::OriginPolicy;
#[cfg(feature = "reconnect")]
use crate::reconnect::ReconnectKeys;
use crate::refusal::Refusal;
use crate::rejection::Rejection;
use crate::seal;
use crate::session::Principal;
use crate::store::{AgeLimits, Lifetimes, LogLimits};

/// How fresh the store's word on a session must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Freshness {
    /// At most one second old. An end made elsewhere is usually known within milliseconds, through the store's bus; while the
    /// bus is down every request asks.
    #[default]
    Cached,
    /// Asked for every request.
    Strict,
}

/// Which answers a client can resume after its connection broke, on any replica, with `Last-Event-ID`.
///
/// A resumable stream carries event ids, and each of its messages is in the store before its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Resumable {
    /// Every answer to a request, as an event stream, also those that are there at once.
    All,
    /// Answers that take their time: an inner service's event stream whose first message is not the response, or takes longer
    /// than 100 ms. What is there at once goes out as plain JSON and costs nothing. And the listening stream.
    #[default]
    Streams,
    /// The listening stream alone.
    ListenOnly,
    /// Nothing. What the inner service of another replica says by itself does not reach the client then.
    Nothing,
}

/// Whose the inner service's sessions are, where it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum InnerSessions {
    /// Each replica has an inner service of its own, such as a handler in the same process. A replica that has not seen a
    /// session replays its handshake; what the inner service keeps in its memory stays on that replica.
    #[default]
    PerReplica,
    /// All replicas reach the same inner service, such as a gateway's upstream. A session of a client is one session there,
    /// whichever replica it comes through. Its id, and the cookies that `initialize` set, are kept with the session in the
    /// store, sealed with the keys of [`reconnect`](crate::SessionLayerBuilder::reconnect) if those are configured.
    Shared,
}

/// The TCP peer of a request, where whoever accepted the connection put it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub SocketAddr);

pub(crate) type PrincipalOf = dyn Fn(&Parts) -> Result<Option<Principal>, Refusal> + Send + Sync;
pub(crate) type LabelOf = dyn Fn(&Principal) -> Option<String> + Send + Sync;
pub(crate) type Audience = dyn Fn(&ReconnectAttempt) + Send + Sync;
pub(crate) type PeerOf = dyn Fn(&Parts) -> Option<SocketAddr> + Send + Sync;

pub(crate) struct Config {
    pub(crate) lifetimes: Lifetimes,
    pub(crate) freshness: Freshness,
    pub(crate) origins: OriginPolicy,
    pub(crate) body_limit: usize,
    pub(crate) handshake_limit: usize,
    pub(crate) data_limit: usize,
    pub(crate) batch_limit: usize,
    pub(crate) drain_timeout: Duration,
    pub(crate) ages: AgeLimits,
    pub(crate) limits: RateLimits,
    pub(crate) resumable: Resumable,
    pub(crate) inner_sessions: InnerSessions,
    pub(crate) stream_log: LogLimits,
    pub(crate) replica: Arc<str>,
    /// The name that all processes with the same sessions have.
    pub(crate) deployment: Option<Arc<str>>,
    pub(crate) principal: Option<Box<PrincipalOf>>,
    pub(crate) principal_required: bool,
    pub(crate) adopt_anonymous: bool,
    pub(crate) principal_label: Option<Box<LabelOf>>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) on_reconnect: Option<Box<Audience>>,
    #[cfg(feature = "reconnect")]
    pub(crate) reconnect: Option<ReconnectKeys>,
    #[cfg(feature = "reconnect")]
    pub(crate) reconnect_tool: bool,
    pub(crate) peer: Option<Box<PeerOf>>,
}

/// What a hook of the host's says; `None` if it panics. Whatever that leaves half done is the host's own, and no connection, task or
/// lock of the layer's ends for it.
pub(crate) fn said<T>(hook: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(hook)).ok()
}

impl Config {
    /// Who a client's request acts for, if it is let in.
    pub(crate) fn principal_of(&self, parts: &Parts) -> Result<Option<Principal>, Box<Refusal>> {
        match self.principal_if_any(parts) {
            Ok(None) if self.principal_required => Err(Refusal::of(Rejection::PrincipalRequired)),
            found => found,
        }
    }

    /// The same, where being nobody is no reason to be refused: an operator is known by other means.
    pub(crate) fn principal_if_any(&self, parts: &Parts) -> Result<Option<Principal>, Box<Refusal>> {
        let Some(find) = &self.principal else { return Ok(None) };
        match said(|| find(parts)) {
            Some(found) => found.map_err(Box::new),
            None => Err(Refusal::of(Rejection::PrincipalHookPanicked)),
        }
    }

    pub(crate) fn peer_of(&self, parts: &Parts) -> Option<SocketAddr> {
        match &self.peer {
            Some(find) => said(|| find(parts)).flatten(),
            None => parts.extensions.get::<PeerAddr>().map(|peer| peer.0),
        }
    }

    /// Seals what is kept of an inner session.
    pub(crate) fn seal(&self, session: &SessionKey, plain: &[u8]) -> Option<Bytes> {
        seal::seal(self.reconnect_keys(), session, plain)
    }

    /// Opens what is kept of an inner session; `None` if no key here can.
    pub(crate) fn unseal(&self, session: &SessionKey, sealed: &[u8]) -> Option<Vec<u8>> {
        seal::open(self.reconnect_keys(), session, sealed)
    }

    #[cfg(feature = "reconnect")]
    fn reconnect_keys(&self) -> Option<&ReconnectKeys> {
        self.reconnect.as_ref()
    }

    #[cfg(not(feature = "reconnect"))]
    fn reconnect_keys(&self) -> Option<&seal::ReconnectKeys> {
        None
    }

    /// The client's address: its peer's, or what a trusted proxy says of it.
    pub(crate) fn address_of(&self, parts: &Parts) -> Option<IpAddr> {
        self.trusted_proxies.client(self.peer_of(parts).map(|peer| peer.ip()), &parts.headers)
    }

    /// How a principal is shown.
    pub(crate) fn label_of(&self, principal: &Principal) -> Option<Arc<str>> {
        match &self.principal_label {
            Some(label) => said(|| label(principal)).flatten().map(Into::into),
            None => Some(principal.as_str().into()),
        }
    }
}
