//! Windows permit what their rate says: no more in any span, and no less.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::fixture::{HOUR, MANY, Subject, at_once, eventually};
use crate::session::{Timestamp, millis};
use crate::store::{Rate, Store, Taken, WindowName};

const SPAN: Duration = Duration::from_millis(150);

fn window(name: &str) -> WindowName {
    WindowName::parse(name).expect("a name made for a check is fine")
}

fn after(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0 + millis(span))
}

const fn most(most: u32, per: Duration) -> Rate {
    Rate { most, per }
}

impl Subject {
    async fn take(&self, name: &str, rate: Rate) -> Taken {
        self.0.take(&window(name), &rate).await.expect("take works")
    }

    /// When a permit was given that was there to be had.
    async fn permit(&self, name: &str, rate: Rate) -> Timestamp {
        let taken = self.take(name, rate).await;
        assert_eq!(taken.retry_after, None, "a permit is given while there is one");
        taken.now
    }

    /// When there will be a permit, by the store's clock.
    async fn next_permit(&self, name: &str, rate: Rate) -> Timestamp {
        let taken = self.take(name, rate).await;
        after(taken.now, taken.retry_after.expect("no permit is given when all are taken"))
    }
}

/// As many permits as the rate has, and then the word when to come again.
pub async fn permits_are_given_up_to_the_rate(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let three = most(3, HOUR);
    let before = subject.now().await;
    let mut given = Vec::new();
    for _ in 0..3 {
        given.push(subject.permit("w", three).await);
    }
    assert!(before <= given[0] && given[2] <= subject.now().await, "permits are dated by the store's clock");
    let again = after(given[0], HOUR);
    for _ in 0..3 {
        assert_eq!(subject.next_permit("w", three).await, again, "there is a permit when the first one's span is over");
    }
    given.push(subject.permit("w", most(4, HOUR)).await);
    let again = after(given[2], HOUR);
    assert_eq!(subject.next_permit("w", most(2, HOUR)).await, again, "the rate is the caller's");
}

/// What is refused takes no permit, however often it is asked for.
pub async fn refused_attempts_do_not_count(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let two = most(2, SPAN);
    let (mut first, mut second) = (subject.permit("w", two).await, subject.permit("w", two).await);
    for _ in 0..4 {
        let again = after(first, SPAN);
        let third = eventually("a permit comes back", async || {
            let Taken { now, retry_after } = subject.take("w", two).await;
            assert!(
                retry_after.is_none_or(|wait| !wait.is_zero() && after(now, wait) == again),
                "being refused does not put off the next permit from {again:?}: at {now:?} it is {retry_after:?} off"
            );
            retry_after.is_none().then_some(now)
        })
        .await;
        assert!(third >= again, "a permit comes back when its span is over, {again:?}, not at {third:?}");
        (first, second) = (second, third);
    }
}

/// Windows count for themselves, whatever becomes of others.
pub async fn windows_are_apart(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let one = most(1, HOUR);
    let long = "x".repeat(64);
    let names = ["w", "W", "w:1", "w:{1}", "#", &long];
    for name in names {
        subject.permit(name, one).await;
    }
    for i in 0..1500 {
        subject.permit(&format!("other:{i}"), most(1, Duration::from_millis(1))).await;
    }
    for name in names {
        let taken = subject.take(name, one).await;
        assert!(taken.retry_after.is_some(), "others' windows end without it, as does this one's, {name}, in its time");
    }
}

/// Concurrent callers get as many permits as there are, together.
pub async fn of_many_takers_as_many_get_a_permit_as_there_are(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let taken = at_once(MANY, |_| {
        let subject = subject.clone();
        async move { subject.take("w", most(10, HOUR)).await.retry_after }
    })
    .await;
    let given = taken.iter().filter(|refused| refused.is_none()).count();
    assert_eq!(given, 10, "of concurrent takers as many get a permit as there are, no more and no less");
    let sensible = |wait: &Duration| !wait.is_zero() && *wait <= HOUR;
    assert!(taken.iter().flatten().all(sensible), "the others learn when to come again: {taken:?}");
}

/// Whichever span one looks at, there are no more permits in it; and takers who keep on get theirs.
pub async fn no_span_has_more_permits_than_the_rate(store: Arc<dyn Store>) {
    const MOST: usize = 5;
    let subject = Subject(store);
    let rate = most(MOST as u32, SPAN);
    let mut given: Vec<Timestamp> = at_once(4, |_| {
        let subject = subject.clone();
        async move {
            let mut given = Vec::new();
            while given.len() < MOST {
                let Taken { now, retry_after } = subject.take("w", rate).await;
                match retry_after {
                    None => given.push(now),
                    Some(Duration::ZERO) => panic!("a permit that is there is given"),
                    Some(wait) => sleep(wait / 2).await,
                }
            }
            given
        }
    })
    .await
    .concat();
    given.sort_unstable();
    for (first, later) in given.iter().zip(&given[MOST..]) {
        assert!(later.since(*first) >= SPAN, "{first:?} and {later:?} are in a span with more permits than {MOST}");
    }
}
