//! A client in its session.

use std::net::SocketAddr;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Client, Events, LAST_EVENT_ID, Whole, request};
use crate::harness::replica::Replica;

/// A client in its session.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) client: Client,
}

impl Session {
    /// The session's public name.
    pub(crate) fn key(&self) -> &str {
        &self.id[..16]
    }

    pub(crate) fn at(&self, replica: &Replica) -> Self {
        self.at_address(replica.address)
    }

    pub(crate) fn at_address(&self, address: SocketAddr) -> Self {
        Self { id: self.id.clone(), client: self.client.at_address(address) }
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Whole {
        self.client.call(method, params).await
    }

    /// `true` if a call is answered as it should be.
    pub(crate) async fn works(&self) -> bool {
        self.status().await == StatusCode::OK
    }

    /// The status of an ordinary call.
    pub(crate) async fn status(&self) -> StatusCode {
        let answer = self.call("echo", json!({ "text": "hello" })).await;
        if answer.status == StatusCode::OK {
            assert_eq!(answer.json()["result"]["text"], "hello", "{}", answer.text());
        }
        answer.status
    }

    /// Calls a method whose answer is a stream.
    pub(crate) async fn stream(&self, method: &str) -> Events {
        self.client.post(&request(1, method, json!({}))).await.events()
    }

    /// Opens the listening stream.
    pub(crate) async fn listen(&self) -> Events {
        self.client.get().await.events()
    }

    /// Calls a method with parameters whose answer is a stream.
    pub(crate) async fn begin(&self, id: u64, method: &str, params: Value) -> Events {
        self.client.post(&request(id, method, params)).await.events()
    }

    /// Resumes a stream after an event.
    pub(crate) async fn resume(&self, cursor: &str) -> Events {
        self.client.with(LAST_EVENT_ID, cursor).get().await.events()
    }

    /// What it is told that resumes after an event it should not.
    pub(crate) async fn try_to_resume(&self, cursor: &str) -> Whole {
        self.client.with(LAST_EVENT_ID, cursor).get().await.whole().await
    }

    pub(crate) async fn delete(&self) -> Whole {
        self.client.delete().await.whole().await
    }
}
