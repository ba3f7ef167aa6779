//! The session's inbox: how an answer, a cancellation or a subscription that reached one replica gets to the inner service
//! of another.
//!
//! A letter is in the store before its sender's client is answered; then the bell rings. A replica that waits for something
//! (an answer, or a call that may be cancelled) looks into the inbox every second all the same, and so does one that heard the
//! bell and could not read yet: a bell is answered by a reading that reached the end of the inbox, and by nothing less.
//!
//! Whoever starts a reading may give up waiting for it; the reading goes on, so that no letter is lost between the inbox and
//! the inner service.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{MissedTickBehavior, timeout};

use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::question_name::asker;
use crate::engine::resident::Resident;
use crate::protocol::message::{self, Kind};
use crate::protocol::rewrite;
use crate::store::{LogLimits, QuestionName, ReplicaId, StoreError};

/// How often to look without having heard the bell.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a request waits for letters to be delivered.
const WAITED_FOR: Duration = Duration::from_secs(2);
/// Inboxes looked into at once.
const AT_ONCE: usize = 32;
/// Letters read at once.
const PART: usize = 64;

/// What one replica tells the others about a session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Letter<'a> {
    /// Who wrote it, and so needs not read it.
    by: &'a str,
    /// The question it answers, or whose progress it tells; none for what every inner service has to know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    of: Option<String>,
    /// The client's message.
    #[serde(borrow)]
    message: &'a RawValue,
}

impl Letter<'_> {
    /// For every replica that serves the session.
    pub(crate) fn to_all(by: &ReplicaId, message: &[u8]) -> Option<Bytes> {
        Self::write(by, None, message)
    }

    /// For the replica that asked.
    pub(crate) fn to_asker(by: &ReplicaId, question: &QuestionName, message: &[u8]) -> Option<Bytes> {
        Self::write(by, Some(question.as_str().to_owned()), message)
    }

    fn write(by: &ReplicaId, of: Option<String>, message: &[u8]) -> Option<Bytes> {
        let letter = Letter { by: by.as_str(), of, message: serde_json::from_slice(message).ok()? };
        serde_json::to_vec(&letter).ok().map(Bytes::from)
    }
}

/// Looks into the inboxes of sessions that wait for something.
pub(crate) async fn run(engine: Weak<Engine>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(engine) = engine.upgrade() else { return };
        let waits = |resident: &Arc<Resident>| {
            let may_wait = addressee(resident).is_some_and(|binding| binding.unread.may_wait());
            may_wait || resident.recording.load(Ordering::Acquire) > 0
        };
        let owed = engine.questions.sessions().into_iter().filter_map(|key| engine.residents.get(&key));
        let mut waiting: Vec<_> = engine.residents.all().into_iter().filter(waits).chain(owed).collect();
        waiting.sort_unstable_by_key(|resident| resident.key);
        waiting.dedup_by_key(|resident| resident.key);
        // An inner service that takes its time with one letter holds up no other session's.
        let look = async |resident: Arc<Resident>| engine.look_into_inbox(resident).await;
        let _ = timeout(INTERVAL * 5, stream::iter(waiting).for_each_concurrent(AT_ONCE, look)).await;
    }
}

impl Engine {
    /// How much an inbox holds, and for how long: replicas read it within a second.
    pub(crate) const INBOX: LogLimits = LogLimits { messages: 256, bytes: 8 << 20, ttl: Duration::from_secs(120) };

    /// Reads the session's inbox in the background, if its inner service here may have to be told something.
    pub(crate) fn read_inbox_soon(self: &Arc<Self>, resident: Arc<Resident>) {
        if let Some(binding) = addressee(&resident) {
            binding.unread.ring();
            let engine = Arc::clone(self);
            tokio::spawn(async move { engine.read_inbox(&resident).await });
        }
    }

    /// Reads the session's inbox, unless that is under way.
    async fn look_into_inbox(self: &Arc<Self>, resident: Arc<Resident>) {
        if addressee(&resident).is_some_and(|binding| binding.inbox.try_lock().is_ok()) {
            let engine = Arc::clone(self);
            let reading = tokio::spawn(async move { engine.read_inbox(&resident).await });
            // One that panicked is looked at again with the next interval.
            let _ = reading.await;
        }
    }

    /// The same for a request that the letters concern, which does not wait for ever for an inner service that takes its time.
    pub(crate) async fn read_inbox_in_time(self: &Arc<Self>, resident: Arc<Resident>) {
        let engine = Arc::clone(self);
        let reading = tokio::spawn(async move { engine.read_inbox(&resident).await });
        let _ = timeout(WAITED_FOR, reading).await;
    }

