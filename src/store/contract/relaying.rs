//! Streams that begin and finish, listeners that follow each other, letters and questions, signs of life.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{HOUR, MANY, ROOMY, Subject, at_once, eventually, replica, stream};
use crate::id::SessionKey;
use crate::store::{
    Appended, Asked, Believed, Fact, Heard, ListenCursor, Listening, LogLimits, Posted, QuestionName, ReplicaId,
    Shaped, Shaping, Store, StreamName, StreamState,
};

pub(super) fn question(name: &str) -> QuestionName {
    QuestionName::parse(name).expect("a name made for a check is fine")
}

pub(super) fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn shaping(name: &str, call: Option<&str>) -> Shaping {
    Shaping { name: name.to_owned(), call: call.map(text), letter: text("letter") }
}

/// A stream is known from its beginning, with what was said about it, and takes nothing after its end.
pub async fn a_stream_is_known_from_its_beginning_to_its_end(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let about: &[u8] = b"\"a:b\\n-1:f\"";
    let begun = subject.0.begin(&key, 0, &stream("a"), about).await.unwrap();
    assert_eq!(begun, Appended::Stored { last: 0 }, "a stream can begin, and takes no position");
    let open = StreamState::Open(Bytes::copy_from_slice(about));
    assert_eq!(subject.read(&key, "a", 0).await.state, open, "a stream that was begun is open");
    assert_eq!(subject.read(&key, "b", 0).await.state, StreamState::Unknown, "one that was not is unknown");
    subject.append(&key, "a", "1", &ROOMY).await;
    subject.0.begin(&key, 0, &stream("a"), b"again").await.unwrap();
    assert_eq!(subject.read(&key, "a", 0).await.state, open, "and stays as it was begun");
    let finished = subject.0.finish(&key, 0, &stream("a"), &[text("2")], &ROOMY).await.unwrap();
    assert_eq!(finished, Appended::Stored { last: 2 }, "the last message is stored");
    let slice = subject.read(&key, "a", 0).await;
    assert_eq!((slice.messages.len(), slice.state), (2, StreamState::Finished), "a finished stream can be read");
    let late = subject.append_all(&key, "a", &[text("late")], &ROOMY).await;
    assert_eq!(late, Appended::Finished, "and takes no more messages");
    assert_eq!(subject.read(&key, "a", 0).await.messages.len(), 2, "not one");
    subject.0.begin(&key, 0, &stream("b"), b"").await.unwrap();
    let empty = subject.0.finish(&key, 0, &stream("b"), &[], &ROOMY).await.unwrap();
    assert_eq!(empty, Appended::Stored { last: 2 }, "a stream can finish without a message");
    assert_eq!(subject.read(&key, "b", 0).await.state, StreamState::Finished, "and is finished then");
    assert_eq!(subject.0.begin(&key, 1, &stream("c"), b"").await.unwrap(), Appended::Superseded);
    subject.end(&key).await;
    assert_eq!(subject.0.begin(&key, 0, &stream("c"), b"").await.unwrap(), Appended::Gone);
    assert_eq!(subject.read(&key, "a", 0).await.state, StreamState::Unknown, "nothing is left of an ended session's");
}

/// Of many that finish a stream at once one is told that it did.
pub async fn of_many_ends_of_a_stream_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    subject.0.begin(&key, 0, &stream("a"), b"7").await.unwrap();
    let outcomes = at_once(MANY, |i| {
        let subject = subject.clone();
        async move { subject.0.finish(&key, 0, &stream("a"), &[text(&i.to_string())], &ROOMY).await.unwrap() }
    })
    .await;
    let won = outcomes.iter().filter(|outcome| matches!(outcome, Appended::Stored { .. })).count();
    assert_eq!((won, subject.read(&key, "a", 0).await.messages.len()), (1, 1), "one end, one last message");
}

/// An open stream stays known however much other streams carry.
pub async fn an_open_stream_is_not_forgotten(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let few = LogLimits { messages: 3, ..ROOMY };
    subject.0.begin(&key, 0, &stream("open"), b"7").await.unwrap();
    for i in 0..200 {
        let name = stream(&format!("s{i}"));
        subject.0.begin(&key, 0, &name, b"").await.unwrap();
        subject.0.finish(&key, 0, &name, &[text("m")], &few).await.unwrap();
    }
    let slice = subject.read(&key, "open", 0).await;
    assert_eq!((slice.state, slice.gap), (StreamState::Open(text("7")), false), "an open stream stays known");
}

