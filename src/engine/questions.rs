//! Questions of inner services to clients: sampling, elicitation, roots, ping.
//!
//! A question leaves under a name of ours that tells who waits for the answer (`question_name`). What the
//! inner service called it, and where the answer goes, is remembered here, in the memory of the replica that waits: when
//! that is gone, so is whoever asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::engine::binding::Binding;
use crate::engine::question_name::asker;
use crate::id::SessionKey;
use crate::protocol::message::RequestId;
use crate::store::{QuestionName, StreamName};

/// A question that waits for its answer.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) key: SessionKey,
    /// The generation of the session whose holder was asked.
    pub(crate) asked_in: u32,
    /// The stream it went out on.
    pub(crate) stream: StreamName,
    /// What the inner service calls it.
    pub(crate) inner_id: RequestId,
    /// The inner service's token for its progress, as JSON; the client knows the question's name as its token.
    pub(crate) progress_token: Option<String>,
    /// Who asked.
    pub(crate) binding: Weak<Binding>,
}

impl Question {
    /// The generation whose holder owes the answer: an adopter owes those of the anonymous holder before.
    pub(crate) fn generation(&self) -> u32 {
        self.binding.upgrade().map_or(self.asked_in, |binding| binding.generation())
    }

    fn is_of(&self, binding: &Arc<Binding>, inner_id: &RequestId) -> bool {
        std::ptr::eq(self.binding.as_ptr(), Arc::as_ptr(binding)) && self.inner_id == *inner_id
    }
}

/// The questions this replica waits for.
#[derive(Default)]
pub(crate) struct Questions(Mutex<HashMap<QuestionName, Question>>);

impl Questions {
    fn open(&self) -> MutexGuard<'_, HashMap<QuestionName, Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question goes out under this name.
    pub(crate) fn ask(&self, name: QuestionName, question: Question) {
        self.open().insert(name, question);
    }

    pub(crate) fn get(&self, name: &QuestionName, key: &SessionKey) -> Option<Question> {
        self.open().get(name).filter(|question| question.key == *key).cloned()
    }

    /// A question of this session, which is no longer open then.
    pub(crate) fn take(&self, name: &QuestionName, key: &SessionKey) -> Option<Question> {
        let mut open = self.open();
        open.get(name).is_some_and(|question| question.key == *key).then(|| open.remove(name))?
    }

    /// The question an inner service called this.
    pub(crate) fn take_inner(&self, binding: &Arc<Binding>, inner_id: &RequestId) -> Option<QuestionName> {
        let mut open = self.open();
        let name = open.iter().find(|(_, question)| question.is_of(binding, inner_id))?.0.clone();
        open.remove(&name);
        Some(name)
    }

    /// All questions that went out on a stream.
    pub(crate) fn take_stream(&self, key: &SessionKey, stream: &StreamName) -> Vec<(QuestionName, Question)> {
        let of_stream = |question: &Question| question.key == *key && question.stream == *stream;
        self.open().extract_if(|_, question| of_stream(question)).collect()
    }

    /// Whether the session owes an answer to this replica.
    pub(crate) fn is_owed(&self, key: &SessionKey) -> bool {
        self.open().iter().any(|(name, question)| question.key == *key && asker(name).is_some())
    }

    /// The sessions that owe answers to this replica.
    pub(crate) fn sessions(&self) -> Vec<SessionKey> {
        let open = self.open();
        let mut keys: Vec<SessionKey> =
            open.iter().filter(|(name, _)| asker(name).is_some()).map(|(_, question)| question.key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    #[test]
    fn a_question_is_for_its_own_session_and_answered_once() {
        let questions = Questions::default();
        let [mine, foreign] = [(); 2].map(|()| SessionId::generate().unwrap().key());
        let inner_id = RequestId::from_json(b"0").unwrap();
        let stream = StreamName::LISTEN;
        let question =
            Question { key: mine, asked_in: 0, stream, inner_id, progress_token: None, binding: Weak::new() };
        let name = QuestionName::parse("AAAAAAAA.x").unwrap();
        questions.ask(name.clone(), question);
        assert!(questions.take(&name, &foreign).is_none());
        assert!(questions.take(&name, &mine).is_some());
        assert!(questions.take(&name, &mine).is_none());
    }
}
