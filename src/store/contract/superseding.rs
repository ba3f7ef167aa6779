//! What a session's holder before has no part in any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{ROOMY, Subject, change, replica, stream, touch};
use super::relaying::{granted, heard, question, shaping, text};
use crate::id::NonceDigest;
use crate::store::{
    Appended, Asked, ListenCursor, Listening, LogLimits, LogSlice, Posted, Reconnected, Reconnection, Shaped, Store,
    StreamName, StreamState, Touch, TouchOutcome,
};

const LISTEN: &str = "listen";

/// Whatever the old holder's replica writes is refused, and changes nothing; the new holder's is taken.
pub async fn an_old_holder_writes_nothing(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let new = subject.hand_over(&key).await;
    let (store, a) = (&subject.0, stream("a"));
    let message = [text("message")];
    for old in [0, new + 1] {
        assert_eq!(store.begin(&key, old, &a, b"1").await.unwrap(), Appended::Superseded);
        assert_eq!(store.append(&key, old, &a, &message, &ROOMY).await.unwrap(), Appended::Superseded);
        assert_eq!(store.finish(&key, old, &a, &message, &ROOMY).await.unwrap(), Appended::Superseded);
        assert_eq!(store.listen(&key, old, &replica(), None).await.unwrap(), Listening::Superseded);
        assert_eq!(store.ask(&key, old, &question("q"), 9).await.unwrap(), Asked::Superseded);
        assert_eq!(store.post(&key, old, &text("letter"), None, &ROOMY).await.unwrap(), Posted::Superseded);
        let shaped = store.shape(&key, old, &shaping("level", Some("debug")), 99, &ROOMY).await.unwrap();
        assert_eq!(shaped, Shaped::Superseded);
    }
    assert_eq!(subject.read(&key, "a", 0).await, LogSlice::default(), "what is refused is not stored");
    let blueprint = store.blueprint(&key).await.unwrap().expect("the session lives");
    assert_eq!((blueprint.shapings, blueprint.inbox, blueprint.listened), (vec![], 0, false), "and shapes nothing");
    assert_eq!(store.begin(&key, new, &a, b"1").await.unwrap(), Appended::Stored { last: 0 });
    assert_eq!(store.append(&key, new, &a, &message, &ROOMY).await.unwrap(), Appended::Stored { last: 1 });
    assert_eq!(store.ask(&key, new, &question("q"), 9).await.unwrap(), Asked::Open);
    assert_eq!(store.post(&key, new, &text("letter"), Some(&question("q")), &ROOMY).await.unwrap(), Posted::Posted);
    assert_eq!(
        granted(store.listen(&key, new, &replica(), None).await.unwrap()),
        (1, 0),
        "the first listener is still the first"
    );
}

/// Activity of an old holder is no activity of the session's.
pub async fn an_old_holders_touch_keeps_nothing_alive(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let new = subject.hand_over(&key).await;
    let touched_as = async |generation: u32| {
        let touch = Touch { generation, ..touch(key, Duration::ZERO) };
        subject.0.touch(&[touch]).await.expect("touch works").outcomes
    };
    let seen = subject.now().await;
    subject.pass(Duration::from_millis(100)).await;
    assert_eq!(touched_as(0).await, [TouchOutcome::Superseded], "an old holder is told that it is one");
    let Reconnected::Done { now, gap, .. } = subject.reconnect(&change(key, new)).await else {
        panic!("the session lives")
    };
    assert!(now.before(gap) <= seen, "an old holder's touch does not count as activity");
    assert_eq!(touched_as(new).await, [TouchOutcome::Superseded], "each holder is the old one some day");
    assert_eq!(touched_as(new + 1).await, [TouchOutcome::Active], "the new one's touch is the session's");
    subject.disconnect_all().await;
    assert_eq!(touched_as(new).await, [TouchOutcome::Superseded], "whatever the session's status");
    subject.end(&key).await;
    assert_eq!(touched_as(new).await, [TouchOutcome::Gone], "until it is gone for everybody");
}

