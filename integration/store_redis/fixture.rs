//! What these tests are written with.

use std::time::Duration;

use bytes::Bytes;
use tower_mcp_sessions::store::{
    AgeLimits, Appended, Asked, Believed, Ended, EndedBy, EventLog, Fact, Inbox, InnerReplaced, Lifetimes, Limiter,
    Listening, LogLimits, Opening, Posted, Presence, QuestionName, Rate, Reconnected, Reconnection, RedisStore,
    RedisStoreBuilder, Refusal, ReplicaId, SessionStore, Shaped, Shaping, StoreError, StoreErrorKind, StreamLog,
    StreamName, Survey, Swept, Taken, Touch, TouchOutcome, WindowName,
};
use tower_mcp_sessions::{
    ClientInfo, EndReason, NewSession, NonceDigest, OnReturn, ProtocolVersion, ReconnectDoor, ReconnectOutcome,
    SessionId, SessionKey, SessionOrigin,
};

pub(super) const LIFETIMES: Lifetimes = Lifetimes {
    idle_timeout: Duration::from_secs(300),
    expires_after: Duration::from_secs(24 * 3600),
    max_lifetime: None,
    handshake_timeout: Duration::from_secs(24 * 3600),
    on_return: OnReturn::Revive,
};

pub(super) const LIMITS: LogLimits = LogLimits { messages: 1000, bytes: 1 << 20, ttl: Duration::from_secs(600) };

/// For tests in which Redis is well: a machine that is busy with other things must not fail them.
pub(super) fn patient(url: impl Into<String>) -> RedisStoreBuilder {
    RedisStore::builder(url).connect_timeout(Duration::from_secs(10)).response_timeout(Duration::from_secs(10))
}

pub(super) fn session() -> NewSession {
    let id = SessionId::generate().unwrap();
    let origin = SessionOrigin {
        protocol_version: ProtocolVersion::V2025_11_25,
        client: ClientInfo { name: "claude-ai".into(), version: "0.1.0".into() },
        principal: Some("user-1234567890".into()),
        replica: "mcp-7d9f4b5c6-x2x4z".into(),
        adopted: None,
        inner_has_sessions: true,
    };
    let handshake = Bytes::from_static(
        br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{}},"clientInfo":{"name":"claude-ai","version":"0.1.0"}}}"#,
    );
    NewSession { key: id.key(), digest: id.digest(), lifetimes: LIFETIMES, origin, handshake, inner: None }
}

pub(super) async fn opened(store: &impl SessionStore) -> SessionKey {
    let session = session();
    store.open(&session, None).await.unwrap();
    session.key
}

/// Opened with lifetimes of its own.
pub(super) async fn opened_for(store: &impl SessionStore, lifetimes: Lifetimes) -> SessionKey {
    let session = NewSession { lifetimes, ..session() };
    store.open(&session, None).await.unwrap();
    session.key
}

/// Sweeps as if all sessions had these lifetimes; afterwards they have long ones.
pub(super) async fn sweep_as(store: &impl SessionStore, lifetimes: &Lifetimes, limit: usize) -> Swept {
    store.apply_lifetimes(lifetimes).await.unwrap();
    let swept = store.sweep(Duration::ZERO, limit).await.unwrap();
    store.apply_lifetimes(&LIFETIMES).await.unwrap();
    swept
}

/// Activity of a new session's client, just now, which confirms its handshake.
pub(super) fn seen(key: SessionKey) -> Touch {
    Touch { key, generation: 0, age: Duration::ZERO, confirms: true }
}

/// Opened with the session of a shared inner service.
pub(super) async fn opened_with_inner(store: &impl SessionStore) -> SessionKey {
    let session = NewSession { inner: Some(Bytes::from_static(b"inner")), ..session() };
    store.open(&session, None).await.unwrap();
    session.key
}

/// A new holder for a session of that generation.
pub(super) fn change(key: SessionKey, generation: u32) -> Reconnection {
    let NewSession { digest, origin, .. } = session();
    Reconnection { key, generation, digest, origin, handshake: None, inner: None, nonce: NonceDigest::of(b"nonce") }
}

/// A window of three in ten minutes.
pub(super) async fn take(store: &impl Limiter, window: &str) -> Result<Taken, StoreError> {
    store.take(&WindowName::parse(window).unwrap(), &Rate { most: 3, per: Duration::from_secs(600) }).await
}

pub(super) fn replica() -> ReplicaId {
    ReplicaId::parse("AAAAAAAA").unwrap()
}

pub(super) fn stream(name: &str) -> StreamName {
    StreamName::parse(name).unwrap()
}

pub(super) fn kind<T>(result: &Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.as_ref().err().map(StoreError::kind)
}

