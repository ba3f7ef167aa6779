//! What a client says to whoever asked, or to whoever runs its call: answers, progress, cancellations. Its request reached
//! this replica; the one it means may be another.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, header};

use super::purpose::Purpose;
use super::session::accepted;
use super::{Exchange, Outcome};
use crate::engine::Engine;
use crate::engine::inbox::Letter;
use crate::engine::questions::asker;
use crate::engine::verdict::Admission;
use crate::inner::InnerService;
use crate::protocol::message::{Method, RequestId};
use crate::protocol::rewrite;
use crate::rejection::Rejection;
use crate::store::{Posted, QuestionName};

impl<S: InnerService> Exchange<S> {
    /// Answers a question. It is taken once, from the session that was asked, and while somebody waits for it.
    pub(super) async fn reply(
        self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        id: Option<&RequestId>,
    ) -> Outcome<S> {
        let name = id.and_then(RequestId::text).and_then(|text| QuestionName::parse(&text));
        let name = name.ok_or(Rejection::AnswerNotAsked)?;
        let asker = asker(&name).ok_or(Rejection::AnswerNotAsked)?;
        if asker == self.engine.replica_id {
            return self.reply_here(admission, parts, &body, &name).await;
        }
        let key = admission.record.key;
        if self.engine.is_gone(&asker).await {
            self.engine
                .store
                .settle(&key, &name)
                .await
                .map_err(|error| self.engine.store_failed("settle", &key, &error))?;
            return Err(Rejection::AnswerNotAsked.into());
        }
        let letter = Letter::to_asker(&self.engine.replica_id, &name, &body).ok_or(Rejection::AnswerNotAsked)?;
        self.post(&admission, &letter, Some(&name)).await?;
        Ok(accepted())
    }

    async fn reply_here(self, admission: Admission, parts: Box<Parts>, body: &[u8], name: &QuestionName) -> Outcome<S> {
        let key = &admission.record.key;
        let settled = self.engine.store.settle(key, name).await;
        if !settled.map_err(|error| self.engine.store_failed("settle", key, &error))? {
            return Err(Rejection::AnswerNotAsked.into());
        }
        let (binding, answer) = self.engine.for_asker(&admission.lease, name, body).ok_or(Rejection::AnswerNotAsked)?;
        let is_bound = admission.lease.binding().is_some_and(|bound| Arc::ptr_eq(&bound, &binding));
        if !is_bound {
            // Whoever asked is another incarnation of the inner service's session.
            return Err(Rejection::AnswerNotAsked.into());
        }
        self.serve(admission, of_length(parts, &answer), answer, Purpose::Word(Method::Other)).await
    }

    /// Reports progress on a question.
    pub(super) async fn report(self, admission: Admission, parts: Box<Parts>, body: Bytes) -> Outcome<S> {
        let name = rewrite::text(&body, rewrite::TOKEN).and_then(|token| QuestionName::parse(&token));
        let Some((name, asker)) = name.and_then(|name| asker(&name).map(|asker| (name, asker))) else {
            return self.serve(admission, parts, body, Purpose::Word(Method::Progress)).await;
        };
        if asker == self.engine.replica_id {
            return match self.engine.for_asker(&admission.lease, &name, &body) {
                Some((_, report)) => {
                    self.serve(admission, of_length(parts, &report), report, Purpose::Word(Method::Progress)).await
                }
                None => Ok(accepted()),
            };
        }
        if let Some(letter) = Letter::to_asker(&self.engine.replica_id, &name, &body) {
            self.post(&admission, &letter, None).await?;
        }
        Ok(accepted())
    }

    /// Says something to the inner service here, and to those of all other replicas: the call that is cancelled may run
    /// anywhere.
    pub(super) async fn spread(
        self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        method: Method,
    ) -> Outcome<S> {
        if let Some(letter) = Letter::to_all(&self.engine.replica_id, &body) {
            self.post(&admission, &letter, None).await?;
        }
        self.serve(admission, parts, body, Purpose::Word(method)).await
    }

    async fn post(
        &self,
        admission: &Admission,
        letter: &Bytes,
        answers: Option<&QuestionName>,
    ) -> Result<(), Rejection> {
        let (engine, record) = (&self.engine, &admission.record);
        let posted = engine.store.post(&record.key, record.generation, letter, answers, &Engine::INBOX).await;
        match posted.map_err(|error| engine.store_failed("post", &record.key, &error))? {
            Posted::Posted => Ok(()),
            Posted::NotAsked => Err(Rejection::AnswerNotAsked),
            Posted::Superseded | Posted::Gone => Err(Rejection::SessionNotFound),
        }
    }
}

/// The client's head for a message that is not as long as the client's was.
pub(super) fn of_length(mut parts: Box<Parts>, message: &Bytes) -> Box<Parts> {
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(message.len()));
    parts
}
