//! Streams whose producer has died: nobody will ever finish them but whoever reads them.

use bytes::Bytes;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::engine::presence::GIVEN_UP_AFTER;
use crate::engine::verdict::Admission;
use crate::protocol::message::RequestId;
use crate::rejection;
use crate::store::StreamName;
use crate::stream::cursor;

/// Whether the replica that produces a stream has been absent for long enough.
pub(super) async fn is_orphaned(engine: &Engine, stream: &StreamName, absent_since: &mut Option<Instant>) -> bool {
    let Some(producer) = cursor::producer(stream).filter(|producer| *producer != engine.replica_id) else {
        return false;
    };
    match engine.store.is_present(&producer).await {
        Ok(false) => absent_since.get_or_insert_with(Instant::now).elapsed() >= GIVEN_UP_AFTER,
        Ok(true) | Err(_) => {
            *absent_since = None;
            false
        }
    }
}

impl Engine {
    /// Finishes a stream whose producer has died with an error for its request. Whoever does it first does it for all.
    pub(super) async fn finish_orphan(&self, admission: &Admission, stream: &StreamName, about: &[u8]) {
        // One that was too long to be kept is not named.
        let id = RequestId::from_json(about);
        tracing::info!(session = %admission.record.key, "a call ended with its replica; its client is told so");
        let (key, generation) = (&admission.record.key, admission.record.generation);
        let error = Bytes::from(rejection::orphaned_stream_message(id.as_ref()));
        // If the store is away, the next look finds the stream as it is now.
        let _ = self.store.finish(key, generation, stream, &[error], &self.config.stream_log).await;
    }
}
