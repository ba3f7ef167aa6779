//! What an operator does, or tries to, is audited once for each attempt.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use tower::ServiceExt;
use tower_mcp_sessions::monitor::{Access, Role};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::spans::{Fields, Told};
use crate::harness::backend::Backend;
use crate::harness::trio::Trio;

/// What was audited, in order.
#[derive(Clone, Default)]
struct Audit(Arc<Mutex<Vec<Fields>>>);

impl<S: Subscriber> Layer<S> for Audit {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Told(&mut fields));
        self.0.lock().unwrap().push(fields);
    }
}

#[tokio::test]
async fn each_attempt_is_told_once_with_what_came_of_it() {
    let audit = Audit::default();
    let wanted = Targets::new().with_target("tower_mcp_sessions::audit", Level::INFO);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(wanted).with(audit.clone()));
    let trio = Trio::start(Backend::Memory).await;
    let session = trio.open().await;
    let key = &session.id[..16];
    let access = Access::bearer("view", Role::View).or(Access::bearer("admin", Role::Admin));
    let monitor = |allowed| trio.layers[1].monitor().access(access.clone()).allow_terminate(allowed).build();
    let delete = async |key: &str, token: &str, allowed: bool| {
        let request = Request::builder()
            .method(Method::DELETE)
            .uri(format!("/api/mcp/sessions/{key}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = monitor(allowed).oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        let told = audit.0.lock().unwrap().drain(..).collect::<Vec<_>>();
        let [told] = &told[..] else { panic!("one attempt, told {} times", told.len()) };
        assert_eq!(told["action"], "terminate");
        assert_eq!(told["session"], key);
        (answer.status(), told["outcome"].clone(), told["role"].clone())
    };
    let told = |status, outcome: &str, role: &str| (status, outcome.to_owned(), role.to_owned());
    let (refused, done) = (StatusCode::FORBIDDEN, StatusCode::NO_CONTENT);

    assert_eq!(delete(key, "wrong", true).await, told(refused, "refused", "None"));
    assert_eq!(delete(key, "view", true).await, told(refused, "refused", "Some(View)"));
    assert_eq!(delete(key, "admin", false).await, told(refused, "refused", "Some(Admin)"));
    assert_eq!(delete(key, "admin", true).await, told(done, "done", "Some(Admin)"));
    assert_eq!(delete(key, "admin", true).await, told(StatusCode::NOT_FOUND, "no_such_session", "Some(Admin)"));
}
