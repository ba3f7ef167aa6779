//! What a client says to whoever asked, or to whoever runs its call: progress, cancellations. Its request reached this replica;
//! the one it means may be another. An inner service that all replicas share is told from here.

use bytes::Bytes;
use http::request::Parts;

use super::purpose::Purpose;
use super::session::accepted;
use super::{Exchange, Outcome};
use crate::engine::Engine;
use crate::engine::inbox::Letter;
use crate::engine::question_name::asker;
use crate::engine::verdict::Admission;
use crate::inner::{self, InnerService};
use crate::protocol::message::Method;
use crate::protocol::rewrite;
use crate::rejection::Rejection;
use crate::store::{Posted, QuestionName};

impl<S: InnerService> Exchange<S> {
    /// Reports progress on a question.
    pub(super) async fn report(self, admission: Admission, parts: Box<Parts>, body: Bytes) -> Outcome<S> {
        // Tokens of an inner service that all replicas share are its own.
        let token = rewrite::text(&body, rewrite::TOKEN).filter(|_| !self.engine.shares_inner());
        let name = token.and_then(|token| QuestionName::parse(&token));
        let Some((name, asker)) = name.and_then(|name| asker(&name).map(|asker| (name, asker))) else {
            return self.serve(admission, parts, body, Purpose::Word(Method::Progress)).await;
        };
        if asker == self.engine.replica_id {
            return match self.engine.for_asker(&admission.lease, &name, &body) {
                Some((_, report)) => {
                    self.serve(admission, of_other_content(parts), report, Purpose::Word(Method::Progress)).await
                }
                None => Ok(accepted()),
            };
        }
        if let Some(letter) = Letter::to_asker(&self.engine.replica_id, &name, &body) {
            self.post(&admission, &parts, &letter, None).await?;
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
        let letter = Letter::to_all(&self.engine.replica_id, &body).filter(|_| !self.engine.shares_inner());
        if let Some(letter) = letter {
            self.post(&admission, &parts, &letter, None).await?;
        }
        self.serve(admission, parts, body, Purpose::Word(method)).await
    }

    pub(super) async fn post(
        &self,
        admission: &Admission,
        parts: &Parts,
        letter: &Bytes,
        answers: Option<&QuestionName>,
    ) -> Result<(), Rejection> {
        let (engine, record) = (&self.engine, &admission.record);
        engine.note_head(&record.key, parts);
        let posted = engine.store.post(&record.key, record.generation, letter, answers, &Engine::INBOX).await;
        match posted.map_err(|error| engine.store_failed("post", &record.key, &error))? {
            Posted::Posted => Ok(()),
            Posted::NotAsked => Err(Rejection::AnswerNotAsked),
            Posted::Superseded | Posted::Gone => Err(Rejection::SessionNotFound),
        }
    }
}

/// The client's head for a message that is not the client's, word for word.
pub(super) fn of_other_content(mut parts: Box<Parts>) -> Box<Parts> {
    inner::forget_content(&mut parts.headers);
    parts
}
