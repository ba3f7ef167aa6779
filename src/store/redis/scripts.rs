//! The Lua scripts, one per transition, and the one way to call them.
//!
//! A script is asked for by its hash. Where Redis does not know it (restarted, `SCRIPT FLUSH`), the same call is made with
//! the source; loading it first and asking again would lose the race with the next flush.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{self, Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind};

use super::keys::Keys;
use super::request::Request;
use crate::id::SessionKey;
use crate::session::millis;

pub(super) struct Script {
    source: String,
    hash: String,
}

impl Script {
    /// A script's first line tells Redis what it may do and must stay the first; the prelude follows it.
    fn new(text: &str) -> Self {
        let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
        let source = format!("{flags}\n{}\n{body}", include_str!("lua/prelude.lua"));
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Self { source, hash }
    }
}

macro_rules! scripts {
    ($($name:ident: $file:literal,)*) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));)*

        #[cfg(test)]
        const ALL: &[&LazyLock<Script>] = &[$(&$name),*];
    };
}

scripts! {
    PROBE: "lua/probe.lua",
    OPEN: "lua/open.lua",
    TOUCH: "lua/touch.lua",
    REVIVE: "lua/revive.lua",
    RECONNECT: "lua/reconnect.lua",
    ADOPT: "lua/adopt.lua",
    REPLACE_INNER: "lua/replace_inner.lua",
    TAKE_INNER: "lua/take_inner.lua",
    END: "lua/end.lua",
    DUE: "lua/due.lua",
    SWEEP: "lua/sweep.lua",
    APPLY_LIFETIMES: "lua/apply_lifetimes.lua",
    ANNOUNCE_LIFETIMES: "lua/announce_lifetimes.lua",
    DATA_PUT: "lua/data_put.lua",
    DATA_REMOVE: "lua/data_remove.lua",
    BLUEPRINT: "lua/blueprint.lua",
    BEGIN: "lua/begin.lua",
    APPEND: "lua/append.lua",
    READ: "lua/read.lua",
    LISTEN: "lua/listen.lua",
    HEAR: "lua/hear.lua",
    LEAVE: "lua/leave.lua",
    ASK: "lua/ask.lua",
    SETTLE: "lua/settle.lua",
    POST: "lua/post.lua",
    SHAPE: "lua/shape.lua",
    LETTERS: "lua/letters.lua",
    TAKE: "lua/take.lua",
    EVENTS: "lua/events.lua",
    REFUSE: "lua/refuse.lua",
    RENEW: "lua/renew.lua",
    VITALS: "lua/vitals.lua",
    VIEW: "lua/view.lua",
    PAGE: "lua/page.lua",
    MODERN: "lua/modern.lua",
    DECLARE: "lua/declare.lua",
}

/// A script with its keys and arguments.
pub(super) struct Call<'a> {
    script: &'static Script,
    keys: Vec<String>,
    args: Vec<Cow<'a, [u8]>>,
}

/// A span as the scripts take it. A century is for ever; beyond, Redis refuses it as a TTL.
pub(super) fn span(span: Duration) -> u64 {
    const CENTURY: u64 = 100 * 365 * 24 * 3600 * 1000;
    millis(span).min(CENTURY)
}

impl<'a> Call<'a> {
    /// For sessions of one shard; the order is that of the prelude.
    pub(super) fn new(script: &'static Script, keys: &Keys, shard: u16, sessions: &[SessionKey]) -> Self {
        let sessions = sessions.iter().flat_map(|key| keys.of(key));
        let all = keys.of_shard(shard).into_iter().chain(sessions).collect();
        Self { script, keys: all, args: vec![keys.deployment().into_bytes().into()] }
    }

    /// For one session.
    pub(super) fn on(script: &'static Script, keys: &Keys, session: &SessionKey) -> Self {
        Self::new(script, keys, keys.shard_of(session), std::slice::from_ref(session))
    }

    /// For a key that is no session's.
    pub(super) fn alone(script: &'static Script, keys: &Keys, key: String) -> Self {
        Self { script, keys: vec![key], args: vec![keys.deployment().into_bytes().into()] }
    }

    pub(super) fn arg(mut self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.args.push(value.as_ref().into());
        self
    }

    pub(super) fn owned(mut self, value: Vec<u8>) -> Self {
        self.args.push(value.into());
        self
    }

    pub(super) fn number(self, value: u64) -> Self {
        self.owned(value.to_string().into_bytes())
    }

    fn command(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        self.args.iter().for_each(|arg| {
            command.arg(arg.as_ref());
        });
        command
    }
}

impl Request for Call<'_> {
    async fn send<T: FromRedisValue + Send>(&self, to: &mut (impl ConnectionLike + Send)) -> RedisResult<T> {
        match self.command("EVALSHA", &self.script.hash).query_async(to).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command("EVAL", &self.script.source).query_async(to).await
            }
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_keep_their_flags_on_the_first_line() {
        for script in ALL {
            assert!(script.source.starts_with("#!lua"), "{}", script.source);
        }
    }
}
