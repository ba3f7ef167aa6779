//! What an inner service says, made fit for its client: questions get a name of ours, and withdrawn ones are withdrawn
//! under it. Everything else goes as it is.
//!
//! A call ends with the response to its own id; no other response reaches the client. A question that cannot go out is
//! answered with an error, so that nobody waits for what will never come.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;

use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::question_name;
use crate::engine::questions::Question;
use crate::engine::verdict::Admission;
use crate::id::SessionKey;
use crate::protocol::message::{self, Kind, Method, RequestId};
use crate::protocol::response;
use crate::protocol::rewrite::{self, quoted};
use crate::rejection;
use crate::store::{Asked, QuestionName, StoreError, StreamName};

/// Questions and shaping calls a session may have open.
pub(crate) const OPEN_QUESTIONS: usize = 1000;

/// Members that say nothing where they are `null`, and that strict clients do not take so.
const MAY_BE_NULL: [&str; 4] = ["id", "params", "result", "error"];

/// Who speaks, and on which stream it goes to the client.
pub(crate) struct Speaker {
    pub(crate) key: SessionKey,
    pub(crate) generation: u32,
    pub(crate) stream: StreamName,
    /// The call that waits for its response there, if one does.
    pub(crate) call: Option<RequestId>,
    pub(crate) binding: Arc<Binding>,
}

impl Speaker {
    /// The inner service in a call, which gets a stream of its own.
    pub(crate) fn of_call(
        engine: &Engine,
        admission: &Admission,
        binding: Arc<Binding>,
        call: Option<RequestId>,
    ) -> Self {
        let (key, generation) = (admission.record.key, admission.record.generation);
        Self { key, generation, stream: engine.name_stream(), call, binding }
    }
}

/// What was said.
#[derive(Debug)]
pub(crate) enum Said {
    /// The response to the call: its stream ends with it.
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
            Some(Kind::Notification(_)) => {
                Said::Notification(rewrite::without_nulls(&said, &MAY_BE_NULL).unwrap_or_else(|| said.into()))
            }
            Some(Kind::Response(named)) => translate_response(speaker, named.as_ref(), said.into()),
            None => {
                tracing::warn!(session = %speaker.key, "the inner service said something that is no JSON-RPC message");
                refuse_unreadable(speaker, &said);
                Said::Nothing
            }
        }
    }

    fn translate_question(&self, speaker: &Speaker, said: &[u8], inner_id: RequestId) -> Said {
        // Tokens of a session that all replicas share do not meet those of another: they stay, and no replica translates them.
        let token = match speaker.binding.incarnation() {
            None => rewrite::value(said, rewrite::ASKED_TOKEN).map(|token| token.get().to_owned()),
            Some(_) => None,
        };
        let question = Question {
            key: speaker.key,
            asked_in: speaker.generation,
            stream: speaker.stream.clone(),
            inner_id,
            progress_token: token,
            binding: Arc::downgrade(&speaker.binding),
        };
        let Some(name) = self.name_question(speaker, &question.inner_id) else {
            give_up(&question);
            return Said::Nothing;
        };
        self.questions.ask(name.clone(), question.clone());
        match renamed(said, &name, question.progress_token.is_some()) {
            Some(renamed) => Said::Question(renamed, name),
            None => {
                self.give_up(&speaker.key, &name);
                Said::Nothing
            }
        }
    }

    fn name_question(&self, speaker: &Speaker, inner_id: &RequestId) -> Option<QuestionName> {
        match speaker.binding.incarnation() {
            None => question_name::of_replica(&self.replica_id),
            Some(incarnation) => question_name::of_shared(incarnation, inner_id),
        }
    }

    fn translate_withdrawal(&self, speaker: &Speaker, said: &[u8]) -> Said {
        let withdrawn = rewrite::value(said, rewrite::REQUEST_ID)
            .and_then(|id| RequestId::from_json(id.get().as_bytes()))
            .and_then(|id| match speaker.binding.incarnation() {
                None => self.questions.take_inner(&speaker.binding, &id),
                Some(incarnation) => question_name::of_shared(incarnation, &id),
            });
        let Some(name) = withdrawn else { return Said::Nothing };
        self.questions.take(&name, &speaker.key);
        let renamed = rewrite::replace(said, rewrite::REQUEST_ID, &quoted(name.as_str()));
        self.settle_later(speaker.key, speaker.binding.generation(), name);
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
        for (name, question) in self.questions.take_stream(key, stream) {
            self.settle_later(*key, question.generation(), name);
        }
    }

    /// The client is away: what an inner service asked it by itself fails at once, instead of waiting for ever.
    pub(crate) fn give_up_questions(&self, key: &SessionKey) {
        for (name, question) in self.questions.take_stream(key, &StreamName::LISTEN) {
            let Some(engine) = self.itself.upgrade() else { return };
            let key = *key;
            tokio::spawn(async move {
                match engine.store.settle(&key, question.generation(), &name).await {
                    // One that was answered, maybe at another replica, needs no error.
                    Ok(false) => {}
                    Ok(true) => give_up(&question),
                    Err(_) => {
                        give_up(&question);
                        engine.settle_later(key, question.generation(), name);
                    }
                }
            });
        }
    }

    /// This question cannot be asked; whoever asked is told so.
    pub(crate) fn give_up(&self, key: &SessionKey, name: &QuestionName) {
        if let Some(question) = self.questions.take(name, key) {
            give_up(&question);
        }
    }

    /// Until then the store takes an answer that finds nobody here who waits.
    fn settle_later(&self, key: SessionKey, generation: u32, name: QuestionName) {
        self.tell_until_stored(move |store| {
            let name = name.clone();
            async move { store.settle(&key, generation, &name).await.map(drop) }.boxed()
        });
    }
}

/// A question as its client knows it.
fn renamed(question: &[u8], name: &QuestionName, has_token: bool) -> Option<Bytes> {
    let as_json = quoted(name.as_str());
    let renamed = rewrite::replace(question, rewrite::ID, &as_json)?;
    let renamed = match has_token {
        true => rewrite::replace(&renamed, rewrite::ASKED_TOKEN, &as_json)?,
        false => renamed,
    };
    Some(rewrite::without_nulls(&renamed, &MAY_BE_NULL).unwrap_or(renamed))
}

/// Only the response to the call goes to its client.
fn translate_response(speaker: &Speaker, named: Option<&RequestId>, said: Bytes) -> Said {
    match speaker.call.as_ref().and_then(|call| response::naming(named, call, said)) {
        Some(response) => Said::Response(response),
        None => {
            tracing::warn!(session = %speaker.key, "the inner service answered what was not asked here; dropped");
            Said::Nothing
        }
    }
}

/// Answers an inner service's question with an error.
fn give_up(question: &Question) {
    if let Some(binding) = question.binding.upgrade() {
        answer(binding, rejection::unanswered_message(&question.inner_id));
    }
}

/// Something with a method and an id, which its sender may wait to see answered, that is no JSON-RPC message all the same.
fn refuse_unreadable(speaker: &Speaker, said: &[u8]) {
    let id = rewrite::value(said, rewrite::ID).filter(|_| rewrite::value(said, &["method"]).is_some());
    if let Some(id) = id {
        let id = RequestId::from_json(id.get().as_bytes());
        answer(Arc::clone(&speaker.binding), rejection::unreadable_message(id.as_ref()));
    }
}

fn answer(binding: Arc<Binding>, error: String) {
    if binding.is_open() {
        tokio::spawn(async move { binding.deliver(error.into(), false).await });
    }
}
