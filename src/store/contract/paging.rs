//! The sessions one after the other, and each as it is.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Subject, session, touch};
use crate::event::SessionView;
use crate::id::SessionKey;
use crate::session::{SessionStatus, Timestamp};
use crate::store::{Place, Store};

impl Subject {
    /// All pages of a size; none but the last is shorter.
    pub(super) async fn pages(&self, status: Option<SessionStatus>, size: usize) -> Vec<SessionView> {
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let page = self.0.page(status, from.as_ref(), size).await.expect("page works");
            assert!(page.len() <= size, "a page ends at its maximum");
            from = page.last().map(|last| Place { last_seen: last.last_seen, key: last.key });
            let is_last = page.len() < size;
            all.extend(page);
            if is_last {
                return all;
            }
        }
    }

    pub(super) async fn view(&self, key: &SessionKey) -> SessionView {
        self.0.view(key).await.expect("view works").expect("the session lives")
    }
}

/// Page by page, each session is found once, the last seen first.
pub async fn pages_lead_through_all_sessions_once_and_in_order(store: Arc<dyn Store>) {
    let subject = Subject(store);
    assert_eq!(subject.0.page(None, None, 10).await.expect("page works"), [], "without sessions there is no page");
    let disconnected = subject.open_many(23).await;
    subject.disconnect_all().await;
    let active = subject.open_many(31).await;
    let together: Vec<_> = active[..20].iter().map(|key| touch(*key, Duration::ZERO)).collect();
    subject.pass(Duration::from_millis(5)).await;
    subject.0.touch(&together).await.expect("touch works");
    let place = |view: &SessionView| (view.last_seen, view.key);
    for size in [1, 7, 27, 54, 100] {
        for (status, expected) in [
            (Some(SessionStatus::Active), active.clone()),
            (Some(SessionStatus::Disconnected), disconnected.clone()),
            (None, [active.clone(), disconnected.clone()].concat()),
        ] {
            let views = subject.pages(status, size).await;
            let found: HashSet<SessionKey> = views.iter().map(|view| view.key).collect();
            assert_eq!((views.len(), found), (expected.len(), expected.into_iter().collect()), "each is found once");
            assert!(views.is_sorted_by_key(|view| Reverse(place(view))), "the last seen first, then the greatest key");
        }
    }
    for view in subject.pages(None, 100).await {
        assert_eq!(subject.view(&view.key).await, view, "a page tells of a session what a view does");
    }
    assert_eq!(subject.0.page(None, None, 0).await.expect("page works"), [], "no page has no sessions");
    let beginning = Place { last_seen: Timestamp(0), key: active[0] };
    assert_eq!(
        subject.0.page(None, Some(&beginning), 10).await.expect("page works"),
        [],
        "nothing was seen before all"
    );
}

/// Sessions that come and go between pages do not hide others.
pub async fn pages_find_what_stays_whatever_comes_and_goes(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let keys = subject.open_many(40).await;
    let mut found: Vec<SessionKey> = Vec::new();
    let (mut from, mut gone) = (None, Vec::new());
    loop {
        let page = subject.0.page(None, from.as_ref(), 6).await.expect("page works");
        found.extend(page.iter().map(|view| view.key));
        let Some(last) = page.last() else { break };
        from = Some(Place { last_seen: last.last_seen, key: last.key });
        subject.end(&last.key).await;
        let ahead = keys.iter().find(|key| !found.contains(key) && !gone.contains(*key));
        if let Some(key) = ahead {
            subject.end(key).await;
            gone.push(*key);
        }
        subject.open().await;
    }
    found.retain(|key| keys.contains(key));
    found.sort_unstable();
    let expected: Vec<SessionKey> = keys.into_iter().filter(|key| !gone.contains(key)).collect();
    assert_eq!(found, expected, "what lives all the while is found once");
}

/// A view is the session as it is, and there is none of what does not live.
pub async fn a_view_shows_a_session_as_it_is(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let opened = subject.open_this(&given).await;
    subject.pass(Duration::from_millis(60)).await;
    let now = subject.touch(&given.key, Duration::from_millis(10)).await;
    let record = subject.find(&given.key).await.expect("the session lives");
    let expected = SessionView::of(&record, now.before(Duration::from_millis(10)));
    assert_eq!(subject.view(&given.key).await, expected, "a view tells when the session was last seen");
    assert_eq!(expected.created_at, opened);
    subject.disconnect_all().await;
    let expected = SessionView { status: SessionStatus::Disconnected, ..expected };
    assert_eq!(subject.view(&given.key).await, expected);
    subject.end(&given.key).await;
    for key in [given.key, session().key] {
        assert_eq!(subject.0.view(&key).await.expect("view works"), None, "what does not live has no view");
    }
}
