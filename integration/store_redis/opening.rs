//! What `connect` makes sure of.

use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_mcp_sessions::store::{Bus, EventLog, RedisStore, StoreError, StoreErrorKind};

use super::fixture::{kind, live_once, opened};
use crate::harness::redis::RedisServer;

/// All that an error and its causes say.
fn everything(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let url = "redis://127.0.0.1:1/";
    for builder in [
        RedisStore::builder("http://example.com/"),
        RedisStore::builder("not a url"),
        RedisStore::builder("rediss://127.0.0.1:1/"),
        RedisStore::builder(url).prefix("a{b}"),
        RedisStore::builder(url).shards(0),
        RedisStore::builder(url).shards(65),
        RedisStore::builder(url).pool_size(0),
        RedisStore::builder(url).response_timeout(Duration::ZERO),
        RedisStore::builder(url).connect_timeout(Duration::from_micros(999)),
        RedisStore::builder(url).response_timeout(Duration::MAX),
    ] {
        let text = format!("{builder:?}");
        assert_eq!(kind(&builder.connect().await), Some(StoreErrorKind::Misconfigured), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let result = RedisStore::connect("redis://127.0.0.1:1/").await;
    assert_eq!(kind(&result), Some(StoreErrorKind::Unavailable));
}

/// What `fn main() -> Result<(), Box<dyn Error>>` prints.
#[tokio::test]
async fn an_error_of_connecting_says_where_and_what_to_do() {
    let refused = RedisStore::connect("redis://somebody:hunter2@127.0.0.1:1/3").await.unwrap_err();
    let text = format!("{:?}", Box::<dyn Error>::from(refused));
    for part in ["127.0.0.1:1 cannot be reached", "start it, or name another address", "refused"] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    let unreadable = RedisStore::connect("hunter2").await.unwrap_err();
    let server = RedisServer::with(&["--requirepass", "correct"]);
    let wrong = RedisStore::connect(format!("redis://:hunter2@127.0.0.1:{}/", server.port())).await.unwrap_err();
    for (error, named) in
        [(unreadable, "the given address".to_owned()), (wrong, format!("127.0.0.1:{}", server.port()))]
    {
        let text = format!("{error:?}");
        assert!(text.contains(&named) && text.contains("redis://[user:password@]host[:port]/"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("StoreError"), "{text}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_and_never_shown() {
    let server = RedisServer::with(&["--requirepass", "s3cret-right"]);
    let address = format!("127.0.0.1:{}", server.port());
    let with = |secret: &str| RedisStore::builder(format!("redis://:{secret}@{address}/"));
    for refused in [with("s3cret-wrong").connect().await, RedisStore::connect(server.url()).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{}", everything(&error));
        assert!(!everything(&error).contains("s3cret"), "{}", everything(&error));
    }
    let unreadable = RedisStore::connect(format!("redis://:s3cret@{address}/not-a-number")).await.unwrap_err();
    assert!(!everything(&unreadable).contains("s3cret"), "{}", everything(&unreadable));
    let store = with("s3cret-right").connect().await.unwrap();
    assert!(!format!("{store:?} {:?}", with("s3cret-right")).contains("s3cret"));
    opened(&store).await;
}

/// The address, the user and its rights can each be wrong, and each has a way out of its own.
#[tokio::test]
async fn what_does_not_fit_is_told_apart_with_what_to_do() {
    let server = RedisServer::start();
    assert!(told(&server, ":s3cret@", "").await.contains("does not take the user and password"), "it has no password");
    let all = ["on", ">s3cret", "~*", "&*", "+@all"];
    let poor = [
        ("del", "-del"),
        ("evalsha", "-evalsha"),
        ("publish", "-publish"),
        ("select", "-select"),
        ("keys", "resetkeys"),
        ("channels", "resetchannels"),
    ];
    for (user, without) in poor {
        assert_eq!(server.cli(&[&["ACL", "SETUSER", user], &all[..], &[without]].concat()), "OK");
    }
    server.cli(&["CONFIG", "SET", "requirepass", "s3cret-right"]);
    let credentials = ("does not take the user and password of its address", "written %40");
    let (database, rights) = (("has no database", "0 to 15"), ("lets its user do too little", "ACL SETUSER"));
    for (user, path, (happened, advice)) in [
        (":s3cret-wrong@", "", credentials),
        ("default:s3cret-wrong@", "", credentials),
        ("nobody:s3cret-right@", "", credentials),
        ("", "", ("wants a password", "redis://[user:password@]host[:port]/")),
        (":s3cret-right@", "16", database),
        (":s3cret-right@", "-1", database),
        ("select:s3cret@", "3", rights),
        ("del:s3cret@", "", rights),
        ("evalsha:s3cret@", "", rights),
        ("publish:s3cret@", "", rights),
        ("keys:s3cret@", "", rights),
        ("channels:s3cret@", "", rights),
    ] {
        let text = told(&server, user, path).await;
        for part in [happened, advice, &format!("127.0.0.1:{}", server.port())] {
            assert!(text.contains(part), "{user} {path:?}: {part:?} is missing: {text}");
        }
    }
    opened(&RedisStore::connect(address(&server, ":s3cret-right@", "15")).await.unwrap()).await;
}

fn address(server: &RedisServer, user: &str, path: &str) -> String {
    format!("redis://{user}127.0.0.1:{}/{path}", server.port())
}

/// Why there is no store at this address.
async fn told(server: &RedisServer, user: &str, path: &str) -> String {
    let error = RedisStore::connect(address(server, user, path)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{user} {path:?}: {error:?}");
    assert!(!everything(&error).contains("s3cret"), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_refused() {
    let server = RedisServer::start();
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let result = RedisStore::connect(server.url()).await;
    assert_eq!(kind(&result), Some(StoreErrorKind::Refused));
}

#[tokio::test]
async fn a_user_with_no_more_rights_than_needed_can_do_everything() {
    let server = RedisServer::start();
    let commands = "ping unwatch eval evalsha time publish subscribe get set del exists getrange setrange pttl pexpire \
        zadd zrem zscore zcard zcount zrange zrangebyscore hget hset hmget hgetall hkeys hsetnx hexists hstrlen hincrby \
        hlen hdel rpush lpop llen lrange lindex ltrim xadd xrange";
    let mut rule = vec!["ACL", "SETUSER", "layer", "on", ">pw", "~mcp:*", "&mcp:bus", "&mcp:bus:events", "-@all"];
    let commands: Vec<String> = commands.split_whitespace().map(|command| format!("+{command}")).collect();
    rule.extend(commands.iter().map(String::as_str));
    assert_eq!(server.cli(&rule), "OK");
    let store = RedisStore::connect(format!("redis://layer:pw@127.0.0.1:{}/", server.port())).await.unwrap();
    let (_listener, _watcher) = (store.subscribe().await.unwrap(), store.hear_events().await.unwrap());
    live_once(&store).await.unwrap();
    let other = RedisStore::builder(format!("redis://layer:pw@127.0.0.1:{}/", server.port())).prefix("other");
    assert_eq!(kind(&other.connect().await), Some(StoreErrorKind::Misconfigured));
}

#[tokio::test]
async fn a_server_that_answers_no_command_does_not_keep_connect_waiting() {
    let server = RedisServer::start();
    server.pause();
    let started = std::time::Instant::now();
    let result = RedisStore::connect(server.url()).await;
    assert_eq!(kind(&result), Some(StoreErrorKind::Unavailable));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    server.resume();
    RedisStore::connect(server.url()).await.unwrap();
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listen(&self) -> impl Drop {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || log.clone()).with_ansi(false).finish();
        tracing_subscriber::util::SubscriberInitExt::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_server_that_would_evict_sessions_is_warned_of() {
    let log = Log::default();
    let _listening = log.listen();
    let server = RedisServer::start();
    RedisStore::connect(server.url()).await.unwrap();
    assert!(!log.text().contains("WARN"), "{}", log.text());
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    RedisStore::connect(server.url()).await.unwrap();
    assert!(log.text().contains("WARN") && log.text().contains("allkeys-lru"), "{}", log.text());
}
