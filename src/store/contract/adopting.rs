//! An anonymous session becomes its first principal's: once, and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{MANY, ROOMY, Subject, anonymous, at_once, change, replica, session, stream, touch};
use super::relaying::{granted, heard, question, shaping, text};
use crate::event::{Change, SessionView};
use crate::id::{NonceDigest, SessionKey};
use crate::session::{SessionOrigin, SessionRecord, SessionStatus};
use crate::store::{
    Adoption, Appended, Asked, ListenCursor, Listening, LogSlice, Posted, Reconnected, Reconnection, Store, Touch,
    TouchOutcome,
};

const FIRST: Adoption = Adoption::Adopted { generation: 1, again: false };
const AGAIN: Adoption = Adoption::Adopted { generation: 1, again: true };

/// The principal and the generation are new; what the session is and has stays, and so does its secret.
pub async fn an_anonymous_session_is_its_first_principals(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for (status, principal) in [
        (SessionStatus::Active, "alice"),
        (SessionStatus::Disconnected, "José \"quoted\" / \\ 1.0"),
        (SessionStatus::Active, ""),
    ] {
        let given = anonymous();
        let key = given.key;
        subject.open_this(&given).await;
        subject.put(&key, "name", b"value", 100).await;
        subject.0.post(&key, 0, &text("letter"), None, &ROOMY).await.expect("post works");
        subject.0.shape(&key, 0, &shaping("level", Some("debug")), 99, &ROOMY).await.expect("shape works");
        subject.pass(Duration::from_millis(20)).await;
        if status == SessionStatus::Disconnected {
            subject.disconnect_all().await;
        }
        let (before, view) = (subject.find(&key).await.expect("it lives"), subject.view(&key).await);
        assert_eq!(before.status, status);
        assert_eq!(subject.adopt(&key, 0, principal).await, FIRST);
        let origin = SessionOrigin { principal: Some(principal.into()), adopted: Some(1), ..given.origin };
        let expected = SessionRecord { generation: 1, origin: origin.clone(), ..before };
        assert_eq!(
            subject.find(&key).await,
            Some(expected),
            "the principal and the generation are new, the rest is as it was"
        );
        let view = SessionView { origin, ..view };
        assert_eq!(subject.view(&key).await, view, "an adoption is no reconnect, and no activity");
        let told = subject.last(&key).await;
        assert_eq!(
            (told.change, told.session),
            (Change::Adopted, Some(view)),
            "an adoption is told, with the session as it is"
        );
        let blueprint = subject.0.blueprint(&key).await.unwrap().expect("the session lives");
        assert_eq!(blueprint.handshake, Some(given.handshake), "the handshake stays");
        assert_eq!(blueprint.shapings, [("level".into(), text("debug"))], "and so do shaping calls");
        assert_eq!(subject.0.letters(&key, 0, 10).await.unwrap().letters.len(), 2, "letters");
        assert_eq!(subject.get(&key, "name").await.as_deref(), Some(&b"value"[..]), "and data");
        subject.end(&key).await;
    }
}

/// Of many principals the first gets the session; the others are told that it is somebody's. Nothing is recorded of them.
pub async fn of_many_adopters_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = anonymous();
    subject.open_this(&given).await;
    let tries = at_once(MANY, |i| {
        let (subject, principal) = (subject.clone(), format!("principal {}", i / 2));
        async move { (subject.adopt(&given.key, 0, &principal).await, principal) }
    })
    .await;
    let owner = subject.find(&given.key).await.and_then(|record| record.origin.principal).expect("it is somebody's");
    let told = |adoption: Adoption| tries.iter().filter(move |(told, _)| *told == adoption);
    assert_eq!(told(FIRST).count(), 1, "of concurrent adoptions exactly one is the first: {tries:?}");
    assert!(
        told(FIRST).chain(told(AGAIN)).all(|(_, principal)| principal == owner.as_str()),
        "and the winner's alone: {tries:?}"
    );
    assert_eq!(told(AGAIN).count(), 1, "the same principal's other try is told so: {tries:?}");
    assert_eq!(told(Adoption::Taken).count(), MANY - 2, "all others that it is taken: {tries:?}");
    let adopted = subject.all_events().await.into_iter().filter(|event| event.change == Change::Adopted);
    assert_eq!(adopted.count(), 1, "one adoption is recorded");
}

