//! What an inner service says, made fit for its client: questions get a name of ours, and withdrawn ones are withdrawn
//! under it. Everything else goes as it is.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::questions::Question;
use crate::engine::verdict::Admission;
use crate::id::SessionKey;
use crate::protocol::message::{self, Kind, Method, RequestId};
use crate::protocol::rewrite::{self, quoted};
use crate::rejection;
use crate::store::{Asked, QuestionName, StoreError, StreamName};

/// Questions and shaping calls a session may have open.
const OPEN_QUESTIONS: usize = 1000;

/// Who speaks, and on which stream it goes to the client.
pub(crate) struct Speaker {
    pub(crate) key: SessionKey,
    pub(crate) generation: u32,
    pub(crate) stream: StreamName,
    pub(crate) binding: Arc<Binding>,
}

impl Speaker {
    /// The inner service in a call, which gets a stream of its own.
    pub(crate) fn of_call(engine: &Engine, admission: &Admission, binding: Arc<Binding>) -> Self {
        let (key, generation) = (admission.record.key, admission.record.generation);
        Self { key, generation, stream: engine.name_stream(), binding }
    }
}

/// What was said.
#[derive(Debug)]
pub(crate) enum Said {
    /// The response: the stream of a call ends with it.
    Response(Bytes),
    Notification(Bytes),
    /// A question under its new name. It may go out once the store knows that it is open.
    Question(Bytes, QuestionName),
    /// Nothing a client could use.
    Nothing,
}

impl Engine {
    /// Makes a message of the inner service's the client's.
    pub(crate) fn translate(&self, speaker: &Speaker, said: Vec<u8>) -> Said {
        match message::kind(&said) {
            Some(Kind::Request { id, .. }) => self.translate_question(speaker, &said, id),
            Some(Kind::Notification(Method::Cancelled)) => self.translate_withdrawal(speaker, &said),
            Some(Kind::Notification(_)) => Said::Notification(said.into()),
            Some(Kind::Response(_)) => Said::Response(said.into()),
            None => {
                tracing::warn!(session = %speaker.key, "the inner service said something that is no JSON-RPC message");
                Said::Nothing
            }
        }
    }

    fn translate_question(&self, speaker: &Speaker, said: &[u8], inner_id: RequestId) -> Said {
        let token = rewrite::value(said, rewrite::ASKED_TOKEN).map(|token| token.get().to_owned());
        let question = Question {
            key: speaker.key,
            stream: speaker.stream.clone(),
            inner_id,
            progress_token: token.clone(),
            binding: Arc::downgrade(&speaker.binding),
        };
        let Some(name) = self.questions.ask(&self.replica_id, question) else { return Said::Nothing };
        let as_json = quoted(name.as_str());
        let renamed = rewrite::replace(said, rewrite::ID, &as_json);
        let renamed = match token {
            Some(_) => renamed.and_then(|renamed| rewrite::replace(&renamed, rewrite::ASKED_TOKEN, &as_json)),
            None => renamed,
        };
        renamed.map_or(Said::Nothing, |renamed| Said::Question(renamed, name))
    }

    fn translate_withdrawal(&self, speaker: &Speaker, said: &[u8]) -> Said {
        let withdrawn = rewrite::value(said, rewrite::REQUEST_ID)
            .and_then(|id| RequestId::from_json(id.get().as_bytes()))
            .and_then(|id| self.questions.take_inner(&speaker.binding, &id));
        let Some(name) = withdrawn else { return Said::Nothing };
        let renamed = rewrite::replace(said, rewrite::REQUEST_ID, &quoted(name.as_str()));
        self.settle_later(speaker.key, name);
        renamed.map_or(Said::Nothing, Said::Notification)
    }

    /// Tells the store that the client is being asked; `false` if it cannot be, and the inner service has been told so.
    pub(crate) async fn open_question(&self, speaker: &Speaker, name: &QuestionName) -> Result<bool, StoreError> {
        let asked = self.store.ask(&speaker.key, speaker.generation, name, OPEN_QUESTIONS).await?;
        if asked != Asked::Open
            && let Some(question) = self.questions.take(name, &speaker.key)
        {
            give_up(&question);
        }
        Ok(asked == Asked::Open)
    }

    /// Nobody waits for the answers to what was asked on a stream any more.
    pub(crate) fn withdraw_questions(&self, key: &SessionKey, stream: &StreamName) {
        for (name, _) in self.questions.take_stream(key, stream) {
            self.settle_later(*key, name);
        }
    }

    /// The client is away: what an inner service asked it by itself fails at once, instead of waiting for ever.
    pub(crate) fn give_up_questions(&self, key: &SessionKey) {
        for (name, question) in self.questions.take_stream(key, &StreamName::LISTEN) {
            give_up(&question);
            self.settle_later(*key, name);
        }
    }

    /// This question cannot be asked; whoever asked is told so.
    pub(crate) fn give_up(&self, key: &SessionKey, name: &QuestionName) {
        if let Some(question) = self.questions.take(name, key) {
            give_up(&question);
        }
    }

    fn settle_later(&self, key: SessionKey, name: QuestionName) {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            // If the store is away the question stays open there; its answer then finds nobody here who waits.
            let _ = store.settle(&key, &name).await;
        });
    }
}

/// Answers an inner service's question with an error.
fn give_up(question: &Question) {
    if let Some(binding) = question.binding.upgrade().filter(|binding| binding.is_open()) {
        let error = Bytes::from(rejection::unanswered_message(&question.inner_id));
        tokio::spawn(async move { binding.deliver(error, false).await });
    }
}
