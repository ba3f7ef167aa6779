//! Every key in Redis, and nothing else builds one.
//!
//! Sessions are spread over shards. All keys of a shard carry the same hash tag, `{00}`, `{01}`, …, so a Cluster keeps
//! them in one slot and one script may touch them all. Changing the number of shards moves sessions to other keys: all
//! replicas of a deployment must agree on it.

use crate::id::SessionKey;
use crate::store::{ReplicaId, WindowName};

/// Names for everything that lies in Redis.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    shards: u16,
}

impl Keys {
    pub(super) const MAX_SHARDS: u16 = 64;
    /// Events kept, about, over all shards; and by each at least.
    const EVENTS: u64 = 10_000;
    const FEWEST_EVENTS: u64 = 1000;

    pub(super) const fn new(prefix: String, shards: u16) -> Self {
        Self { prefix, shards }
    }

    /// A prefix that Redis takes as it is: visible ASCII, and no brace that would make another hash tag.
    pub(super) fn is_prefix(text: &str) -> bool {
        let fits = |c: u8| c.is_ascii_graphic() && c != b'{' && c != b'}';
        (1..=64).contains(&text.len()) && text.bytes().all(fits)
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn shards(&self) -> std::ops::Range<u16> {
        0..self.shards
    }

    /// The shard a session lies in.
    pub(super) fn shard_of(&self, key: &SessionKey) -> u16 {
        self.spread(key.as_str())
    }

    /// FNV-1a of a name: the same on every replica and in every release.
    fn spread(&self, name: &str) -> u16 {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        u16::try_from(hash % u64::from(self.shards)).unwrap_or_default()
    }

    fn in_shard(&self, shard: u16, name: &str) -> String {
        format!("{}:{{{shard:02}}}:{name}", self.prefix)
    }

    fn of_session(&self, kind: char, key: &SessionKey) -> String {
        format!("{}:{{{:02}}}:{kind}:{key}", self.prefix, self.shard_of(key))
    }

    pub(super) fn seen(&self, shard: u16) -> String {
        self.in_shard(shard, "seen") // zset: active sessions by when they were last seen, in ms
    }

    pub(super) fn gone(&self, shard: u16) -> String {
        self.in_shard(shard, "gone") // zset: disconnected sessions by when they were last seen, in ms
    }

    pub(super) fn born(&self, shard: u16) -> String {
        self.in_shard(shard, "born") // zset: all sessions by when they were opened, in ms
    }

    pub(super) fn unconfirmed(&self, shard: u16) -> String {
        self.in_shard(shard, "new") // zset: sessions whose handshake is unconfirmed, by when they were opened, in ms
    }

    fn events(&self, shard: u16) -> String {
        self.in_shard(shard, "ev") // stream: what happened, "offset-microseconds" -> "e": see `entry.rs`; capped
    }

    pub(super) fn head(&self, shard: u16) -> String {
        // hash: "epoch" and "last" id of the events, "lived" in ms by all live sessions, "lifetimes" that were announced first and
        // those "announced" last, see `Lifetimes::to_text`; "unindexed", while some are: up to which session "due" is complete
        self.in_shard(shard, "em")
    }

    fn counts(&self, shard: u16) -> String {
        // hash: number of five minutes and a letter -> how often in these, see `survey.rs`; "#" -> the newest number; a day's
        self.in_shard(shard, "ec")
    }

    fn clients(&self, shard: u16) -> String {
        self.in_shard(shard, "cl") // hash: name and version as JSON -> live sessions; "others" -> those of further clients
    }

    pub(super) fn due(&self, shard: u16) -> String {
        self.in_shard(shard, "due") // zset: all sessions by when the sweep has to look at them, in ms; never too late
    }

    pub(super) fn record(&self, key: &SessionKey) -> String {
        self.of_session('s', key) // string: see `record.rs`
    }

    fn handshake(&self, key: &SessionKey) -> String {
        self.of_session('h', key) // string: the `initialize` message
    }

    pub(super) fn data(&self, key: &SessionKey) -> String {
        self.of_session('d', key) // hash: ":name" -> value, "#" -> bytes of names and values
    }

    fn log(&self, key: &SessionKey) -> String {
        self.of_session('l', key) // list: length of the stream's name (a byte), stream, message; made by the first append
    }

    fn meta(&self, key: &SessionKey) -> String {
        self.of_session('m', key) // hash: ":stream" -> "last:lost:state", "#last", "#bytes", "#fold"; made by the first stream
    }

    fn wire(&self, key: &SessionKey) -> String {
        // hash: "?question" -> 1, "!name" -> shaping call, "#listener", "#there", "#heard", "#in", "#bytes", "#shapes",
        // "#retry" -> "generation:until:digest of the nonce" of the last reconnect
        self.of_session('w', key)
    }

    fn inbox(&self, key: &SessionKey) -> String {
        self.of_session('i', key) // list: letters, the newest at position "#in" of the wire
    }

    fn inner(&self, key: &SessionKey) -> String {
        // string: "incarnation:" and what is known of the inner session, the incarnation alone if that was removed; made by the
        // first; left behind for a minute when the session ends
        self.of_session('n', key)
    }

    /// A replica's word that it runs.
    pub(super) fn presence(&self, replica: &ReplicaId) -> String {
        self.in_shard(0, &format!("r:{replica}")) // string: 1
    }

    /// What was said about the deployment.
    pub(super) fn facts(&self) -> String {
        self.in_shard(0, "facts") // hash: the fact's name -> what it is
    }

    /// What happened lately, of one kind.
    pub(super) fn window(&self, name: &WindowName) -> String {
        // list: when permits were given, in ms, the oldest first
        self.in_shard(self.spread(name.as_str()), &format!("q:{}", name.as_str()))
    }

    /// The pub/sub channel of the deployment.
    pub(super) fn channel(&self) -> String {
        format!("{}:bus", self.prefix)
    }

    /// The pub/sub channel of what happened to sessions.
    pub(super) fn event_channel(&self) -> String {
        format!("{}:events", self.channel())
    }

    /// What the scripts are told of the deployment: the channel, and how many events a shard keeps.
    pub(super) fn deployment(&self) -> String {
        let kept = (Self::EVENTS / u64::from(self.shards)).max(Self::FEWEST_EVENTS);
        format!("{} {kept}", self.channel())
    }

    /// A key that never exists, to try writing with.
    pub(super) fn probe(&self) -> String {
        self.in_shard(0, "probe")
    }

    /// All keys of a shard that are no session's, in the order of the scripts' KEYS.
    pub(super) fn of_shard(&self, shard: u16) -> [String; 9] {
        [
            self.seen(shard),
            self.gone(shard),
            self.born(shard),
            self.unconfirmed(shard),
            self.events(shard),
            self.head(shard),
            self.counts(shard),
            self.clients(shard),
            self.due(shard),
        ]
    }

    /// All keys of a session, in the order of the scripts' KEYS.
    pub(super) fn of(&self, key: &SessionKey) -> [String; 8] {
        [
            self.record(key),
            self.handshake(key),
            self.data(key),
            self.log(key),
            self.meta(key),
            self.wire(key),
            self.inbox(key),
            self.inner(key),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionKey {
        SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap()
    }

    #[test]
    fn keys_are_where_every_release_looks_for_them() {
        let keys = Keys::new("mcp".into(), 1);
        assert_eq!(keys.seen(0), "mcp:{00}:seen");
        assert_eq!(keys.unconfirmed(0), "mcp:{00}:new");
        assert_eq!(keys.of_shard(0)[4..], ["mcp:{00}:ev", "mcp:{00}:em", "mcp:{00}:ec", "mcp:{00}:cl", "mcp:{00}:due"]);
        assert_eq!((keys.channel(), keys.event_channel()), ("mcp:bus".into(), "mcp:bus:events".into()));
        assert_eq!(keys.deployment(), "mcp:bus 10000");
        assert_eq!(Keys::new("mcp".into(), 16).deployment(), "mcp:bus 1000");
        assert_eq!(keys.record(&session()), "mcp:{00}:s:AAAAAAAAAAAAAAAA");
        assert_eq!(Keys::new("mcp".into(), 16).record(&session()), "mcp:{05}:s:AAAAAAAAAAAAAAAA");
        assert_eq!(keys.of(&session())[7], "mcp:{00}:n:AAAAAAAAAAAAAAAA");
        let window = WindowName::parse("open:192.0.2.1").unwrap();
        assert_eq!(keys.window(&window), "mcp:{00}:q:open:192.0.2.1");
    }

    #[test]
    fn all_keys_of_a_shard_share_its_hash_tag() {
        let keys = Keys::new("a:b".into(), 64);
        let tag = format!("{{{:02}}}", keys.shard_of(&session()));
        for key in keys.of(&session()).into_iter().chain(keys.of_shard(keys.shard_of(&session()))) {
            assert!(key.contains(&tag), "{key} has not the tag {tag}");
            assert_eq!(key.matches('{').count(), 1, "{key}");
        }
    }

    #[test]
    fn prefixes_with_braces_or_blanks_are_refused() {
        assert!(Keys::is_prefix("mcp") && Keys::is_prefix("team-a:mcp"));
        for text in ["", "a{b", "a}b", "a b", "ä"] {
            assert!(!Keys::is_prefix(text), "{text}");
        }
    }
}