pub(super) fn granted(listening: Listening) -> (u64, u64) {
    match listening {
        Listening::Granted { listener, after } => (listener, after),
        other => panic!("listening said {other:?}"),
    }
}

pub(super) async fn heard(subject: &Subject, key: &SessionKey, listener: u64, after: u64) -> Option<Vec<u64>> {
    match subject.0.hear(key, listener, after, 100).await.expect("hear works") {
        Heard::Messages(slice) => Some(slice.messages.iter().map(|(position, _)| *position).collect()),
        Heard::Over => None,
    }
}

/// What one listener has heard the next one does not hear again, and what was said meanwhile is not lost.
pub async fn listeners_follow_each_other(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let say = async || subject.append(&key, StreamName::LISTEN.as_str(), "hint", &ROOMY).await;
    let first = say().await;
    let (one, after) = granted(subject.0.listen(&key, 0, &replica(), None).await.unwrap());
    assert_eq!((one, after), (1, 0), "the first listener begins at the beginning");
    assert_eq!(heard(&subject, &key, one, after).await, Some(vec![first]), "what was said before is there");
    let second = say().await;
    assert_eq!(heard(&subject, &key, one, first).await, Some(vec![second]), "and so is what is said now");
    let (two, after) = granted(subject.0.listen(&key, 0, &replica(), None).await.unwrap());
    assert_eq!((two, after), (2, first), "a new listener goes on after what was heard");
    assert_eq!(heard(&subject, &key, one, second).await, None, "the old one hears nothing any more");
    subject.0.leave(&key, one, second).await.unwrap();
    subject.0.leave(&key, two, second).await.unwrap();
    let third = say().await;
    let (three, after) = granted(subject.0.listen(&key, 0, &replica(), None).await.unwrap());
    assert_eq!(after, second, "who leaves says what was heard; an old listener's word does not count");
    assert_eq!(heard(&subject, &key, three, after).await, Some(vec![third]));
    subject.end(&key).await;
    assert_eq!(heard(&subject, &key, three, after).await, None, "an ended session is over for its listeners");
    assert_eq!(subject.0.listen(&key, 0, &replica(), None).await.unwrap(), Listening::Gone);
}

/// The last listener's cursor resumes; older ones only where no newer listener is there; invented ones never.
pub async fn the_current_listeners_cursor_resumes(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for _ in 0..4 {
        subject.append(&key, StreamName::LISTEN.as_str(), "hint", &ROOMY).await;
    }
    let listen = async |cursor: Option<(u64, u64)>| {
        let cursor = cursor.map(|(listener, position)| ListenCursor { listener, position });
        subject.0.listen(&key, 0, &replica(), cursor).await.unwrap()
    };
    granted(listen(None).await);
    assert_eq!(heard(&subject, &key, 1, 4).await, Some(vec![]), "the first listener heard all there is");
    let resumed = granted(listen(Some((1, 2))).await);
    assert_eq!(resumed, (2, 2), "its client got only two, and goes on from there");
    assert_eq!(listen(Some((1, 2))).await, Listening::Outdated, "a newer listener is there");
    assert_eq!(listen(Some((3, 0))).await, Listening::Unknown, "no such listener was there");
    assert_eq!(listen(Some((2, 5))).await, Listening::Unknown, "nothing stands at that position");
    subject.0.leave(&key, 2, 2).await.unwrap();
    let (listener, after) = granted(listen(None).await);
    assert_eq!((listener, after), (3, 2), "what its client did not get comes again");
    subject.0.leave(&key, 3, 2).await.unwrap();
    assert_eq!(granted(listen(Some((1, 3))).await), (4, 3), "nobody is ousted, so the old one may");
    assert_eq!(subject.0.listen(&key, 1, &replica(), None).await.unwrap(), Listening::Superseded);
}

