//! An inner service may answer a notification as it likes: nobody waits for more than that it was taken.

use http::StatusCode;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::soon;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, initialize, notification};
use crate::harness::replica::Replica;
use crate::harness::trio::Trio;

on_every_backend! {
    a_stream_in_answer_to_a_notification_holds_nobody_up,
    a_notification_that_is_refused_is_told_so,
}

async fn a_stream_in_answer_to_a_notification_holds_nobody_up(backend: Backend) {
    let trio = Trio::start(backend).await;
    trio.inners.iter().for_each(|inner| inner.script(|script| script.streams_for_notifications = true));
    let everywhere = soon("the client's own is taken", trio.open_everywhere()).await;
    for session in &everywhere {
        let told = session.client.post(&notification("notifications/roots/list_changed")).await.whole();
        let told = soon("the answer ends", told).await;
        assert_eq!((told.status, told.text()), (StatusCode::ACCEPTED, ""));
    }
    for (session, inner) in everywhere.iter().zip(&trio.inners) {
        assert!(soon("the session is served", session.works()).await);
        assert_eq!(inner.asked("notifications/initialized"), 1);
    }
}

async fn a_notification_that_is_refused_is_told_so(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    inner.script(|script| script.initialized = StatusCode::UNPROCESSABLE_ENTITY);
    let opened = Client::of(&replica).post(&initialize("2025-11-25")).await.whole().await;
    let client = Client::of(&replica).with(SESSION_ID, &opened.session_id().expect("a session id"));
    let told = client.post(&notification("notifications/initialized")).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
}
