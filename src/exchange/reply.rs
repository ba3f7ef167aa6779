//! Answers to what the inner service asked. One is taken once, from the session that was asked, while somebody waits for it,
//! and only by who asked: an inner session that took the place of a lost one did not.
//!
//! Where each replica has an inner service of its own, an answer goes to the replica whose inner service asked. Where all share
//! one, the replica that gets it delivers it, with the head that brought it, and then tells the client that it was taken. An
//! answer that the inner service does not take, for want of authority or by misfortune, may be given again.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;

use super::incoming::of_other_content;
use super::session::{accepted, request};
use super::{Exchange, Outcome, detached};
use crate::engine::binding::Binding;
use crate::engine::inbox::Letter;
use crate::engine::outgoing::OPEN_QUESTIONS;
use crate::engine::question_name;
use crate::engine::questions::Question;
use crate::engine::verdict::Admission;
use crate::inner::{Failure, InnerService};
use crate::protocol::message::RequestId;
use crate::protocol::rewrite;
use crate::rejection::Rejection;
use crate::store::QuestionName;

/// An answer on its way to who asked.
struct Given {
    name: QuestionName,
    /// As this replica remembers it, if it was asked here.
    question: Option<Question>,
    binding: Arc<Binding>,
    answer: Bytes,
}

impl<S: InnerService> Exchange<S> {
    /// Answers a question.
    pub(super) async fn reply(
        self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        id: Option<&RequestId>,
    ) -> Outcome<S> {
        let name = id.and_then(RequestId::text).and_then(|text| QuestionName::parse(&text));
        let name = name.ok_or(Rejection::AnswerNotAsked)?;
        let engine = Arc::clone(&self.engine);
        if let Some((incarnation, inner_id)) = question_name::shared(&name).filter(|_| engine.shares_inner()) {
            let replying = self.reply_to_shared(admission, parts, body, name, incarnation, inner_id);
            return detached(&engine, replying).await;
        }
        let asker = question_name::asker(&name).ok_or(Rejection::AnswerNotAsked)?;
        if asker == engine.replica_id {
            return detached(&engine, self.reply_here(admission, parts, body, name)).await;
        }
        if engine.is_gone(&asker).await {
            self.take_question(&admission, &name).await?;
            return Err(Rejection::AnswerNotAsked.into());
        }
        let letter = Letter::to_asker(&engine.replica_id, &name, &body).ok_or(Rejection::AnswerNotAsked)?;
        self.post(&admission, &parts, &letter, Some(&name)).await?;
        Ok(accepted())
    }

    async fn reply_here(self, admission: Admission, parts: Box<Parts>, body: Bytes, name: QuestionName) -> Outcome<S> {
        self.take_question(&admission, &name).await?;
        let question = self.engine.questions.get(&name, &admission.record.key);
        let given = self.engine.for_asker(&admission.lease, &name, &body);
        let (binding, answer) = given.ok_or(Rejection::AnswerNotAsked)?;
        let is_bound = admission.lease.binding().is_some_and(|bound| Arc::ptr_eq(&bound, &binding));
        if !is_bound {
            return Err(Rejection::AnswerNotAsked.into());
        }
        self.give(admission, parts, Given { name, question, binding, answer }).await
    }

    async fn reply_to_shared(
        mut self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        name: QuestionName,
        incarnation: u64,
        inner_id: RequestId,
    ) -> Outcome<S> {
        // First of all: only a name that was given out tells of an incarnation that there was.
        self.take_question(&admission, &name).await?;
        let mut binding = self.engine.binding(&mut self.inner, &admission, &parts).await?;
        if binding.incarnation().is_some_and(|own| own < incarnation) {
            // Another replica has replaced the inner session since.
            binding = self.engine.rebind(&mut self.inner, &admission, &parts, Some(&binding)).await?;
        }
        let question = self.engine.questions.take(&name, &admission.record.key);
        let answer = rewrite::replace(&body, rewrite::ID, inner_id.as_json());
        let answer = answer.filter(|_| binding.incarnation() == Some(incarnation)).ok_or(Rejection::AnswerNotAsked)?;
        self.give(admission, parts, Given { name, question, binding, answer }).await
    }

    /// Closes a question for this answer.
    async fn take_question(&self, admission: &Admission, name: &QuestionName) -> Result<(), Rejection> {
        let (engine, record) = (&self.engine, &admission.record);
        let settled = engine.store.settle(&record.key, record.generation, name).await;
        match settled.map_err(|error| engine.store_failed("settle", &record.key, &error))? {
            true => Ok(()),
            false => Err(Rejection::AnswerNotAsked),
        }
    }

    /// Gives the answer to who asked.
    async fn give(mut self, admission: Admission, parts: Box<Parts>, given: Given) -> Outcome<S> {
        given.binding.note_head(&parts);
        let mut parts = of_other_content(parts);
        self.prepare(&mut parts, &admission);
        let answered = self.inner.call(request(parts, &given.binding, given.answer.clone())).await;
        let answered = answered.map(|mut answer| {
            given.binding.note_answer(&mut answer);
            answer
        });
        match answered {
            Ok(taken) if taken.status().is_success() => Ok(accepted()),
            // Who asked is no more.
            Ok(lost) if lost.status() == StatusCode::NOT_FOUND => Err(Rejection::AnswerNotAsked.into()),
            Ok(refusal) => {
                self.ask_again(&admission, given).await;
                Ok(refusal)
            }
            Err(error) => {
                self.ask_again(&admission, given).await;
                Err(Failure::Inner(error))
            }
        }
    }

    /// The question is open again: its answer did not arrive. If the store is away, who asked waits as long as it likes.
    async fn ask_again(&self, admission: &Admission, given: Given) {
        if let Some(question) = given.question {
            self.engine.questions.ask(given.name.clone(), question);
        }
        let record = &admission.record;
        let asked = self.engine.store.ask(&record.key, record.generation, &given.name, OPEN_QUESTIONS).await;
        if let Err(error) = asked {
            self.engine.store_failed("ask", &record.key, &error);
        }
    }
}