/// The listening stream is the session's: the new holder hears what the old one had not.
pub async fn a_new_holder_goes_on_listening_where_the_old_one_was(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for hint in ["1", "2", "3", "4"] {
        subject.append(&key, LISTEN, hint, &ROOMY).await;
        subject.append(&key, "call", hint, &ROOMY).await;
    }
    let all = [1, 3, 5, 7];
    granted(subject.0.listen(&key, 0, &replica(), None).await.unwrap());
    assert_eq!(heard(&subject, &key, 1, 3).await.as_deref(), Some(&all[2..]), "the old holder heard two");
    let new = subject.hand_over(&key).await;
    assert_eq!(heard(&subject, &key, 1, 5).await, None, "then it was over for it");
    subject.0.leave(&key, 1, 5).await.unwrap();
    let (listener, after) = granted(subject.0.listen(&key, new, &replica(), None).await.unwrap());
    assert!(
        listener > 1 && after == 3,
        "the new one goes on after what was heard, {after}, as a later one, {listener}"
    );
    assert_eq!(heard(&subject, &key, listener, after).await.as_deref(), Some(&all[2..]), "nothing is lost, or twice");
    let cursor = Some(ListenCursor { listener: 1, position: 1 });
    let late = subject.0.listen(&key, new, &replica(), cursor).await.unwrap();
    assert_eq!(late, Listening::Outdated, "an old cursor does not oust a new listener");
    let newer = subject.hand_over(&key).await;
    assert_eq!(heard(&subject, &key, listener, 7).await, None, "each holder is the old one some day");
    let resumed = granted(subject.0.listen(&key, newer, &replica(), cursor).await.unwrap());
    assert_eq!(resumed.1, 1, "while nobody listens, a cursor resumes whoever had it");
    assert_eq!(heard(&subject, &key, resumed.0, 1).await.as_deref(), Some(&all[1..]));
}

/// The old holder's calls are over: their streams are as if they had never been, and others can have their names.
pub async fn an_old_holders_calls_are_forgotten(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let few = LogLimits { messages: 6, ..ROOMY };
    let write = async |generation: u32, to: &str, message: &str| {
        let appended = subject.0.append(&key, generation, &stream(to), &[text(message)], &few).await.unwrap();
        assert!(matches!(appended, Appended::Stored { .. }), "the holder's message is stored, not {appended:?}");
    };
    for name in ["begun", "open", "done"] {
        subject.0.begin(&key, 0, &stream(name), b"7").await.unwrap();
    }
    for to in ["open", "trimmed", LISTEN, "open", LISTEN, "open", "open"] {
        write(0, to, "old").await;
    }
    subject.0.finish(&key, 0, &stream("done"), &[], &few).await.unwrap();
    let new = subject.hand_over(&key).await;
    for name in ["begun", "open", "done", "trimmed"] {
        let slice = subject.read(&key, name, 0).await;
        assert_eq!(slice, LogSlice::default(), "nothing is known of an old holder's stream");
        assert!(subject.read(&key, name, 3).await.gap, "who was in the middle of it misses something");
        assert!(!subject.read(&key, name, 7).await.gap, "who was at its end does not");
    }
    let kept = (vec!["old".into(); 2], false);
    assert_eq!(subject.texts(&key, LISTEN).await, kept, "but the listening stream's messages are kept");
    subject.0.begin(&key, new, &stream("done"), b"8").await.unwrap();
    assert_eq!(subject.read(&key, "done", 0).await.state, StreamState::Open(text("8")), "names can be used again");
    for message in ["1", "2", "3"] {
        write(new, "open", message).await;
        let (kept, gap) = subject.texts(&key, LISTEN).await;
        assert_eq!(gap, kept.len() < 2, "as long as there is room, and where they made some there is a gap");
    }
    let of_new = (["1", "2", "3"].map(String::from).to_vec(), false);
    assert_eq!(subject.texts(&key, "open").await, of_new, "by streams that begin anew");
    let first = subject.read(&key, "open", 0).await.messages[0].0;
    assert_eq!(first, 8, "positions go on");
    for name in ["begun", "trimmed"] {
        assert_eq!(subject.read(&key, name, 0).await, LogSlice::default(), "nothing comes back of the others");
    }
    for _ in 0..6 {
        write(new, "more", "m").await;
    }
    let lost = (vec![], true);
    assert_eq!(subject.texts(&key, "open").await, lost, "the new holder's messages make room, and leave a gap");
    assert_eq!(subject.texts(&key, LISTEN).await, lost, "so do those that were kept");
    assert_eq!(subject.read(&key, "trimmed", 0).await, LogSlice::default(), "the old one's were gone before");
}

/// What the old holder was asked, nobody answers, and nobody waits for.
pub async fn an_old_holders_questions_are_forgotten(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (key, other) = (subject.open().await, subject.open().await);
    let ask = async |key, generation, name: &str| {
        subject.0.ask(key, generation, &question(name), 2).await.expect("ask works")
    };
    for name in ["one", "two"] {
        assert_eq!((ask(&key, 0, name).await, ask(&other, 0, name).await), (Asked::Open, Asked::Open));
    }
    let new = subject.hand_over(&key).await;
    assert!(!subject.settle(&key, &question("one")).await, "a forgotten question is not open");
    let answered = subject.0.post(&key, new, &text("answer"), Some(&question("two")), &ROOMY).await.unwrap();
    assert_eq!(answered, Posted::NotAsked, "and takes no answer");
    assert!(subject.settle(&other, &question("one")).await, "another session's are");
    for name in ["two", "three"] {
        assert_eq!(ask(&key, new, name).await, Asked::Open, "there is room for new ones");
    }
    assert!(subject.settle(&key, &question("two")).await, "which may have an old name");
}