/// A life from open to end, with everything in between.
pub(super) async fn live_once(store: &RedisStore) -> Result<(), StoreError> {
    let given = NewSession { inner: Some(Bytes::from_static(b"inner")), ..session() };
    let key = given.key;
    assert!(matches!(store.open(&given, None).await?, Opening::Opened { .. }));
    assert!(store.find(&key).await?.is_some());
    assert_eq!(store.blueprint(&key).await?.and_then(|blueprint| blueprint.handshake).as_ref(), Some(&given.handshake));
    store.data_put(&key, 0, "name", Bytes::from_static(b"value"), 100).await?;
    assert!(store.data_get(&key, "name").await?.is_some());
    let appended = store.append(&key, 0, &stream("a"), &[Bytes::from_static(b"m")], &LIMITS).await?;
    assert_eq!(appended, Appended::Stored { last: 1 });
    assert_eq!(store.read(&key, &stream("a"), 0, 10).await?.messages.len(), 1);
    let touched = store.touch(&[seen(key)]).await?;
    assert_eq!(touched.outcomes, [TouchOutcome::Active]);
    store.sweep(Duration::ZERO, 10).await?;
    store.census().await?;
    let replaced = store.replace_inner(&key, 0, Some(1), Bytes::from_static(b"another")).await?;
    assert_eq!(replaced, InnerReplaced::Replaced { incarnation: 2 });
    store.revive(&key, 0, "b-2").await?;
    let one = LogLimits { messages: 1, ..LIMITS };
    store.append(&key, 0, &stream("b"), &[Bytes::from_static(b"m")], &one).await?;
    assert!(store.read(&key, &stream("a"), 0, 10).await?.gap);
    store.data_remove(&key, 0, "name").await?;
    assert!(take(store, key.as_str()).await?.retry_after.is_none());
    assert!(matches!(store.reconnect(&change(key, 0)).await?, Reconnected::Done { generation: 1, .. }));
    write_to_each_other(store, &key, 1).await?;
    let renewed = Reconnection { handshake: Some(given.handshake), inner: given.inner.clone(), ..change(key, 1) };
    assert!(matches!(store.reconnect(&renewed).await?, Reconnected::Done { generation: 2, .. }));
    look_around(store, &key).await?;
    store.apply_lifetimes(&LIFETIMES).await?;
    store.announce_lifetimes(&LIFETIMES).await?;
    let fact = Fact { name: "fact".into(), value: "value".into(), believed: Believed::Last };
    store.declare(&[fact], Duration::from_secs(60)).await?;
    let ended = store.end(&key, EndedBy::Holder(2), EndReason::ClosedByClient).await?;
    assert_eq!(ended, Ended::Done { inner: given.inner });
    assert_eq!(store.take_inner(&key).await?, None);
    Ok(())
}

/// What replicas tell each other about a session.
pub(super) async fn write_to_each_other(store: &RedisStore, key: &SessionKey, holder: u32) -> Result<(), StoreError> {
    let (question, letter) = (QuestionName::parse("q").unwrap(), Bytes::from_static(b"letter"));
    store.begin(key, holder, &stream("open"), b"1").await?;
    let Listening::Granted { listener, .. } = store.listen(key, holder, &replica(), None).await? else {
        panic!("listening works")
    };
    store.hear(key, listener, 0, 10).await?;
    assert_eq!(store.ask(key, holder, &question, 10).await?, Asked::Open);
    assert_eq!(store.post(key, holder, &letter, Some(&question), &LIMITS).await?, Posted::Posted);
    assert!(!store.settle(key, 0, &question).await?);
    for call in [Some(letter.clone()), None, Some(letter.clone())] {
        let shaping = Shaping { name: "level".to_owned(), call, letter: letter.clone() };
        assert_eq!(store.shape(key, holder, &shaping, 100, &LIMITS).await?, Shaped::Shaped);
    }
    assert!(!store.letters(key, 0, 10).await?.letters.is_empty());
    store.leave(key, listener, 0).await
}

/// What whoever watches asks.
async fn look_around(store: &RedisStore, key: &SessionKey) -> Result<(), StoreError> {
    for (part, head) in store.event_heads().await?.iter().enumerate() {
        store.events(part, 0, 10).await?;
        store.renew_epoch(part, head).await?;
    }
    let (outcome, door) = (ReconnectOutcome::TokenExpired, ReconnectDoor::Tool);
    store.record_refusal(&Refusal { session: Some(*key), outcome, door }).await?;
    store.count_modern(&ClientInfo::default(), 1).await?;
    assert!(store.vitals(&AgeLimits::default()).await?.active > 0);
    assert!(store.view(key).await?.is_some() && !store.page(None, None, 10).await?.is_empty());
    Ok(())
}
