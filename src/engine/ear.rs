//! The ear: a task that hears what an inner service says by itself, and puts it into the session's listening stream, from
//! where the client's listener gets it on whichever replica it listens.
//!
//! An inner service with sessions is heard from the moment its client listens anywhere until the binding closes; one without
//! only while a client listens here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::engine::Engine;
use crate::engine::backoff::Backoff;
use crate::engine::binding::Binding;
use crate::engine::ear_signal::EarSignal;
use crate::engine::get_answer::GetAnswer;
use crate::engine::hints::signed;
use crate::engine::inner_lost_session::{self, Asked, Pinged};
use crate::engine::inner_stream::{InnerEvent, InnerStream};
use crate::engine::outgoing::{Said, Speaker};
use crate::id::SessionKey;
use crate::store::{Appended, QuestionName, StoreError, StreamName};

const PAUSE: Duration = Duration::from_millis(250);
/// A stream that ends sooner, with nothing said, is opened again less and less often.
const LASTED: Duration = Duration::from_secs(5);

impl Engine {
    /// Hears a binding from here on, if its inner service has sessions. Does nothing if it is heard already.
    pub(crate) fn hear_binding(self: &Arc<Self>, key: &SessionKey, binding: &Arc<Binding>) {
        if binding.inner_id().is_some() && !binding.ear_signal.is_refused() {
            binding.hear_once(|| self.ear(key, binding, None));
        }
    }

    /// Hears the inner service for a client that listens here, from an answer on that it gave to the client's own GET.
    /// Without sessions it is heard for as long as what this returns is kept.
    pub(crate) fn hear_from(
        self: &Arc<Self>,
        key: &SessionKey,
        binding: &Arc<Binding>,
        answer: GetAnswer,
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
        answer: Option<GetAnswer>,
    ) -> AbortOnDropHandle<()> {
        let ear = Ear {
            engine: Arc::downgrade(self),
            key: *key,
            binding: Arc::downgrade(binding),
            signal: Arc::clone(&binding.ear_signal),
        };
        AbortOnDropHandle::new(tokio::spawn(ear.hear(answer)))
    }

    /// Asks in this binding's session whether the inner service still knows it.
    async fn ping_binding(&self, binding: &Binding) -> Pinged {
        match self.ping_id() {
            Some(id) => inner_lost_session::ping(&id, |message| binding.post(message)).await,
            None => Pinged::Unknown,
        }
    }
}

struct Ear {
    engine: Weak<Engine>,
    key: SessionKey,
    binding: Weak<Binding>,
    signal: Arc<EarSignal>,
}

/// Why an ear stops to hear.
struct Stop;

impl Ear {
    /// `answer` is what to begin with, if the inner service was asked already.
    async fn hear(self, mut answer: Option<GetAnswer>) {
        self.signal.set_awake();
        let (mut cursor, mut backoff) = (None, Backoff::default());
        while let Some(binding) = self.binding.upgrade() {
            let answered = match answer.take() {
                Some(answer) => answer,
                None => self.ask(&binding, cursor.as_deref()).await,
            };
            if matches!(answered, GetAnswer::NotFound | GetAnswer::Later { .. }) && self.is_moved(&binding).await {
                return;
            }
            // It must not outlive its session for being waited with.
            drop(binding);
            match answered {
                GetAnswer::Stream(answer) => {
                    let mut stream = InnerStream::once(answer.into_body()).after(cursor.take());
                    let begun = Instant::now();
                    let Ok(said_something) = self.follow(&mut stream).await else { return };
                    cursor = stream.cursor();
                    if said_something || begun.elapsed() >= LASTED {
                        backoff = Backoff::default();
                    }
                    sleep(stream.retry().max(backoff.pause())).await;
                }
                GetAnswer::NoStream => {
                    tracing::debug!(session = %self.key, "the inner service says nothing by itself");
                    self.signal.set_no_stream();
                    return;
                }
                GetAnswer::Refused(answer) => {
                    tracing::debug!(session = %self.key, status = %answer.status(), "the inner service lets nobody listen with these credentials");
                    drop(answer);
                    self.signal.other_head().await;
                }
                GetAnswer::NotFound => self.signal.sleep(backoff.pause()).await,
                GetAnswer::Later { after, resumable } => {
                    cursor = cursor.filter(|_| resumable);
                    let pause = backoff.pause();
                    match after {
                        Some(after) => sleep(after.max(PAUSE)).await,
                        None => self.signal.sleep(pause).await,
                    }
                }
            }
        }
    }

