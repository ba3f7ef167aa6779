//! The ear: a task that hears what an inner service says by itself, and puts it into the session's listening stream, from
//! where the client's listener gets it on whichever replica it listens.
//!
//! An inner service with sessions is heard from the moment its client listens anywhere until the binding closes; one without
//! only while a client listens here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::hints::signed;
use crate::engine::inner_stream::{InnerEvent, InnerStream, is_event_stream};
use crate::engine::outgoing::{Said, Speaker};
use crate::id::SessionKey;
use crate::store::{Appended, QuestionName, StoreError, StreamName};

const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Engine {
    /// Hears a binding from here on, if its inner service has sessions. Does nothing if it is heard already.
    pub(crate) fn hear_binding(self: &Arc<Self>, key: &SessionKey, binding: &Arc<Binding>) {
        if binding.inner_id().is_some() {
            binding.hear_once(|| self.ear(key, binding, None));
        }
    }

    /// Hears the inner service for a client that listens here, from an answer on that it gave to the client's own GET.
    /// Without sessions it is heard for as long as what this returns is kept.
    pub(crate) fn hear_from(
        self: &Arc<Self>,
        key: &SessionKey,
        binding: &Arc<Binding>,
        answer: Response<ResponseBody>,
    ) -> Option<AbortOnDropHandle<()>> {
        if binding.inner_id().is_none() {
            return Some(self.ear(key, binding, Some(answer)));
        }
        binding.hear_once(|| self.ear(key, binding, Some(answer)));
        None
    }

    fn ear(
        self: &Arc<Self>,
        key: &SessionKey,
        binding: &Arc<Binding>,
        answer: Option<Response<ResponseBody>>,
    ) -> AbortOnDropHandle<()> {
        let ear = Ear {
            engine: Arc::downgrade(self),
            key: *key,
            generation: binding.generation(),
            binding: Arc::downgrade(binding),
        };
        AbortOnDropHandle::new(tokio::spawn(ear.hear(answer)))
    }
}

struct Ear {
    engine: Weak<Engine>,
    key: SessionKey,
    generation: u32,
    binding: Weak<Binding>,
}

/// Why an ear stops to hear.
struct Stop;

impl Ear {
    /// `answer` is the stream to begin with, if there is one already.
    async fn hear(self, mut answer: Option<Response<ResponseBody>>) {
        let (mut cursor, mut pause) = (None, PAUSE);
        while let Some(binding) = self.binding.upgrade() {
            let answered = match answer.take() {
                Some(answer) => Some(answer),
                None => binding.get(cursor.as_deref()).await,
            };
            match answered {
                Some(answer) if is_event_stream(&answer) => {
                    let mut stream = InnerStream::once(answer.into_body()).after(cursor.take());
                    drop(binding);
                    if self.follow(&mut stream).await.is_err() {
                        return;
                    }
                    cursor = stream.cursor();
                    pause = stream.retry().max(PAUSE);
                }
                Some(answer) if answer.status().is_client_error() && answer.status() != StatusCode::CONFLICT => {
                    tracing::debug!(session = %self.key, status = %answer.status(), "the inner service says nothing by itself");
                    return;
                }
                _ => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            sleep(pause).await;
        }
    }

    /// Hears one stream to its end.
    async fn follow(&self, stream: &mut InnerStream) -> Result<(), Stop> {
        loop {
            let InnerEvent::Message(said) = stream.next().await else { return Ok(()) };
            let (Some(engine), Some(binding)) = (self.engine.upgrade(), self.binding.upgrade()) else {
                return Err(Stop);
            };
            let (key, generation, stream) = (self.key, self.generation, StreamName::LISTEN);
            let speaker = Speaker { key, generation, stream, call: None, binding };
            let (message, question) = match engine.translate(&speaker, said) {
                Said::Notification(message) => (message, None),
                Said::Question(message, name) => (message, Some(name)),
                Said::Response(_) | Said::Nothing => continue,
            };
            engine.tell_listener(&speaker, &message, question.as_ref()).await?;
        }
    }
}

impl Engine {
    /// Puts a message into the listening stream, however long the store is away; the inner service is not read on meanwhile.
    async fn tell_listener(
        &self,
        speaker: &Speaker,
        message: &[u8],
        question: Option<&QuestionName>,
    ) -> Result<(), Stop> {
        let signed = signed(&self.replica_id, message);
        loop {
            match self.try_to_tell(speaker, &signed, question).await {
                Ok(Some(Appended::Superseded | Appended::Gone)) => return Err(Stop),
                Ok(_) => return Ok(()),
                Err(error) => tracing::debug!(session = %speaker.key, %error, "a message waits for the store"),
            }
            if !speaker.binding.is_open() {
                return Err(Stop);
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_to_tell(
        &self,
        speaker: &Speaker,
        signed: &Bytes,
        question: Option<&QuestionName>,
    ) -> Result<Option<Appended>, StoreError> {
        if let Some(question) = question
            && !self.open_question(speaker, question).await?
        {
            return Ok(None);
        }
        let (key, limits) = (&speaker.key, &self.config.stream_log);
        let messages = std::slice::from_ref(signed);
        self.store.append(key, speaker.generation, &speaker.stream, messages, limits).await.map(Some)
    }
}
