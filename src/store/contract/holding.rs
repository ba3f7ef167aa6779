//! What a holder does is judged first and reaches the store later: whatever became of the session in between, it is done to the
//! holder's own session or to none.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{ROOMY, Subject, anonymous, change, replica, stream, touch};
use super::inner_session::inner;
use super::relaying::{question, shaping, text};
use crate::event::SessionView;
use crate::id::SessionKey;
use crate::session::{EndReason, NewSession};
use crate::store::{
    Appended, Asked, Blueprint, Census, DataPut, DataRemoved, Ended, EndedBy, InnerReplaced, Listening, LogSlice,
    Posted, Reconnected, Revival, Shaped, Store, Touch, TouchOutcome,
};

/// All that is done in a holder's name.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Begin,
    Append,
    Finish,
    Listen,
    Ask,
    Settle,
    Answer,
    Post,
    Shape,
    Confirm,
    Revive,
    Reconnect,
    ReplaceInner,
    PutData,
    RemoveData,
    End,
}

impl Deed {
    const ALL: [Self; 16] = [
        Self::Begin,
        Self::Append,
        Self::Finish,
        Self::Listen,
        Self::Ask,
        Self::Settle,
        Self::Answer,
        Self::Post,
        Self::Shape,
        Self::Confirm,
        Self::Revive,
        Self::Reconnect,
        Self::ReplaceInner,
        Self::PutData,
        Self::RemoveData,
        Self::End,
    ];
}

/// What may become of a session between the judgement and the deed.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Disconnected,
    Revived,
    HandedOver,
    HandedOverAndDisconnected,
    HandedOverTwice,
    Adopted,
    Ended,
    HandedOverAndEnded,
}

impl Between {
    const ALL: [Self; 9] = [
        Self::Nothing,
        Self::Disconnected,
        Self::Revived,
        Self::HandedOver,
        Self::HandedOverAndDisconnected,
        Self::HandedOverTwice,
        Self::Adopted,
        Self::Ended,
        Self::HandedOverAndEnded,
    ];

    fn expected(self) -> Outcome {
        match self {
            Self::Nothing | Self::Disconnected | Self::Revived => Outcome::Done,
            Self::HandedOver | Self::HandedOverAndDisconnected | Self::HandedOverTwice | Self::Adopted => {
                Outcome::Superseded
            }
            Self::Ended | Self::HandedOverAndEnded => Outcome::Gone,
        }
    }

    async fn happen(self, subject: &Subject, key: &SessionKey) {
        match self {
            Self::Nothing => {}
            Self::Disconnected => subject.disconnect_all().await,
            Self::Revived => {
                subject.disconnect_all().await;
                subject.revive(key).await;
            }
            Self::HandedOver => drop(subject.hand_over(key).await),
            Self::HandedOverAndDisconnected => {
                subject.hand_over(key).await;
                subject.disconnect_all().await;
            }
            Self::HandedOverTwice => {
                subject.hand_over(key).await;
                subject.hand_over(key).await;
            }
            Self::Adopted => drop(subject.adopt(key, 0, "alice").await),
            Self::Ended => drop(subject.end(key).await),
            Self::HandedOverAndEnded => {
                subject.hand_over(key).await;
                subject.end(key).await;
            }
        }
    }
}

/// What came of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Superseded,
    Gone,
    /// Refused without a reason: nothing is open under that name.
    NotOpen,
}

