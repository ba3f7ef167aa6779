//! Where sessions live. [`Store`] is what the layer needs of a place to keep them; [`MemoryStore`] is its executable
//! specification for one process, `RedisStore` the one that replicas share.
//!
//! | part | what it keeps |
//! |---|---|
//! | [`SessionStore`] | records, handshakes, sessions of a shared inner service, and the data handlers keep with a session |
//! | [`StreamLog`] | what a session's streams carried, and who listens |
//! | [`Inbox`] | what one replica has to tell the others about a session: answers, cancellations, shaping calls |
//! | [`Presence`] | which replicas run |
//! | [`Limiter`] | how often something happened lately |
//! | [`EventLog`] | what happened to the sessions |
//! | [`Survey`] | how many there are, and how they fare |
//! | [`Bus`] | the bell that says: look again |
//!
//! Every method is **one atomic operation**: seen from outside it happened as a whole or not at all, whatever else runs at
//! the same time on any replica. Time is the store's: callers send ages and spans, never clock readings. What a method
//! promises stands with it; `testing::contract` checks every promise on any store.

mod bus;
#[cfg(feature = "testing")]
pub mod contract;
mod error;
mod event_log;
mod inbox;
mod inner_session;
mod limiter;
mod memory;
mod presence;
#[cfg(feature = "redis")]
mod redis;
mod session_store;
mod stream_log;
mod survey;

pub use crate::lifetimes::Lifetimes;
pub use crate::rate::Rate;
pub use bus::{Bus, BusMessage, BusSignal};
pub use error::{StoreError, StoreErrorKind};
pub use event_log::{Epoch, EventHead, EventLog, EventSignal, EventSlice, Refusal};
pub use inbox::{Asked, Inbox, Letters, Posted, QuestionName, Shaped, Shaping};
pub use inner_session::{InnerReplaced, SealedInner};
pub use limiter::{Limiter, Taken, WindowName};
pub use memory::MemoryStore;
pub use presence::{Believed, Fact, Presence, ReplicaId};
#[cfg(feature = "redis")]
pub use redis::{RedisStore, RedisStoreBuilder};
pub use session_store::{
    Adoption, Blueprint, Census, DataPut, DataRemoved, Ended, EndedBy, Opening, Reconnected, Reconnection, Revival,
    SessionStore, Swept, Touch, TouchOutcome, Touched,
};
pub use stream_log::{
    Appended, Heard, ListenCursor, Listening, LogLimits, LogSlice, StreamLog, StreamName, StreamState,
};

pub(crate) use survey::Age;
pub use survey::{AgeLimits, Ages, Bucket, ClientUse, Place, Survey, Vitals};

/// All that the layer needs of a store. Implemented for everything that implements the parts.
pub trait Store: SessionStore + StreamLog + Inbox + Presence + Limiter + EventLog + Survey + Bus {}

impl<T: SessionStore + StreamLog + Inbox + Presence + Limiter + EventLog + Survey + Bus> Store for T {}