/// Its adopter may say so again for as long as the session does not change hands; to others it is somebody's for ever.
pub async fn an_adopter_may_come_again(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = anonymous();
    let key = given.key;
    subject.open_this(&given).await;
    assert_eq!(subject.adopt(&key, 0, "alice").await, FIRST);
    for generation in [0, 1, 1, 0] {
        assert_eq!(subject.adopt(&key, generation, "alice").await, AGAIN, "as who found it anonymous, or as its own");
        assert_eq!(subject.adopt(&key, generation, "bob").await, Adoption::Taken);
    }
    assert_eq!(subject.adopt(&key, 2, "alice").await, Adoption::Superseded, "there is no such generation");
    let origin = subject.find(&key).await.expect("it lives").origin;
    subject.reconnect(&Reconnection { origin: origin.clone(), ..change(key, 1) }).await;
    for generation in 0..3 {
        assert_eq!(subject.adopt(&key, generation, "alice").await, Adoption::Superseded, "the secret is another one");
        assert_eq!(subject.adopt(&key, generation, "bob").await, Adoption::Taken);
    }
    assert_eq!(subject.find(&key).await.expect("it lives").origin, origin, "a reconnect does not undo an adoption");
    let of_alice = session();
    subject.open_this(&of_alice).await;
    for principal in ["alice", "bob"] {
        assert_eq!(subject.adopt(&of_alice.key, 0, principal).await, Adoption::Taken, "what was never anonymous");
    }
}

/// What has ended, or was never there, is not adopted; nor is it in a generation that is not its own.
pub async fn what_is_over_is_not_adopted(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (ended, given) = (anonymous(), anonymous());
    for session in [&ended, &given] {
        subject.open_this(session).await;
    }
    subject.end(&ended.key).await;
    for key in [ended.key, anonymous().key] {
        assert_eq!(subject.adopt(&key, 0, "alice").await, Adoption::Gone);
        assert_eq!(subject.find(&key).await, None, "an adoption makes no session");
    }
    let nobody = Reconnection { origin: given.origin.clone(), ..change(given.key, 0) };
    subject.reconnect(&nobody).await;
    let before = subject.find(&given.key).await;
    for generation in [0, 2] {
        assert_eq!(subject.adopt(&given.key, generation, "alice").await, Adoption::Superseded);
    }
    assert_eq!(subject.find(&given.key).await, before, "what is refused changes nothing");
    let adopted = Adoption::Adopted { generation: 2, again: false };
    assert_eq!(subject.adopt(&given.key, 1, "alice").await, adopted);
    assert_eq!(subject.view(&given.key).await.reconnect_count, 1, "only the reconnect is counted as one");
}

