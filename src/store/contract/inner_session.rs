//! The session of a shared inner service: kept with ours, replaced by one at a time.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{MANY, Subject, at_once, change, session};
use super::relaying::text;
use crate::id::{NonceDigest, SessionKey};
use crate::session::NewSession;
use crate::store::{InnerReplaced, Reconnected, Reconnection, SealedInner, Store};

pub(super) fn inner(incarnation: u64, sealed: &str) -> SealedInner {
    SealedInner { incarnation, sealed: text(sealed) }
}

pub(super) async fn open_with(subject: &Subject, sealed: &str) -> SessionKey {
    let given = NewSession { inner: Some(text(sealed)), ..session() };
    subject.open_this(&given).await;
    given.key
}

pub(super) async fn replace(
    subject: &Subject,
    key: &SessionKey,
    generation: u32,
    expected: Option<u64>,
    sealed: &str,
) -> InnerReplaced {
    subject.0.replace_inner(key, generation, expected, text(sealed)).await.expect("replace_inner works")
}

async fn inner_of(subject: &Subject, key: &SessionKey) -> Option<SealedInner> {
    subject.0.blueprint(key).await.expect("blueprint works").expect("the session lives").inner
}

/// A new holder whose handshake an inner session answered.
fn with_handshake(key: SessionKey, generation: u32, sealed: Option<&str>) -> Reconnection {
    Reconnection { handshake: Some(text("another")), inner: sealed.map(text), ..change(key, generation) }
}

/// What a reconnect that was done says: the generation, the inner session from now on, and the one before.
async fn done(subject: &Subject, change: &Reconnection) -> (u32, Option<SealedInner>, Option<SealedInner>) {
    match subject.reconnect(change).await {
        Reconnected::Done { generation, inner, replaced, .. } => (generation, inner, replaced),
        other => panic!("reconnecting a live session said {other:?}"),
    }
}

/// A blueprint has what the session was opened with, of any bytes and some size.
pub async fn an_inner_session_is_kept_as_it_was_given(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for sealed in [Vec::new(), b"7".to_vec(), b"1:\0\r\n\xff".to_vec(), vec![b'x'; 8192]] {
        let sealed = Bytes::from(sealed);
        let given = NewSession { inner: Some(sealed.clone()), ..session() };
        subject.open_this(&given).await;
        let found = inner_of(&subject, &given.key).await;
        assert_eq!(found.map(|inner| (inner.incarnation, inner.sealed)), Some((1, sealed.clone())), "byte for byte");
        let replaced = subject.0.replace_inner(&given.key, 0, Some(1), sealed.clone()).await.unwrap();
        assert_eq!(replaced, InnerReplaced::Replaced { incarnation: 2 });
        let found = inner_of(&subject, &given.key).await;
        assert_eq!(found.map(|inner| (inner.incarnation, inner.sealed)), Some((2, sealed)), "and so a later one");
    }
    let without = subject.open().await;
    assert_eq!(inner_of(&subject, &without).await, None, "a session without one has none");
}

/// Only who names the incarnation that the session has, and its generation, gives it another.
pub async fn an_inner_session_is_replaced_by_who_knows_it(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = open_with(&subject, "a").await;
    for wrong in [None, Some(0), Some(2), Some(u64::MAX)] {
        let lost = replace(&subject, &key, 0, wrong, "b").await;
        assert_eq!(lost, InnerReplaced::Lost(Some(inner(1, "a"))), "who is wrong is told which one it is");
    }
    assert_eq!(replace(&subject, &key, 1, Some(1), "b").await, InnerReplaced::Superseded, "another generation");
    assert_eq!(inner_of(&subject, &key).await, Some(inner(1, "a")), "what is refused changes nothing");
    assert_eq!(replace(&subject, &key, 0, Some(1), "b").await, InnerReplaced::Replaced { incarnation: 2 });
    assert_eq!(replace(&subject, &key, 0, Some(1), "c").await, InnerReplaced::Lost(Some(inner(2, "b"))));
    subject.disconnect_all().await;
    assert_eq!(replace(&subject, &key, 0, Some(2), "c").await, InnerReplaced::Replaced { incarnation: 3 });
    assert_eq!(inner_of(&subject, &key).await, Some(inner(3, "c")), "whatever the session's status");

    let without = subject.open().await;
    for wrong in [Some(0), Some(1)] {
        assert_eq!(replace(&subject, &without, 0, wrong, "a").await, InnerReplaced::Lost(None), "there is none");
    }
    assert_eq!(inner_of(&subject, &without).await, None);
    let first = replace(&subject, &without, 0, None, "a").await;
    assert_eq!(first, InnerReplaced::Replaced { incarnation: 1 }, "the first is the first, whenever it comes");
    assert_eq!(inner_of(&subject, &without).await, Some(inner(1, "a")));

    assert_eq!(replace(&subject, &session().key, 0, None, "a").await, InnerReplaced::Gone, "and makes no session");
}

