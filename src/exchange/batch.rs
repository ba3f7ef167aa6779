//! Several messages in one POST, which revision 2025-03-26 alone has: each is handled as if it had come by itself, with the head
//! of the request that brought it. The inner service never sees a batch; most refuse them today.
//!
//! Notifications and answers are taken in their order, and all of them, whether one is refused or not. Requests are begun in
//! their order, a few at once, while that goes on. `joint` makes one answer of what came of them.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::request::Parts;
use tokio::sync::Semaphore;

use super::incoming::of_other_content;
use super::joint::{Called, Joint, Told};
use super::purpose::Takes;
use super::{Exchange, Outcome, detached};
use crate::engine::verdict::Admission;
use crate::inner::InnerService;
use crate::protocol::message::{self, Kind};

/// Requests of a batch that wait for the beginning of their answers at once.
const AT_ONCE: usize = 8;

impl<S: InnerService> Exchange<S> {
    /// Answers a batch. A client that leaves does not cut it short.
    pub(super) async fn receive_batch(
        self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        kinds: &[Kind],
    ) -> Outcome<S> {
        let engine = Arc::clone(&self.engine);
        let messages = message::elements(&body).unwrap_or_default();
        let messages = messages.into_iter().map(|message| body.slice_ref(message.get().as_bytes()));
        let messages = kinds.iter().cloned().zip(messages).collect();
        detached(&engine, self.run_batch(admission, parts, messages)).await
    }

    async fn run_batch(mut self, admission: Admission, parts: Box<Parts>, messages: Vec<(Kind, Bytes)>) -> Outcome<S> {
        self.inner.release();
        let takes = Takes::of(&parts.headers);
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut joint = Joint::of(messages.len());
        for (position, (kind, message)) in messages.into_iter().enumerate() {
            let (exchange, admission) = (self.again(), admission.again(&self.engine));
            let parts = of_other_content(parts.clone());
            match kind {
                Kind::Request { ref id, .. } => {
                    let (id, permits) = (id.clone(), Arc::clone(&permits));
                    let outcome = exchange.call_in_turn(admission, parts, message, kind, permits);
                    let called = async move { Called { position, told: Told::by(outcome.await, &id).await, id } };
                    joint.call(called.boxed());
                }
                Kind::Notification(_) | Kind::Response(_) => {
                    joint.word(position, exchange.receive(admission, parts, message, &kind)).await;
                }
            }
        }
        joint.answer(takes.stream() && !takes.json()).await
    }

    /// Makes a call when it is its turn, whether its client is still there or not, and even if it has left before that.
    fn call_in_turn(
        self,
        admission: Admission,
        parts: Box<Parts>,
        message: Bytes,
        kind: Kind,
        permits: Arc<Semaphore>,
    ) -> impl Future<Output = Outcome<S>> + Send {
        let engine = Arc::clone(&self.engine);
        let call = async move {
            let _permit = permits.acquire_owned().await;
            self.receive(admission, parts, message, &kind).await
        };
        detached(&engine, call)
    }
}