/// Does it as the first holder.
async fn act(subject: &Subject, deed: Deed, key: &SessionKey) -> Outcome {
    let (store, message) = (&subject.0, [text("late")]);
    let appended = |appended| match appended {
        Appended::Superseded => Outcome::Superseded,
        Appended::Gone => Outcome::Gone,
        Appended::Stored { .. } | Appended::Finished => Outcome::Done,
    };
    let posted = |posted| match posted {
        Posted::Posted => Outcome::Done,
        Posted::NotAsked => Outcome::NotOpen,
        Posted::Superseded => Outcome::Superseded,
        Posted::Gone => Outcome::Gone,
    };
    match deed {
        Deed::Begin => appended(store.begin(key, 0, &stream("late"), b"1").await.expect("begin works")),
        Deed::Append => appended(store.append(key, 0, &stream("s"), &message, &ROOMY).await.expect("append works")),
        Deed::Finish => appended(store.finish(key, 0, &stream("s"), &message, &ROOMY).await.expect("finish works")),
        Deed::Listen => match store.listen(key, 0, &replica(), None).await.expect("listen works") {
            Listening::Superseded => Outcome::Superseded,
            Listening::Gone => Outcome::Gone,
            _ => Outcome::Done,
        },
        Deed::Ask => match store.ask(key, 0, &question("late"), 9).await.expect("ask works") {
            Asked::Open | Asked::TooMany => Outcome::Done,
            Asked::Superseded => Outcome::Superseded,
            Asked::Gone => Outcome::Gone,
        },
        Deed::Settle => match store.settle(key, 0, &question("asked")).await.expect("settle works") {
            true => Outcome::Done,
            false => Outcome::NotOpen,
        },
        Deed::Answer => {
            let answers = question("asked");
            posted(store.post(key, 0, &text("late"), Some(&answers), &ROOMY).await.expect("post works"))
        }
        Deed::Post => posted(store.post(key, 0, &text("late"), None, &ROOMY).await.expect("post works")),
        Deed::Shape => {
            let shaping = shaping("level", Some("late"));
            match store.shape(key, 0, &shaping, 99, &ROOMY).await.expect("shape works") {
                Shaped::Shaped | Shaped::TooLarge => Outcome::Done,
                Shaped::Superseded => Outcome::Superseded,
                Shaped::Gone => Outcome::Gone,
            }
        }
        Deed::Confirm => {
            let batch = [Touch { confirms: true, ..touch(*key, Duration::ZERO) }];
            match store.touch(&batch).await.expect("touch works").outcomes[..] {
                [TouchOutcome::Superseded] => Outcome::Superseded,
                [TouchOutcome::Gone] => Outcome::Gone,
                _ => Outcome::Done,
            }
        }
        Deed::Revive => match store.revive(key, 0, "late").await.expect("revive works") {
            Revival::Revived { .. } | Revival::AlreadyActive => Outcome::Done,
            Revival::Superseded => Outcome::Superseded,
            Revival::Gone => Outcome::Gone,
        },
        Deed::Reconnect => match subject.reconnect(&change(*key, 0)).await {
            Reconnected::Done { .. } => Outcome::Done,
            Reconnected::Superseded => Outcome::Superseded,
            Reconnected::Gone => Outcome::Gone,
        },
        Deed::ReplaceInner => {
            match store.replace_inner(key, 0, Some(1), text("late")).await.expect("replace_inner works") {
                InnerReplaced::Replaced { .. } | InnerReplaced::Lost(_) => Outcome::Done,
                InnerReplaced::Superseded => Outcome::Superseded,
                InnerReplaced::Gone => Outcome::Gone,
            }
        }
        Deed::PutData => match store.data_put(key, 0, "name", text("late"), 99).await.expect("data_put works") {
            DataPut::Stored | DataPut::TooLarge => Outcome::Done,
            DataPut::Superseded => Outcome::Superseded,
            DataPut::Gone => Outcome::Gone,
        },
        Deed::RemoveData => match store.data_remove(key, 0, "name").await.expect("data_remove works") {
            DataRemoved::Removed | DataRemoved::Nothing => Outcome::Done,
            DataRemoved::Superseded => Outcome::Superseded,
            DataRemoved::Gone => Outcome::Gone,
        },
        Deed::End => match store.end(key, EndedBy::Holder(0), EndReason::ClosedByClient).await.expect("end works") {
            Ended::Done { inner } => {
                assert_eq!(inner, Some(text("inner")), "a holder who ends the session takes its inner one");
                assert_eq!(store.take_inner(key).await.expect("take_inner works"), None, "nobody else gets it");
                Outcome::Done
            }
            Ended::Superseded => Outcome::Superseded,
            Ended::Gone => Outcome::Gone,
        },
    }
}

/// All that can be seen of a session.
#[derive(Debug, PartialEq)]
struct Seen {
    view: Option<SessionView>,
    blueprint: Option<Blueprint>,
    streams: [LogSlice; 3],
    letters: Vec<(u64, Bytes)>,
    data: Option<Bytes>,
    census: Census,
}

async fn see(subject: &Subject, key: &SessionKey) -> Seen {
    let store = &subject.0;
    Seen {
        view: store.view(key).await.expect("view works"),
        blueprint: store.blueprint(key).await.expect("blueprint works"),
        streams: [
            subject.read(key, "s", 0).await,
            subject.read(key, "late", 0).await,
            subject.read(key, "listen", 0).await,
        ],
        letters: store.letters(key, 0, 99).await.expect("letters works").letters,
        data: subject.get(key, "name").await,
        census: store.census().await.expect("census works"),
    }
}

/// A session in which everything can be done to something.
async fn opened(subject: &Subject) -> SessionKey {
    let given = NewSession { inner: Some(text("inner")), ..anonymous() };
    let key = given.key;
    subject.open_this(&given).await;
    subject.put(&key, "name", b"value", 99).await;
    subject.0.begin(&key, 0, &stream("s"), b"1").await.expect("begin works");
    subject.append(&key, "s", "message", &ROOMY).await;
    subject.0.ask(&key, 0, &question("asked"), 9).await.expect("ask works");
    key
}

/// Every deed of a holder's against everything that may have happened since it was judged.
pub async fn a_late_deed_is_done_to_the_holders_own_session_or_to_none(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for between in Between::ALL {
        for deed in Deed::ALL {
            let key = opened(&subject).await;
            between.happen(&subject, &key).await;
            if between.expected() == Outcome::Superseded {
                subject.put(&key, "name", b"the new holder's", 99).await;
                let generation = subject.find(&key).await.expect("it lives").generation;
                let asked = subject.0.ask(&key, generation, &question("asked"), 9).await;
                assert_eq!(asked.expect("ask works"), Asked::Open, "the new holder may be asked under the same name");
            }
            let before = see(&subject, &key).await;
            let outcome = act(&subject, deed, &key).await;
            let expected = match (deed, between.expected()) {
                (Deed::Settle, Outcome::Superseded | Outcome::Gone) => Outcome::NotOpen,
                (_, expected) => expected,
            };
            assert_eq!(outcome, expected, "{deed:?} after {between:?}");
            if outcome != Outcome::Done {
                assert_eq!(see(&subject, &key).await, before, "{deed:?} after {between:?} changes nothing");
            }
            if between.expected() == Outcome::Superseded {
                assert!(
                    subject.settle(&key, &question("asked")).await,
                    "{deed:?} leaves the new holder's question open"
                );
                let kept = before.blueprint.and_then(|blueprint| blueprint.inner);
                assert_eq!(kept, Some(inner(1, "inner")), "{deed:?} leaves the inner session");
            }
            subject.end(&key).await;
        }
    }
}