/// A question is answered once: by the one who settles it, or by one letter.
pub async fn a_question_is_answered_once(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for name in ["a", "a", "b"] {
        assert_eq!(subject.0.ask(&key, 0, &question(name), 2).await.unwrap(), Asked::Open);
    }
    let spare = LogLimits { messages: 1000, ..ROOMY };
    let outcomes = at_once(MANY, |i| {
        let subject = subject.clone();
        async move {
            if i % 2 == 0 {
                subject.settle(&key, &question("a")).await
            } else {
                let letter = text("answer");
                subject.0.post(&key, 0, &letter, Some(&question("a")), &spare).await.unwrap() == Posted::Posted
            }
        }
    })
    .await;
    assert_eq!(outcomes.into_iter().filter(|won| *won).count(), 1, "a question is answered once");
    let never = subject.0.post(&key, 0, &text("answer"), Some(&question("c")), &spare).await.unwrap();
    assert_eq!(never, Posted::NotAsked, "and only if it was asked");
    assert!(subject.0.letters(&key, 0, 100).await.unwrap().letters.len() <= 1, "what is refused leaves no letter");
    assert!(subject.settle(&key, &question("b")).await, "other questions stay open");
    assert_eq!(subject.0.ask(&key, 1, &question("d"), 2).await.unwrap(), Asked::Superseded);
    subject.end(&key).await;
    assert_eq!(subject.0.ask(&key, 0, &question("d"), 2).await.unwrap(), Asked::Gone);
    assert!(!subject.settle(&key, &question("b")).await, "an ended session asks nothing");
}

/// Nobody can make a session owe answers without end.
pub async fn open_questions_are_bounded(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let mut refused = 0;
    for i in 0..40 {
        let asked = subject.0.ask(&key, 0, &question(&i.to_string()), 20).await.unwrap();
        refused += usize::from(asked == Asked::TooMany);
    }
    assert!((10..=20).contains(&refused), "of 40 questions about 20 are refused: {refused}");
}

/// Letters come in order, once read from a position on; those that made room are a gap.
pub async fn letters_are_read_in_order(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (key, other) = (subject.open().await, subject.open().await);
    let four = LogLimits { messages: 4, bytes: 1 << 20, ttl: HOUR };
    for i in 1..=6 {
        let letter = text(&i.to_string());
        assert_eq!(subject.0.post(&key, 0, &letter, None, &four).await.unwrap(), Posted::Posted);
    }
    let letters = subject.0.letters(&key, 2, 100).await.unwrap();
    let expected: Vec<(u64, Bytes)> = (3..=6).map(|i| (i, text(&i.to_string()))).collect();
    assert_eq!((letters.letters, letters.gap), (expected, false), "letters after a position, in order");
    assert!(!letters.listened, "nobody has listened");
    subject.0.listen(&key, 0, &replica(), None).await.unwrap();
    assert!(
        subject.0.letters(&key, 6, 100).await.unwrap().listened,
        "who reads letters learns that the client listens"
    );
    assert!(!subject.0.letters(&other, 0, 100).await.unwrap().listened, "another session's does not");
    let older = subject.0.letters(&key, 1, 2).await.unwrap();
    assert_eq!((older.letters.len(), older.gap), (2, true), "what made room is a gap; no more than asked for");
    assert_eq!(subject.0.letters(&key, 6, 100).await.unwrap().letters, [], "nothing is after the last");
    assert_eq!(subject.0.letters(&other, 0, 100).await.unwrap().letters, [], "sessions are apart");
    let big = LogLimits { messages: 100, bytes: 8, ttl: HOUR };
    subject.0.post(&key, 0, &text("1234567890"), None, &big).await.unwrap();
    assert_eq!(subject.0.letters(&key, 6, 100).await.unwrap().letters.len(), 1, "a large letter is kept, alone");
    assert!(subject.0.letters(&key, 5, 100).await.unwrap().gap, "bytes are limited too");
    assert_eq!(subject.0.post(&key, 9, &text("x"), None, &four).await.unwrap(), Posted::Superseded);
    subject.end(&key).await;
    assert_eq!(subject.0.post(&key, 0, &text("x"), None, &four).await.unwrap(), Posted::Gone);
    assert_eq!(subject.0.letters(&key, 0, 100).await.unwrap().letters, [], "an ended session has no inbox");
}