/// Of many who expect the same one replaces it, and the others are told by which.
pub async fn of_many_replacements_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for expected in [None, Some(1), Some(2)] {
        let tries = at_once(MANY, |i| {
            let subject = subject.clone();
            async move { (i, replace(&subject, &key, 0, expected, &i.to_string()).await) }
        })
        .await;
        let (won, lost): (Vec<_>, Vec<_>) =
            tries.into_iter().partition(|(_, outcome)| matches!(outcome, InnerReplaced::Replaced { .. }));
        let incarnation = expected.unwrap_or_default() + 1;
        assert_eq!(won.len(), 1, "of concurrent replacements exactly one is done");
        assert_eq!(won[0].1, InnerReplaced::Replaced { incarnation }, "the incarnation rises by one");
        let own = inner(incarnation, &won[0].0.to_string());
        let told = lost.iter().all(|(_, outcome)| *outcome == InnerReplaced::Lost(Some(own.clone())));
        assert!(told, "the others are told which one it is: {lost:?}");
        assert_eq!(inner_of(&subject, &key).await, Some(own), "it is the winner's");
    }
}

/// With a new handshake comes the inner session that answered it; without one the session keeps what it has.
pub async fn a_new_handshake_brings_its_inner_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = open_with(&subject, "a").await;
    let kept = done(&subject, &change(key, 0)).await;
    assert_eq!(kept, (1, Some(inner(1, "a")), None), "without a handshake it stays");
    let ignored = Reconnection { inner: Some(text("ignored")), ..change(key, 1) };
    assert_eq!(done(&subject, &ignored).await, (2, Some(inner(1, "a")), None), "whatever comes with that");
    assert_eq!(replace(&subject, &key, 0, Some(1), "b").await, InnerReplaced::Superseded, "not the old holder's");
    let renewed = done(&subject, &with_handshake(key, 2, Some("b"))).await;
    assert_eq!(renewed, (3, Some(inner(2, "b")), Some(inner(1, "a"))), "a new handshake's takes its place");
    assert_eq!(inner_of(&subject, &key).await, Some(inner(2, "b")));
    assert_eq!(subject.handshake(&key).await, Some(text("another")), "both at once");
    let lost = replace(&subject, &key, 3, Some(1), "c").await;
    assert_eq!(lost, InnerReplaced::Lost(Some(inner(2, "b"))), "who knew the one before does not know this");
    assert_eq!(replace(&subject, &key, 3, Some(2), "c").await, InnerReplaced::Replaced { incarnation: 3 });
    let refused = subject.reconnect(&with_handshake(key, 0, Some("d"))).await;
    assert_eq!(refused, Reconnected::Superseded);
    assert_eq!(inner_of(&subject, &key).await, Some(inner(3, "c")), "what is refused brings nothing");

    let without = subject.open().await;
    assert_eq!(done(&subject, &with_handshake(without, 0, Some("a"))).await, (1, Some(inner(1, "a")), None));
    assert_eq!(inner_of(&subject, &without).await, Some(inner(1, "a")), "the first is the first, whenever it comes");
}

