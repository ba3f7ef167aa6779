//! A token is for the principal it was handed to; to everybody else its session has ended.

use http::StatusCode;

use super::{Door, Holder, api, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::raw::{Client, SESSION_ID, Whole};
use crate::harness::trio::Trio;

on_every_backend! {
    to_a_stranger_the_session_of_a_stolen_token_has_ended,
    anonymous_and_authenticated_do_not_mix,
    fresh_credentials_of_the_same_principal_are_welcome,
    a_token_is_given_to_who_holds_the_session_and_to_nobody_who_knows_its_name,
}

/// Shows the token at every door of every replica as somebody else.
async fn knock_everywhere(trio: &Trio, client: &Client, holder: &Holder) -> Vec<Whole> {
    let mut answers = Vec::new();
    for replica in &trio.replicas {
        for door in Door::ALL {
            let answer = door.knock(&client.at(replica), holder.session.key(), &holder.token).await;
            assert_eq!(door.outcome(&answer), (404, "session_not_found".to_owned()), "{door:?}");
            answers.push(answer);
        }
    }
    answers
}

async fn assert_stranger(trio: &Trio, stranger: &Client, holder: &Holder, ended: &[Whole]) {
    let told = knock_everywhere(trio, stranger, holder).await;
    for (told, ended) in told.iter().zip(ended) {
        assert_eq!(told.fingerprint(), ended.fingerprint());
    }
    assert_eq!(holder.statuses(trio).await, [200; 3]);
}

/// What is told of a session that has ended.
async fn told_of_an_ended_one(trio: &Trio, client: &Client) -> Vec<Whole> {
    let holder = Holder::open(client).await;
    assert_eq!(holder.session.delete().await.status, StatusCode::NO_CONTENT);
    knock_everywhere(trio, client, &holder).await
}

fn user(trio: &Trio, name: &str) -> Client {
    trio.client().with("x-user", name)
}

async fn to_a_stranger_the_session_of_a_stolen_token_has_ended(backend: Backend) {
    let trio = trio(backend).await;
    let (alice, mallory) = (user(&trio, "alice"), user(&trio, "mallory"));
    let ended = told_of_an_ended_one(&trio, &mallory).await;
    let of_alice = Holder::open(&alice).await;
    assert_stranger(&trio, &mallory, &of_alice, &ended).await;
    let spent = of_alice.reconnect(Door::Header, &trio.replicas[1]).await;
    assert_stranger(&trio, &mallory, &spent, &ended).await;
    let spent_token = Holder { token: of_alice.token, ..spent.clone() };
    assert_stranger(&trio, &mallory, &spent_token, &ended).await;
    assert_eq!(spent.reconnect(Door::Api, &trio.replicas[2]).await.statuses(&trio).await, [200; 3]);
}

async fn anonymous_and_authenticated_do_not_mix(backend: Backend) {
    let trio = trio(backend).await;
    let (nobody, alice) = (trio.client(), user(&trio, "alice"));
    let ended = [told_of_an_ended_one(&trio, &nobody).await, told_of_an_ended_one(&trio, &alice).await];
    assert_stranger(&trio, &nobody, &Holder::open(&alice).await, &ended[0]).await;
    assert_stranger(&trio, &alice, &Holder::open(&nobody).await, &ended[1]).await;
    for name in ["", "principal/alice", "Alice", "alice2"] {
        let almost = user(&trio, name);
        let told = knock_everywhere(&trio, &almost, &Holder::open(&alice).await).await;
        assert_eq!(told.len(), ended[1].len());
    }
}

async fn fresh_credentials_of_the_same_principal_are_welcome(backend: Backend) {
    let trio = trio(backend).await;
    let mut holder = Holder::open(&user(&trio, "alice").with("authorization", "Bearer first")).await;
    for (number, door) in Door::ALL.into_iter().enumerate() {
        let bearer = format!("Bearer number {number}");
        holder.session.client = holder.session.client.with("authorization", &bearer);
        holder = holder.reconnect(door, &trio.replicas[number % 3]).await;
        assert_eq!(holder.statuses(&trio).await, [200; 3]);
        assert_eq!(trio.inners[2].last("echo").header("authorization"), Some(&*bearer));
    }
}

async fn a_token_is_given_to_who_holds_the_session_and_to_nobody_who_knows_its_name(backend: Backend) {
    let trio = trio(backend).await;
    let (alice, mallory) = (user(&trio, "alice"), user(&trio, "mallory"));
    let (held, other) = (Holder::open(&alice).await, Holder::open(&alice).await);
    let of_mallory = Holder::open(&mallory).await;
    let key = held.session.key();
    for replica in &trio.replicas {
        let ask = async |client: &Client, id: Option<&str>| {
            let client = api(&client.at(replica), key, "token");
            let client = id.map_or(client.clone(), |id| client.with(SESSION_ID, id));
            client.get().await.whole().await
        };
        let mut forged = held.session.id.clone();
        forged.replace_range(16..20, "AAAA");
        for (client, id, status) in [
            (&alice, None, 403),
            (&alice, Some(key), 404), // the key alone
            (&alice, Some(&*forged), 404),
            (&alice, Some(&other.session.id), 404),
            (&mallory, Some(&of_mallory.session.id), 404),
            (&mallory, Some(&held.session.id), 404),
            (&trio.client(), Some(&held.session.id), 404),
            (&mallory, None, 403),
            (&alice, Some(""), 403),
        ] {
            let refused = ask(client, id).await;
            assert_eq!(refused.status, status, "{id:?}: {}", refused.text());
            assert!(!refused.text().contains("eyJ"), "{}", refused.text());
        }
        let given = ask(&alice, Some(&held.session.id)).await;
        assert_eq!((given.status, &given.headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
        let given = given.json();
        assert_eq!((&given["session_id"], given["expires_in"].as_u64()), (&key.into(), Some(900)));
    }
    let given = api(&alice, key, "token").with(SESSION_ID, &held.session.id).get().await.whole().await.json();
    let with_given = Holder { token: given["reconnect_token"].as_str().expect("a token").to_owned(), ..held.clone() };
    let new = with_given.reconnect(Door::Api, &trio.replicas[1]).await;
    assert_eq!(new.statuses(&trio).await, [200; 3]);
    for replica in &trio.replicas {
        let refused = api(&alice.at(replica), key, "token").with(SESSION_ID, &held.session.id).get().await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "the id before is worth no token");
    }
}