/// A new handshake makes a client that has not shaped anything yet; without one it is the client that did.
pub async fn shapings_are_forgotten_with_their_handshake(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let shape = async |generation: u32, name: &str, call: &str| {
        subject.0.shape(&key, generation, &shaping(name, Some(call)), 20, &ROOMY).await.expect("shape works")
    };
    let blueprint = async || subject.0.blueprint(&key).await.unwrap().expect("the session lives");
    assert_eq!(shape(0, "level", "debug").await, Shaped::Shaped);
    subject.0.listen(&key, 0, &replica(), None).await.unwrap();
    let new = subject.hand_over(&key).await;
    let kept = blueprint().await;
    assert_eq!(kept.shapings, [("level".into(), text("debug"))], "the same client's shaping calls hold");
    assert!(kept.listened && kept.inbox == 1, "and that it listened");
    assert_eq!(shape(new, "uri", "12345678").await, Shaped::TooLarge, "what holds takes room");
    let handshake = Some(Bytes::from_static(b"another"));
    subject.reconnect(&Reconnection { handshake, ..change(key, new) }).await;
    let fresh = blueprint().await;
    assert_eq!((fresh.shapings, fresh.inbox), (vec![], 1), "another client's do not; the inbox goes on");
    assert_eq!(shape(new + 1, "uri", "12345678901234567").await, Shaped::Shaped, "they leave all the room there is");
    assert_eq!(blueprint().await.inbox, 2);
}

/// The winner's retry supersedes what its first try, whose answer it never got, may have left.
pub async fn a_retry_supersedes_the_first_try(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let nonce = NonceDigest::of(b"mine");
    let first = Reconnection { nonce, ..change(key, 0) };
    assert!(matches!(subject.reconnect(&first).await, Reconnected::Done { generation: 1, .. }));
    let (listener, after) = granted(subject.0.listen(&key, 1, &replica(), None).await.unwrap());
    subject.0.ask(&key, 1, &question("q"), 9).await.unwrap();
    subject.0.append(&key, 1, &stream("a"), &[text("message")], &ROOMY).await.unwrap();
    let retry = Reconnection { nonce, ..change(key, 0) };
    assert!(matches!(subject.reconnect(&retry).await, Reconnected::Done { generation: 1, again: true, .. }));
    assert_eq!(heard(&subject, &key, listener, after).await, None, "the listener before is over");
    assert!(!subject.settle(&key, &question("q")).await, "its questions are forgotten");
    assert_eq!(subject.read(&key, "a", 0).await, LogSlice::default(), "and so are its calls");
    let later = granted(subject.0.listen(&key, 1, &replica(), None).await.unwrap()).0;
    assert!(later > listener, "the session listens again as {later}, after {listener}");
    let streams = subject.0.begin(&key, 1, &StreamName::parse("b").unwrap(), b"1").await.unwrap();
    assert_eq!(streams, Appended::Stored { last: 1 }, "the generation is its own");
}

/// A try that comes after its client has been answered, with the same secret, leaves alone what the client has begun.
pub async fn a_late_try_takes_nothing_away(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let nonce = NonceDigest::of(b"mine");
    for handshake in [None, Some(text("new"))] {
        let generation = subject.find(&key).await.unwrap().generation;
        let given = Reconnection { nonce, handshake, ..change(key, generation) };
        let holder = generation + 1;
        assert!(matches!(subject.reconnect(&given).await, Reconnected::Done { again: false, .. }));
        let (listener, after) = granted(subject.0.listen(&key, holder, &replica(), None).await.unwrap());
        subject.0.ask(&key, holder, &question("q"), 9).await.unwrap();
        subject.0.append(&key, holder, &stream("a"), &[text("message")], &ROOMY).await.unwrap();
        assert!(matches!(subject.reconnect(&given).await, Reconnected::Done { again: true, .. }));
        assert!(heard(&subject, &key, listener, after).await.is_some(), "the listener is there still");
        assert_ne!(subject.read(&key, "a", 0).await, LogSlice::default(), "and so is the call");
        assert!(subject.settle(&key, &question("q")).await, "and the question is open");
    }
}
