//! Values kept with a session.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{MANY, Subject, at_once};
use crate::store::{DataPut, DataRemoved, Store};

/// Any name, any bytes; the last value put is the one that is got, until it is removed.
pub async fn values_are_kept_replaced_and_forgotten(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let names = ["", "name", "#", ":", "size", "ü {0} \r\n\0"];
    for name in names {
        assert_eq!(subject.get(&key, name).await, None, "a name that was not put has no value");
        assert_eq!(subject.put(&key, name, name.as_bytes(), 1000).await, DataPut::Stored, "a value that fits is kept");
    }
    for name in names {
        let value = subject.get(&key, name).await;
        assert_eq!(value.as_deref(), Some(name.as_bytes()), "each name has a value of its own");
    }
    let other = b"\0\xff other";
    assert_eq!(subject.put(&key, "name", other, 1000).await, DataPut::Stored, "a value can be replaced");
    assert_eq!(subject.get(&key, "name").await.as_deref(), Some(&other[..]), "the last value put is the one got");
    assert_eq!(subject.remove(&key, "name").await, DataRemoved::Removed, "removing tells that there was a value");
    assert_eq!(subject.remove(&key, "name").await, DataRemoved::Nothing, "removing tells that there was none");
    assert_eq!(subject.get(&key, "name").await, None, "a removed value is gone");
    assert_eq!(subject.get(&key, "size").await.as_deref(), Some(&b"size"[..]), "removing takes one value only");
}

/// Sessions do not see each other's values.
pub async fn values_belong_to_their_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (one, two) = (subject.open().await, subject.open().await);
    subject.put(&one, "name", b"one", 100).await;
    assert_eq!(subject.get(&two, "name").await, None, "a session does not see another's values");
    subject.put(&two, "name", b"two", 100).await;
    subject.end(&two).await;
    assert_eq!(subject.get(&one, "name").await.as_deref(), Some(&b"one"[..]), "nor lose its own with them");
}

/// Values outlast disconnection and return, and can be changed meanwhile.
pub async fn values_stay_while_the_session_lives(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    subject.put(&key, "name", b"value", 100).await;
    subject.disconnect_all().await;
    assert_eq!(subject.get(&key, "name").await.as_deref(), Some(&b"value"[..]), "values outlast disconnection");
    assert_eq!(subject.put(&key, "more", b"1", 100).await, DataPut::Stored, "a disconnected session keeps values too");
    subject.revive(&key).await;
    assert_eq!(subject.get(&key, "more").await.as_deref(), Some(&b"1"[..]), "values outlast the return");
}

/// The limit is on names and values together, after the change.
pub async fn data_stays_within_its_limit(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    assert_eq!(subject.put(&key, "ab", &[0; 9], 10).await, DataPut::TooLarge, "the name counts");
    assert_eq!(subject.get(&key, "ab").await, None, "what is too large is not kept");
    assert_eq!(subject.put(&key, "ab", &[0; 8], 10).await, DataPut::Stored, "what fits exactly is kept");
    assert_eq!(subject.put(&key, "c", b"", 10).await, DataPut::TooLarge, "an empty value takes room for its name");
    assert_eq!(subject.put(&key, "ab", &[1; 9], 10).await, DataPut::TooLarge, "replacing is limited too");
    assert_eq!(subject.get(&key, "ab").await.as_deref(), Some(&[0; 8][..]), "and leaves the old value if refused");
    assert_eq!(subject.put(&key, "ab", &[2; 7], 10).await, DataPut::Stored, "the replaced value does not count");
    assert_eq!(subject.put(&key, "c", b"", 10).await, DataPut::Stored, "a smaller value leaves room");
    assert_eq!(subject.put(&key, "d", b"", 10).await, DataPut::TooLarge, "which is then taken");
    subject.remove(&key, "ab").await;
    assert_eq!(subject.put(&key, "d", &[3; 8], 10).await, DataPut::Stored, "removing leaves room");
    assert_eq!(subject.put(&key, "e", &[3; 88], 98).await, DataPut::TooLarge, "the limit is the caller's");
    assert_eq!(subject.put(&key, "e", &[3; 87], 98).await, DataPut::Stored, "which may be another the next time");
}

/// Concurrent writers cannot pass the limit together, and what fits gets in.
pub async fn concurrent_writers_stay_within_the_limit(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let outcomes = at_once(MANY, |i| {
        let subject = subject.clone();
        async move {
            let name = format!("{i:02}");
            let put = subject.0.data_put(&key, 0, &name, Bytes::from(vec![0; 98]), 1050).await.unwrap();
            (name, put)
        }
    })
    .await;
    let stored = outcomes.iter().filter(|(_, put)| *put == DataPut::Stored).count();
    assert_eq!(stored, 10, "of concurrent writers as many get in as fit, no more and no less");
    for (name, put) in outcomes {
        let kept = subject.get(&key, &name).await.is_some();
        assert_eq!(kept, put == DataPut::Stored, "what was called stored is kept, and nothing else");
    }
}