/// The blueprint has the shaping calls that hold, and says which letters are in it already.
pub async fn a_blueprint_knows_how_a_session_was_shaped(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let shape = async |name: &str, call: Option<&str>| {
        subject.0.shape(&key, 0, &shaping(name, call), 20, &ROOMY).await.expect("shape works")
    };
    let blueprint = async || subject.0.blueprint(&key).await.unwrap().expect("the session lives");
    assert!(!blueprint().await.listened && blueprint().await.inbox == 0, "a new session is not shaped");
    assert_eq!(shape("level", Some("debug")).await, Shaped::Shaped);
    assert_eq!(shape("level", Some("error")).await, Shaped::Shaped);
    assert_eq!(shape("uri", Some("x")).await, Shaped::Shaped);
    assert_eq!(shape("far", Some("too large by much")).await, Shaped::TooLarge);
    let mut shaped = blueprint().await;
    shaped.shapings.sort();
    assert_eq!(shaped.shapings, [("level".into(), text("error")), ("uri".into(), text("x"))]);
    assert_eq!(shaped.inbox, 3, "a change that is kept is told, one that is refused is not");
    assert_eq!(shape("uri", None).await, Shaped::Shaped);
    assert_eq!(shape("uri", None).await, Shaped::Shaped);
    assert_eq!(shape("room", Some("1234567")).await, Shaped::TooLarge, "20 bytes, names included");
    assert_eq!(shape("room", Some("123456")).await, Shaped::Shaped, "what is forgotten makes room");
    assert_eq!(blueprint().await.shapings.len(), 2);
    subject.0.listen(&key, 0, &replica(), None).await.unwrap();
    assert!(blueprint().await.listened, "the blueprint says that the client listens");
    assert_eq!(subject.0.shape(&key, 1, &shaping("x", None), 20, &ROOMY).await.unwrap(), Shaped::Superseded);
    subject.end(&key).await;
    assert_eq!(shape("x", None).await, Shaped::Gone);
    assert_eq!(subject.0.blueprint(&key).await.unwrap(), None);
}

/// A replica is present while its word is good, and no longer.
pub async fn a_replicas_word_is_good_for_a_while(store: Arc<dyn Store>) {
    let [a, b] = ["AAAAAAA-", "BBBBBBB_"].map(|id| ReplicaId::parse(id).expect("eight characters"));
    let present = async |replica: &ReplicaId| store.is_present(replica).await.expect("is_present works");
    assert!(!present(&a).await, "nobody is present by itself");
    store.announce(&a, HOUR).await.unwrap();
    store.announce(&b, Duration::from_millis(100)).await.unwrap();
    assert!(present(&a).await, "who says so is present");
    eventually("a word runs out", async || (!present(&b).await).then_some(())).await;
    assert!(present(&a).await, "another's does not");
    store.withdraw(&a).await.unwrap();
    assert!(!present(&a).await, "who leaves is gone at once");
}

/// Who says a fact is told what was said before; of those who differ the first is believed, or the last.
pub async fn what_is_said_of_a_deployment_is_told_to_the_next(store: Arc<dyn Store>) {
    let fact = |name: &str, value: &str, believed| Fact { name: name.into(), value: value.into(), believed };
    let declare = async |facts: &[Fact]| store.declare(facts, HOUR).await.expect("declare works");
    let first = |value| fact("a name", value, Believed::First);
    let last = |value| fact("another", value, Believed::Last);
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(declare(&[]).await, []);
    assert_eq!(declare(&[first("1"), last("")]).await, [None, None], "nothing was said before");
    assert_eq!(declare(&[last("2"), first("2")]).await, [said(""), said("1")], "in the order of the facts");
    assert_eq!(declare(&[first("3"), last("ü = 3")]).await, [said("1"), said("2")], "first and last are believed");
    assert_eq!(declare(&[last("4")]).await, [said("ü = 3")]);
    let declared = at_once(MANY, |i| {
        let (store, fact) = (Arc::clone(&store), fact("a race", &i.to_string(), Believed::First));
        async move { store.declare(&[fact], HOUR).await.expect("declare works").remove(0) }
    })
    .await;
    let winner = declared.iter().position(Option::is_none).expect("one was first");
    let others = declared.iter().enumerate().filter(|(i, _)| *i != winner);
    assert!(others.into_iter().all(|(_, told)| *told == Some(winner.to_string())), "all others are told of it");
}
