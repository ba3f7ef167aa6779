//! Messages are appended once, in order, and read as they were.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{HOUR, MANY, ROOMY, Subject, at_once, eventually, stream};
use crate::store::{Appended, LogSlice, Store};

/// Any bytes, in order, to the stream they were appended to and no other.
pub async fn a_stream_is_read_as_it_was_written(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (key, other) = (subject.open().await, subject.open().await);
    let messages = [&b"one"[..], b"", b"\0\xff\r\n", &[b'x'; 70_000]].map(Bytes::copy_from_slice);
    let Appended::Stored { last } = subject.append_all(&key, "a", &messages, &ROOMY).await else {
        panic!("a live session takes messages")
    };
    assert_eq!(subject.append(&key, "ab", "another", &ROOMY).await, last + 1, "the next position is the next");
    let slice = subject.read(&key, "a", 0).await;
    let read: Vec<Bytes> = slice.messages.iter().map(|(_, message)| message.clone()).collect();
    assert_eq!(read, messages, "messages are read as they were appended, in order");
    assert_eq!(slice.messages.last().map(|(position, _)| *position), Some(last), "append tells the last position");
    assert!(!slice.gap, "a stream that lost nothing has no gap");
    assert_eq!(subject.texts(&key, "ab").await, (vec!["another".into()], false), "streams are apart");
    assert_eq!(
        subject.read(&key, "b", 0).await,
        LogSlice::default(),
        "a stream without messages is empty, without a gap"
    );
    assert_eq!(subject.read(&other, "a", 0).await, LogSlice::default(), "sessions are apart");
    subject.disconnect_all().await;
    subject.revive(&key).await;
    assert_eq!(subject.read(&key, "a", 0).await, slice, "streams outlast disconnection and return");
}

/// Reading in parts gives the same as reading at once.
pub async fn a_read_begins_after_its_position_and_ends_at_its_maximum(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for i in 0..200 {
        subject.append(&key, if i % 3 == 0 { "b" } else { "a" }, &i.to_string(), &ROOMY).await;
    }
    let whole = subject.read(&key, "a", 0).await.messages;
    assert_eq!(whole.len(), 133, "all messages of the stream are read");
    let (mut parts, mut after) = (Vec::new(), 0);
    loop {
        let part = subject.0.read(&key, &stream("a"), after, 7).await.unwrap();
        assert!(part.messages.len() <= 7, "a read ends at its maximum");
        assert!(!part.gap, "a cursor that lost nothing has no gap");
        let Some((last, _)) = part.messages.last() else { break };
        after = *last;
        parts.extend(part.messages);
    }
    assert_eq!(parts, whole, "reading on from the last position gives every message once");
    let between = whole[4].0 - 1;
    assert_eq!(subject.read(&key, "a", between).await.messages, whole[4..], "a position need not be the stream's own");
    assert_eq!(subject.read(&key, "a", u64::MAX).await, LogSlice::default(), "nothing is after the end");
}

/// Positions are the session's, so they tell the order of all its streams.
pub async fn positions_rise_over_the_whole_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let mut last = 0;
    for i in 0..30 {
        let position = subject.append(&key, ["a", "b", "c"][i % 3], "message", &ROOMY).await;
        assert!(position > last, "positions rise over the whole session: {position} after {last}");
        last = position;
    }
}

/// Concurrent appends, of several messages each, neither mix nor share positions.
pub async fn concurrent_appends_get_positions_of_their_own(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let appended = at_once(MANY, |i| {
        let subject = subject.clone();
        async move {
            let messages: Vec<Bytes> = (0..3).map(|part| Bytes::from(format!("{i}.{part}"))).collect();
            subject.append_all(&key, "a", &messages, &ROOMY).await
        }
    })
    .await;
    let slice = subject.read(&key, "a", 0).await;
    assert_eq!(slice.messages.len(), 3 * MANY, "every message is kept once");
    assert!(slice.messages.is_sorted_by(|a, b| a.0 < b.0), "positions rise strictly");
    for (i, outcome) in appended.into_iter().enumerate() {
        let Appended::Stored { last } = outcome else { panic!("a live session takes messages") };
        let at = slice.messages.iter().position(|(position, _)| *position == last).expect("the told position exists");
        let own = [0, 1, 2].map(|part| format!("{i}.{part}"));
        let kept = at >= 2 && slice.messages[at - 2..=at].iter().map(|(_, message)| message).eq(&own);
        assert!(kept, "the messages of one append stand together, the last at the told position");
    }
}

/// Whoever reads on from the last message it saw gets everything, once, while others write.
pub async fn a_reader_that_follows_misses_nothing(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let subject = subject.clone();
            tokio::spawn(async move {
                for i in 0..50 {
                    subject.append(&key, "a", &format!("{writer}.{i}"), &ROOMY).await;
                    subject.append(&key, "b", "noise", &ROOMY).await;
                }
            })
        })
        .collect();
    let (mut read, mut after) = (Vec::new(), 0);
    eventually("the reader gets all 200 messages", async || {
        let slice = subject.read(&key, "a", after).await;
        assert!(!slice.gap, "nothing was dropped, so there is no gap");
        after = slice.messages.last().map_or(after, |(last, _)| *last);
        read.extend(slice.messages);
        (read.len() >= 200).then_some(())
    })
    .await;
    for writer in writers {
        writer.await.expect("appends work");
    }
    assert_eq!(read, subject.read(&key, "a", 0).await.messages, "a reader that follows misses and doubles nothing");
}

/// The secret was renewed, or will be: what its other holders' streams produce is not stored.
pub async fn another_generation_writes_nothing(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let message = [Bytes::from_static(b"message")];
    for generation in [1, u32::MAX] {
        let appended = subject.0.append(&key, generation, &stream("a"), &message, &ROOMY).await.unwrap();
        assert_eq!(appended, Appended::Superseded, "a generation that is not the session's own is refused");
    }
    assert_eq!(subject.read(&key, "a", 0).await, LogSlice::default(), "and nothing of it is stored");
}

/// An append says that the session is gone, and stores nothing.
pub async fn an_ended_session_takes_no_messages(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    subject.append(&key, "a", "message", &crate::store::LogLimits { ttl: HOUR, ..ROOMY }).await;
    subject.end(&key).await;
    let appended = subject.append_all(&key, "a", &[Bytes::from_static(b"late")], &ROOMY).await;
    assert_eq!(appended, Appended::Gone, "an ended session takes no messages");
    assert_eq!(subject.read(&key, "a", 0).await, LogSlice::default(), "and keeps none");
}
