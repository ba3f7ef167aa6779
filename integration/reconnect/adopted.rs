//! A token that was given out while the session was anonymous is its adopter's, and nobody else's.

use http::StatusCode;
use serde_json::json;

use super::{Door, Holder, api, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::raw::{RECONNECT_NONCE, SESSION_ID};
use crate::harness::trio::Trio;

on_every_backend! {
    a_token_of_an_anonymous_session_is_good_for_its_adopter_alone,
    its_adopter_may_retry_with_it,
    a_token_that_was_spent_before_the_adoption_is_good_for_nobody,
    a_token_adopts_nothing,
}

/// A session that was opened by nobody and used by alice, and the token from before.
async fn adopted(trio: &Trio) -> Holder {
    let anonymous = Holder::open(&trio.client()).await;
    let alice = as_user(&anonymous, "alice");
    assert_eq!(alice.statuses(trio).await, [200; 3]);
    alice
}

fn as_user(holder: &Holder, user: &str) -> Holder {
    let mut holder = holder.clone();
    holder.session.client = holder.session.client.with("x-user", user);
    holder
}

fn as_nobody(holder: &Holder) -> Holder {
    let mut holder = holder.clone();
    holder.session.client = holder.session.client.without(http::HeaderName::from_static("x-user"));
    holder
}

async fn a_token_of_an_anonymous_session_is_good_for_its_adopter_alone(backend: Backend) {
    let trio = trio(backend).await;
    for (number, door) in Door::ALL.into_iter().enumerate() {
        let alice = adopted(&trio).await;
        for stranger in [as_nobody(&alice), as_user(&alice, "mallory"), as_user(&alice, "")] {
            for replica in &trio.replicas {
                let refused = stranger.knock(door, replica).await;
                assert_eq!(door.outcome(&refused), (404, "session_not_found".to_owned()), "{door:?}");
            }
        }
        let back = alice.reconnect(door, &trio.replicas[number % 3]).await;
        assert_eq!(back.session.key(), alice.session.key());
        assert_eq!(back.statuses(&trio).await, [200; 3], "{door:?}");
        assert_eq!(door.outcome(&alice.knock(door, &trio.replicas[1]).await), (409, "token_mismatch".to_owned()));
        let again = back.reconnect(door, &trio.replicas[2]).await;
        assert_eq!(again.statuses(&trio).await, [200; 3], "the next token is the adopter's from the first");
    }
}

async fn its_adopter_may_retry_with_it(backend: Backend) {
    let trio = trio(backend).await;
    let mut alice = adopted(&trio).await;
    alice.session.client = alice.session.client.with(RECONNECT_NONCE, "mine");
    let first = alice.reconnect(Door::Header, &trio.replicas[1]).await;
    let retried = alice.reconnect(Door::Header, &trio.replicas[2]).await;
    assert_eq!(retried.session.id, first.session.id, "the same nonce brings the same id");
    assert_eq!(retried.statuses(&trio).await, [200; 3]);
    let mallory = as_user(&alice, "mallory").knock(Door::Header, &trio.replicas[0]).await;
    assert_eq!(mallory.status, StatusCode::NOT_FOUND);
}

async fn a_token_that_was_spent_before_the_adoption_is_good_for_nobody(backend: Backend) {
    let trio = trio(backend).await;
    let anonymous = Holder::open(&trio.client()).await;
    let newer = anonymous.reconnect(Door::Api, &trio.replicas[1]).await;
    let alice = as_user(&newer, "alice");
    assert_eq!(alice.statuses(&trio).await, [200; 3]);
    let spent = Holder { token: anonymous.token.clone(), ..alice.clone() };
    for door in Door::ALL {
        assert_eq!(door.outcome(&spent.knock(door, &trio.replicas[2]).await), (409, "token_mismatch".to_owned()));
        assert_eq!(as_nobody(&spent).knock(door, &trio.replicas[2]).await.status, StatusCode::NOT_FOUND);
    }
    let counted = api(&alice.stranger(&trio.replicas[0]), alice.session.key(), "reconnect");
    let counted = counted.post(&json!({ "token": alice.token })).await.whole().await.json();
    assert_eq!(counted["reconnect_count"], 2, "an adoption is no reconnect");
}

async fn a_token_adopts_nothing(backend: Backend) {
    let trio = trio(backend).await;
    let anonymous = Holder::open(&trio.client()).await;
    let alice = as_user(&anonymous, "alice");
    for door in Door::ALL {
        assert_eq!(door.outcome(&alice.knock(door, &trio.replicas[1]).await), (404, "session_not_found".to_owned()));
    }
    let token = api(&alice.session.client, anonymous.session.key(), "token");
    let token = token.with(SESSION_ID, &anonymous.session.id).get().await;
    assert_eq!(token.status, StatusCode::NOT_FOUND, "nor does who asks for one");
    assert_eq!(anonymous.statuses(&trio).await, [200; 3]);
}