    /// Delivers all letters that have not been delivered to the session's binding here, and hears it if the client listens:
    /// word of that may have come before there was a binding, or not at all. Runs in a task of its own, which nobody cuts
    /// short.
    async fn read_inbox(self: &Arc<Self>, resident: &Resident) {
        let Some(binding) = addressee(resident) else { return };
        let mut read = binding.inbox.lock().await;
        let bells = binding.unread.begin();
        match self.deliver_letters(resident, &binding, &mut read).await {
            Ok(()) => binding.unread.answer(bells),
            Err(error) => {
                // Whatever this reading was for, letters may wait now.
                binding.unread.ring();
                tracing::debug!(session = %resident.key, %error, "the inbox cannot be read; trying again");
            }
        }
    }

    async fn deliver_letters(
        self: &Arc<Self>,
        resident: &Resident,
        binding: &Arc<Binding>,
        read: &mut u64,
    ) -> Result<(), StoreError> {
        loop {
            let letters = self.store.letters(&resident.key, *read, PART).await?;
            if letters.listened && !binding.was_heard() {
                self.hear_binding(&resident.key, binding);
            }
            if letters.gap {
                self.shape_again(resident, binding).await?;
            }
            let is_all = letters.letters.len() < PART;
            for (position, letter) in letters.letters {
                *read = position;
                self.deliver(resident, binding, &letter).await;
            }
            if is_all {
                return Ok(());
            }
        }
    }

    async fn deliver(&self, resident: &Resident, binding: &Binding, letter: &[u8]) {
        let Ok(letter) = serde_json::from_slice::<Letter<'_>>(letter) else {
            tracing::warn!(session = %resident.key, "a letter of another version was left unread");
            return;
        };
        if letter.by == self.replica_id.as_str() {
            return;
        }
        if !binding.is_introduced() {
            self.introduce(resident, binding).await;
        }
        let message = letter.message.get().as_bytes();
        match letter.of.as_deref().and_then(QuestionName::parse) {
            None => tell_all(binding, Bytes::copy_from_slice(message)).await,
            Some(name) if asker(&name) == Some(self.replica_id) => {
                self.deliver_to_asker(resident, &name, message).await;
            }
            Some(_) => {}
        }
    }

    async fn deliver_to_asker(&self, resident: &Resident, name: &QuestionName, message: &[u8]) {
        if let Some((binding, message)) = self.for_asker(resident, name, message) {
            binding.deliver(message, false).await;
        }
    }

    /// An answer to a question of this replica's, or word of its progress, as the inner service that asked knows it.
    pub(crate) fn for_asker(
        &self,
        resident: &Resident,
        name: &QuestionName,
        message: &[u8],
    ) -> Option<(Arc<Binding>, Bytes)> {
        let is_progress = rewrite::value(message, rewrite::ID).is_none();
        let (question, at, known_as) = if is_progress {
            let question = self.questions.get(name, &resident.key)?;
            let token = question.progress_token.clone()?;
            (question, rewrite::TOKEN, token)
        } else {
            let question = self.questions.take(name, &resident.key)?;
            let inner_id = question.inner_id.as_json().to_owned();
            (question, rewrite::ID, inner_id)
        };
        let binding = question.binding.upgrade().filter(|binding| binding.is_open())?;
        Some((binding, rewrite::replace(message, at, &known_as)?))
    }

    /// Letters were missed: the inner service is told again how the session is shaped.
    async fn shape_again(&self, resident: &Resident, binding: &Binding) -> Result<(), StoreError> {
        let blueprint = self.store.blueprint(&resident.key).await?;
        let own = blueprint.filter(|blueprint| blueprint.generation == resident.generation);
        for (_, call) in own.into_iter().flat_map(|blueprint| blueprint.shapings) {
            tell_all(binding, call).await;
        }
        Ok(())
    }
}

/// The binding that the session's letters are for. What concerns a shared inner session goes there at once, from whichever
/// replica it reaches: there are no letters.
pub(super) fn addressee(resident: &Resident) -> Option<Arc<Binding>> {
    resident.binding().filter(|binding| binding.incarnation().is_none())
}

/// Tells an inner service what every inner service of the session has to know.
async fn tell_all(binding: &Binding, message: Bytes) {
    let is_call = matches!(message::kind(&message), Some(Kind::Request { .. }));
    binding.deliver(message, is_call).await;
}