/// A new handshake that no inner session answered leaves none, and whichever comes later is told from all before.
pub async fn a_new_handshake_without_one_removes_it(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = open_with(&subject, "a").await;
    assert_eq!(done(&subject, &with_handshake(key, 0, None)).await, (1, None, Some(inner(1, "a"))));
    assert_eq!(inner_of(&subject, &key).await, None, "it is removed");
    assert_eq!(replace(&subject, &key, 1, Some(1), "b").await, InnerReplaced::Lost(None));
    assert_eq!(done(&subject, &with_handshake(key, 1, None)).await, (2, None, None), "once");
    assert_eq!(replace(&subject, &key, 2, None, "b").await, InnerReplaced::Replaced { incarnation: 2 });
    assert_eq!(done(&subject, &with_handshake(key, 2, None)).await, (3, None, Some(inner(2, "b"))));
    assert_eq!(done(&subject, &with_handshake(key, 3, Some("c"))).await, (4, Some(inner(3, "c")), None));
    done(&subject, &with_handshake(key, 4, None)).await;
    assert!(subject.end(&key).await);
    assert_eq!(subject.0.take_inner(&key).await.unwrap(), None, "what was removed is not left behind");
}

/// The winner's retry brings an inner session as its first try did; what that brought is replaced.
pub async fn a_retry_replaces_what_the_first_try_brought(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = open_with(&subject, "a").await;
    let nonce = NonceDigest::of(b"mine");
    let first = Reconnection { nonce, ..with_handshake(key, 0, Some("b")) };
    assert_eq!(done(&subject, &first).await, (1, Some(inner(2, "b")), Some(inner(1, "a"))));
    let retry = Reconnection { nonce, ..with_handshake(key, 0, Some("c")) };
    assert_eq!(
        done(&subject, &retry).await,
        (1, Some(inner(3, "c")), Some(inner(2, "b"))),
        "a new secret: no late try"
    );
    let bare = Reconnection { nonce, ..change(key, 0) };
    assert_eq!(done(&subject, &bare).await, (1, Some(inner(3, "c")), None), "without a handshake it stays");
    let removes = Reconnection { nonce, ..with_handshake(key, 0, None) };
    assert_eq!(done(&subject, &removes).await, (1, None, Some(inner(3, "c"))));
    assert_eq!(replace(&subject, &key, 1, Some(3), "d").await, InnerReplaced::Lost(None), "of the same generation");
}

/// A try that comes after its client has been answered finds the inner session that the client uses by now.
pub async fn a_late_try_leaves_the_inner_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = open_with(&subject, "a").await;
    let first = Reconnection { nonce: NonceDigest::of(b"mine"), ..with_handshake(key, 0, Some("b")) };
    done(&subject, &first).await;
    assert_eq!(replace(&subject, &key, 1, Some(2), "c").await, InnerReplaced::Replaced { incarnation: 3 });
    for brought in [Some("d"), None] {
        let late = Reconnection { inner: brought.map(text), ..first.clone() };
        assert_eq!(done(&subject, &late).await, (1, Some(inner(3, "c")), None), "it is told which one that is");
        assert_eq!(inner_of(&subject, &key).await, Some(inner(3, "c")));
    }
}

/// Whatever the order in which a reconnect and replacements for its old holder arrive, the new holder has its own.
pub async fn a_replacement_racing_a_reconnect_is_part_of_no_other_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for _ in 0..20 {
        let key = open_with(&subject, "a").await;
        let replacing = at_once(10, |i| {
            let subject = subject.clone();
            async move { replace(&subject, &key, 0, Some(1), &i.to_string()).await }
        });
        let new = with_handshake(key, 0, Some("new"));
        let (outcomes, (_, _, before)) = futures::join!(replacing, done(&subject, &new));
        let is_done = |outcome: &&InnerReplaced| **outcome == InnerReplaced::Replaced { incarnation: 2 };
        let replaced = outcomes.iter().filter(is_done).count() as u64;
        let before = before.expect("there was one before").incarnation;
        assert_eq!(before, 1 + replaced, "the last one before is the one whose place was taken");
        let now = inner_of(&subject, &key).await;
        assert_eq!(now, Some(inner(before + 1, "new")), "the new holder's is its own, with a higher number");
    }
}
