//! News of changes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::timeout;

use super::fixture::{ROOMY, Subject, anonymous, long, replica, stream};
use crate::session::EndReason;
use crate::store::{BusMessage, BusSignal, EndedBy, Lifetimes, Store};

type Listener = BoxStream<'static, BusSignal>;

async fn next(listener: &mut Listener) -> BusSignal {
    let signal = timeout(Duration::from_secs(20), listener.next()).await.expect("the bus tells something");
    signal.expect("the bus does not end while its store lives")
}

/// Waits for a message; others may come before it, and it may come twice.
async fn hears(listener: &mut Listener, expected: BusMessage) {
    loop {
        match next(listener).await {
            BusSignal::Message(message) if message == expected => return,
            BusSignal::Message(_) => {}
            lost => panic!("heard {lost:?} while waiting for {expected:?}"),
        }
    }
}

/// Every operation that changes what others may have cached tells of it, once it has happened.
pub async fn the_bus_tells_of_each_change(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let mut listener = subject.0.subscribe().await.expect("subscribe works");
    let key = subject.open().await;
    hears(&mut listener, BusMessage::Opened(key)).await;
    subject.append(&key, "a/1", "message", &ROOMY).await;
    hears(&mut listener, BusMessage::Appended(key, stream("a/1"))).await;
    subject.0.finish(&key, 0, &stream("a/1"), &[], &ROOMY).await.expect("finish works");
    hears(&mut listener, BusMessage::Appended(key, stream("a/1"))).await;
    subject.0.listen(&key, 0, &replica(), None).await.expect("listen works");
    hears(&mut listener, BusMessage::Listening(key, replica())).await;
    subject.0.post(&key, 0, &Bytes::from_static(b"letter"), None, &ROOMY).await.expect("post works");
    hears(&mut listener, BusMessage::Mail(key)).await;
    subject.disconnect_all().await;
    hears(&mut listener, BusMessage::Disconnected(key)).await;
    subject.revive(&key).await;
    hears(&mut listener, BusMessage::Revived(key)).await;
    for generation in 1..=2 {
        subject.hand_over(&key).await;
        hears(&mut listener, BusMessage::Reconnected(key, generation)).await;
    }
    let session = anonymous();
    subject.open_this(&session).await;
    subject.adopt(&session.key, 0, "alice").await;
    hears(&mut listener, BusMessage::Adopted(session.key, 1)).await;
    for reason in EndReason::ALL {
        let key = subject.open().await;
        subject.0.end(&key, EndedBy::Operator, reason).await.unwrap();
        hears(&mut listener, BusMessage::Ended(key, reason)).await;
    }
    let old = Lifetimes { max_lifetime: Some(Duration::ZERO), ..long() };
    subject.sweep(&old).await;
    hears(&mut listener, BusMessage::Ended(key, EndReason::MaxLifetime)).await;
    let key = subject.open().await;
    subject.sweep(&Lifetimes { handshake_timeout: Duration::ZERO, ..long() }).await;
    hears(&mut listener, BusMessage::Ended(key, EndReason::Abandoned)).await;
    let key = subject.open().await;
    subject.disconnect_all().await;
    subject.sweep(&Lifetimes { expires_after: Duration::ZERO, ..long() }).await;
    hears(&mut listener, BusMessage::Disconnected(key)).await;
    hears(&mut listener, BusMessage::Ended(key, EndReason::Expired)).await;
}

/// Listeners do not take messages from each other.
pub async fn the_bus_tells_every_listener(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let mut first = subject.0.subscribe().await.expect("subscribe works");
    let key = subject.open().await;
    let mut second = subject.0.subscribe().await.expect("a second subscribe works");
    subject.hand_over(&key).await;
    subject.end(&key).await;
    for listener in [&mut first, &mut second] {
        hears(listener, BusMessage::Reconnected(key, 1)).await;
        hears(listener, BusMessage::Ended(key, EndReason::ClosedByClient)).await;
    }
}

/// A listener that does not listen costs the others nothing, and learns that it lost something.
pub async fn a_listener_that_falls_behind_is_told_so(store: Arc<dyn Store>) {
    const NEWS: usize = 6000;
    let subject = Subject(store);
    let mut sluggish = subject.0.subscribe().await.expect("subscribe works");
    let key = subject.open().await;
    let writers: Vec<_> = (0..20)
        .map(|_| {
            let subject = subject.clone();
            tokio::spawn(async move {
                for _ in 0..NEWS / 20 {
                    subject.append(&key, "a", "", &ROOMY).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a listener that does not listen hinders nobody");
    }
    subject.end(&key).await;
    let mut heard = 0;
    loop {
        match next(&mut sluggish).await {
            BusSignal::Lost => {
                assert_eq!(next(&mut sluggish).await, BusSignal::Restored, "a loss is over once it was told");
                return;
            }
            BusSignal::Restored => panic!("heard Restored without Lost"),
            BusSignal::Message(BusMessage::Appended(..)) => heard += 1,
            BusSignal::Message(BusMessage::Ended(..)) => break,
            BusSignal::Message(_) => {}
        }
    }
    assert!(heard >= NEWS, "a listener that was told of no loss heard everything: {heard} of {NEWS}");
}