    /// Whether another replica has replaced the inner session that all of them share: that one is heard from here on.
    async fn is_moved(&self, binding: &Arc<Binding>) -> bool {
        let Some(engine) = self.engine.upgrade().filter(|_| binding.incarnation().is_some()) else { return false };
        let renewed = engine.renew_shared(&self.key, binding).await;
        renewed.inspect(|renewed| engine.hear_binding(&self.key, renewed)).is_some()
    }

    /// Asks for the stream. An answer that speaks of a lost session is believed no more than the ping that is asked back; one
    /// that is lost is replayed with the next request, never from here.
    async fn ask(&self, binding: &Binding, cursor: Option<&str>) -> GetAnswer {
        let Some(answer) = binding.get(cursor).await else { return GetAnswer::FAILED };
        let suspect = match inner_lost_session::judge(answer, Asked::Stream).await {
            Ok(answer) => return GetAnswer::of(answer),
            Err(suspect) => suspect,
        };
        let answer = GetAnswer::of(suspect.answer);
        let pinged = match (self.engine.upgrade(), binding.inner_id()) {
            (Some(engine), Some(_)) => engine.ping_binding(binding).await,
            (_, None) => Pinged::Lives,
            (None, _) => Pinged::Unknown,
        };
        match (pinged, answer) {
            (Pinged::Lives, GetAnswer::NotFound) => GetAnswer::NoStream,
            (Pinged::Lives, answer) => answer,
            (Pinged::Lost | Pinged::Unknown, _) => GetAnswer::Later { after: None, resumable: false },
        }
    }

    /// Hears one stream to its end; `true` if it said something.
    async fn follow(&self, stream: &mut InnerStream) -> Result<bool, Stop> {
        let mut said_something = false;
        loop {
            let InnerEvent::Message(said) = stream.next().await else { return Ok(said_something) };
            said_something = true;
            let (Some(engine), Some(binding)) = (self.engine.upgrade(), self.binding.upgrade()) else {
                return Err(Stop);
            };
            let (key, generation, stream) = (self.key, binding.generation(), StreamName::LISTEN);
            let speaker = Speaker { key, generation, stream, call: None, binding };
            let (message, question) = match engine.translate(&speaker, said) {
                Said::Notification(message) => (message, None),
                Said::Question(message, name) => (message, Some(name)),
                Said::Response(_) | Said::Nothing => continue,
            };
            let signed = signed(&engine.replica_id, &message);
            // The inner service has said it: an ear that is stopped now, since another replica listens, must not take it along.
            let telling = tokio::spawn(tell_listener(self.engine.clone(), speaker, signed, question));
            telling.await.unwrap_or(Err(Stop))?;
        }
    }
}

/// Puts a message into the listening stream, however long the store is away; the inner service is not read on meanwhile.
async fn tell_listener(
    engine: Weak<Engine>,
    mut speaker: Speaker,
    signed: Bytes,
    question: Option<QuestionName>,
) -> Result<(), Stop> {
    while let Some(engine) = engine.upgrade() {
        let told = match engine.try_to_tell(&speaker, &signed, question.as_ref()).await {
            Ok(Some(Appended::Gone)) => return Err(Stop),
            Ok(Some(Appended::Superseded)) => engine.generation_after(&speaker).await,
            Ok(_) => return Ok(()),
            Err(error) => Err(error),
        };
        match told {
            Ok(Some(adopted)) => {
                speaker.generation = adopted;
                continue;
            }
            Ok(None) => return Err(Stop),
            Err(error) => tracing::debug!(session = %speaker.key, %error, "a message waits for the store"),
        }
        if !speaker.binding.is_open() {
            return Err(Stop);
        }
        drop(engine);
        sleep(PAUSE).await;
    }
    Err(Stop)
}

impl Engine {
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