/// The anonymous holder writes and hears nothing any more, and does not reconnect. What it was asked, the adopter answers.
pub async fn an_anonymous_holder_is_out(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (key, nonce) = (open_reconnected(&subject).await, NonceDigest::of(b"mine"));
    let (store, a) = (&subject.0, stream("a"));
    let message = [text("message")];
    assert_eq!(store.append(&key, 1, &a, &message, &ROOMY).await.unwrap(), Appended::Stored { last: 1 });
    assert_eq!(store.append(&key, 1, &stream("listen"), &message, &ROOMY).await.unwrap(), Appended::Stored { last: 2 });
    let (listener, after) = granted(store.listen(&key, 1, &replica(), None).await.unwrap());
    for name in ["one", "two"] {
        assert_eq!(store.ask(&key, 1, &question(name), 9).await.unwrap(), Asked::Open);
    }

    let adopted = Adoption::Adopted { generation: 2, again: false };
    assert_eq!(subject.adopt(&key, 1, "alice").await, adopted);

    assert_eq!(heard(&subject, &key, listener, after).await, None, "its listener is over");
    assert_eq!(subject.read(&key, "a", 0).await, LogSlice::default(), "its calls are forgotten");
    assert_eq!(store.begin(&key, 1, &a, b"1").await.unwrap(), Appended::Superseded);
    assert_eq!(store.append(&key, 1, &a, &message, &ROOMY).await.unwrap(), Appended::Superseded);
    assert_eq!(store.listen(&key, 1, &replica(), None).await.unwrap(), Listening::Superseded);
    assert_eq!(store.post(&key, 1, &text("no"), Some(&question("one")), &ROOMY).await.unwrap(), Posted::Superseded);
    let touched = Touch { generation: 1, ..touch(key, Duration::ZERO) };
    assert_eq!(store.touch(&[touched]).await.unwrap().outcomes, [TouchOutcome::Superseded]);
    for generation in [0, 1] {
        let late = Reconnection { nonce, ..change(key, generation) };
        assert_eq!(subject.reconnect(&late).await, Reconnected::Superseded, "nor does it retry a reconnect of before");
    }

    let answered = store.post(&key, 2, &text("yes"), Some(&question("one")), &ROOMY).await.unwrap();
    assert_eq!(answered, Posted::Posted, "the adopter owes the answers");
    assert!(store.settle(&key, 2, &question("two")).await.unwrap());
    let cursor = Some(ListenCursor { listener, position: after });
    let (resumed, after) = granted(store.listen(&key, 2, &replica(), cursor).await.unwrap());
    assert_eq!(heard(&subject, &key, resumed, after).await.as_deref(), Some(&[2][..]), "and hears what was not heard");
}

/// An anonymous session that was reconnected with a nonce; it is of generation 1.
async fn open_reconnected(subject: &Subject) -> SessionKey {
    let given = anonymous();
    let key = given.key;
    subject.open_this(&given).await;
    let nonce = NonceDigest::of(b"mine");
    let done = subject.reconnect(&Reconnection { nonce, origin: given.origin, ..change(key, 0) }).await;
    assert!(matches!(done, Reconnected::Done { generation: 1, .. }), "{done:?}");
    key
}

/// A reconnect that names the anonymous generation and an adoption exclude each other.
pub async fn an_adoption_racing_a_reconnect_loses_or_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for _ in 0..MANY {
        let given = anonymous();
        let key = given.key;
        subject.open_this(&given).await;
        let change = Reconnection { origin: given.origin, ..change(key, 0) };
        let outcomes = at_once(2, |i| {
            let (subject, change) = (subject.clone(), change.clone());
            async move {
                match i {
                    0 => matches!(subject.reconnect(&change).await, Reconnected::Done { .. }),
                    _ => subject.adopt(&key, 0, "alice").await == FIRST,
                }
            }
        })
        .await;
        let record = subject.find(&key).await.expect("the session lives");
        assert_eq!(record.generation, 1);
        match outcomes[..] {
            [true, false] => assert_eq!((record.digest, record.origin), (change.digest, change.origin)),
            [false, true] => assert_eq!((record.digest, record.origin.adopted), (given.digest, Some(1))),
            _ => panic!("both or neither won: {outcomes:?}"),
        }
    }
}

/// Whichever comes first, there is no session afterwards.
pub async fn an_adoption_racing_an_end_brings_nothing_back(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for _ in 0..MANY {
        let given = anonymous();
        let key = given.key;
        subject.open_this(&given).await;
        let outcomes = at_once(2, |i| {
            let subject = subject.clone();
            async move {
                match i {
                    0 => subject.end(&key).await,
                    _ => matches!(subject.adopt(&key, 0, "alice").await, FIRST | Adoption::Gone),
                }
            }
        })
        .await;
        assert_eq!(outcomes, [true, true], "an end ends whoever's it is");
        assert_eq!(subject.find(&key).await, None, "and nothing brings it back");
    }
}
