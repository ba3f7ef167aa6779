//! [`ReconnectKeys`]: the secrets that sign reconnect tokens, and what else all replicas must agree on.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use super::error::{Kind, ReconnectKeysError};
use super::key_text::{self, Entry};
use crate::session::{Timestamp, millis};

/// The keys of reconnect tokens: one signs, any number of others are accepted.
///
/// Every replica needs the same keys, or clients cannot come back on another one. To change the key without refusing
/// anybody, give every replica the new key as an accepted one first, then let it sign and accept the old one for one
/// [token lifetime](Self::token_ttl) more:
///
/// ```
/// # use tower_mcp_sessions::ReconnectKeys;
/// # let (old, new) = ([1; 32], [2; 32]);
/// # let a_quarter_of_an_hour_from_now = std::time::SystemTime::now();
/// let before = ReconnectKeys::new("2026-10", &old)?.accept("2026-11", &new)?;
/// let after = ReconnectKeys::new("2026-11", &new)?.accept_until("2026-10", &old, a_quarter_of_an_hour_from_now)?;
/// # Ok::<(), tower_mcp_sessions::ReconnectKeysError>(())
/// ```
///
/// `Debug` shows the key ids, never a secret.
#[derive(Clone)]
pub struct ReconnectKeys {
    /// The first is the one that signs.
    pub(super) accepted: Vec<Key>,
    pub(super) issuer: String,
    pub(super) audience: String,
    ttl: Duration,
}

/// A key whose tokens are accepted.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: Box<str>,
    /// HMAC-SHA-256 begun with the secret, which is not kept; wiped when dropped.
    pub(super) mac: Hmac<Sha256>,
    /// By the store's clock.
    pub(super) until: Option<Timestamp>,
    /// Nobody else has it, and it dies with this process.
    pub(super) made_at_start: bool,
}

impl Key {
    fn new(kid: &str, secret: &[u8], until: Option<SystemTime>) -> Result<Self, ReconnectKeysError> {
        if !(1..=64).contains(&kid.len()) || !kid.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(Kind::KeyId.into());
        }
        if secret.len() < ReconnectKeys::SHORTEST_SECRET {
            return Err(Kind::ShortSecret.into());
        }
        let moment = |until: SystemTime| Timestamp(millis(until.duration_since(UNIX_EPOCH).unwrap_or_default()));
        let mac = Hmac::new_from_slice(secret).expect("HMAC takes secrets of any length");
        Ok(Self { kid: kid.into(), mac, until: until.map(moment), made_at_start: false })
    }
}

impl ReconnectKeys {
    const SHORTEST_SECRET: usize = 32;

    /// Signs with this key and accepts its tokens.
    ///
    /// `kid` is the key's public name, 1 to 64 visible ASCII characters; it stands readable in every token. The secret has
    /// at least 32 bytes.
    ///
    /// # Errors
    ///
    /// If the name or the secret is not of that kind.
    pub fn new(kid: &str, secret: &[u8]) -> Result<Self, ReconnectKeysError> {
        Ok(Self {
            accepted: vec![Key::new(kid, secret, None)?],
            issuer: "tower-mcp-sessions".to_owned(),
            audience: "mcp-reconnect".to_owned(),
            ttl: Duration::from_secs(15 * 60),
        })
    }

    /// Accepts the tokens of one more key until a moment, judged by the store's clock.
    ///
    /// # Errors
    ///
    /// If the name is taken, or the name or the secret is not of the kind that [`new`](Self::new) demands.
    pub fn accept_until(self, kid: &str, secret: &[u8], until: SystemTime) -> Result<Self, ReconnectKeysError> {
        self.with(Key::new(kid, secret, Some(until))?)
    }

    /// Accepts the tokens of one more key, without end.
    ///
    /// # Errors
    ///
    /// As [`accept_until`](Self::accept_until).
    pub fn accept(self, kid: &str, secret: &[u8]) -> Result<Self, ReconnectKeysError> {
        self.with(Key::new(kid, secret, None)?)
    }

    fn with(mut self, key: Key) -> Result<Self, ReconnectKeysError> {
        if self.accepted.iter().any(|known| known.kid == key.kid) {
            return Err(Kind::RepeatedKeyId.into());
        }
        self.accepted.push(key);
        Ok(self)
    }

    /// Reads keys from text: one a line (or between semicolons), the first one signs. Blank lines and lines that begin with
    /// `#` are skipped.
    ///
    /// ```
    /// # use tower_mcp_sessions::ReconnectKeys;
    /// let keys = ReconnectKeys::from_text("
    ///     ## KID   SECRET, whose characters count as they are written
    ///     2026-11 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    ///     2026-10 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 until=2026-12-01T00:00:00Z
    /// ")?;
    /// # Ok::<(), tower_mcp_sessions::ReconnectKeysError>(())
    /// ```
    ///
    /// A secret may stand alone; its key id is then made from it: the first 8 characters of base64url of SHA-256 of
    /// `tower-mcp-sessions kid` and the secret.
    ///
    /// # Errors
    ///
    /// If a line is none of this; the error names the line's number and shows nothing of it.
    pub fn from_text(text: &str) -> Result<Self, ReconnectKeysError> {
        let mut keys = None;
        for (line, entry) in key_text::entries(text) {
            let added = entry.and_then(|entry| Self::and_entry(keys.take(), &entry));
            keys = Some(added.map_err(|error| error.at(line))?);
        }
        keys.ok_or_else(|| Kind::NoKey.into())
    }

    fn and_entry(keys: Option<Self>, entry: &Entry<'_>) -> Result<Self, ReconnectKeysError> {
        let (kid, secret) = (entry.kid(), entry.secret.as_bytes());
        match (keys, entry.until) {
            (None, None) => Self::new(&kid, secret),
            (None, Some(_)) => Err(Kind::FirstEnds.into()),
            (Some(keys), None) => keys.accept(&kid, secret),
            (Some(keys), Some(until)) => keys.accept_until(&kid, secret, until),
        }
    }

    /// Reads keys from the environment variable `MCP_RECONNECT_KEYS`, written as [`from_text`](Self::from_text) has it.
    ///
    /// # Errors
    ///
    /// If the variable is not set or cannot be read.
    pub fn from_env() -> Result<Self, ReconnectKeysError> {
        match std::env::var("MCP_RECONNECT_KEYS") {
            Ok(text) => Self::from_text(&text),
            Err(std::env::VarError::NotPresent) => Err(Kind::VariableMissing.into()),
            Err(std::env::VarError::NotUnicode(_)) => Err(Kind::VariableNotText.into()),
        }
    }

    /// Reads keys from a file, written as [`from_text`](Self::from_text) has it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ReconnectKeysError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ReconnectKeysError::because(Kind::File(path.to_owned()), error))?;
        Self::from_text(&text)
    }

    /// Makes a key that nobody else has: its tokens are good on this replica alone and die with this process. For trying
    /// things out.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness to give.
    pub fn random() -> Result<Self, ReconnectKeysError> {
        let mut secret = [0; Self::SHORTEST_SECRET];
        getrandom::fill(&mut secret).map_err(|error| ReconnectKeysError::because(Kind::Randomness, error))?;
        let mut keys = Self::new(&key_text::derived_kid(&secret), &secret)?;
        keys.accepted.iter_mut().for_each(|key| key.made_at_start = true);
        Ok(keys)
    }

    /// The ids of the keys that others have too, each with 8 bytes, in hex, that follow from its secret and tell nothing of it.
    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = (&str, String)> {
        let configured = self.accepted.iter().filter(|key| !key.made_at_start);
        configured.map(|key| {
            (&*key.kid, key.sign(b"tower-mcp-sessions key id")[..8].iter().map(|byte| format!("{byte:02x}")).collect())
        })
    }

    /// Who signs (`iss`). Tokens that name another issuer are refused. Default: `tower-mcp-sessions`.
    ///
    /// ```
    /// # use tower_mcp_sessions::ReconnectKeys;
    /// let keys = ReconnectKeys::random()?.issuer("https://mcp.example.com");
    /// # Ok::<(), tower_mcp_sessions::ReconnectKeysError>(())
    /// ```
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        issuer.clone_into(&mut self.issuer);
        self
    }

    /// Whom tokens are for (`aud`). Servers that share keys but not sessions need different ones. Default: `mcp-reconnect`.
    ///
    /// ```
    /// # use tower_mcp_sessions::ReconnectKeys;
    /// let keys = ReconnectKeys::random()?.audience("staging");
    /// # Ok::<(), tower_mcp_sessions::ReconnectKeysError>(())
    /// ```
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        audience.clone_into(&mut self.audience);
        self
    }

    /// How long a token is good, in whole seconds (parts are cut off). Default: 15 minutes. A layer is built with one second to 30
    /// days.
    ///
    /// A token says itself when it ends: tokens minted under another lifetime stay good for as long as they say.
    ///
    /// ```
    /// # use tower_mcp_sessions::ReconnectKeys;
    /// # use std::time::Duration;
    /// let keys = ReconnectKeys::random()?.token_ttl(Duration::from_secs(3600));
    /// # Ok::<(), tower_mcp_sessions::ReconnectKeysError>(())
    /// ```
    #[must_use]
    pub fn token_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Duration::from_secs(ttl.as_secs());
        self
    }

    /// How long a token is good.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl fmt::Debug for ReconnectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<&str> = self.accepted.iter().map(|key| &*key.kid).collect();
        f.debug_struct("ReconnectKeys").field("kids", &kids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    #[test]
    fn a_key_has_a_plain_name_and_a_long_secret() {
        for kid in ["", "a b", "ü", "a\n", &"k".repeat(65)] {
            assert!(matches!(ReconnectKeys::new(kid, SECRET).unwrap_err().kind(), Kind::KeyId), "{kid:?}");
        }
        let short = ReconnectKeys::new("k", &SECRET[1..]).unwrap_err();
        assert!(short.to_string().contains("openssl rand -hex 32"), "{short}");
        assert!(ReconnectKeys::new(&"k".repeat(64), SECRET).is_ok());
    }

    #[test]
    fn two_keys_never_share_a_name() {
        let keys = ReconnectKeys::new("a", SECRET).unwrap().accept("b", SECRET).unwrap();
        for kid in ["a", "b"] {
            let repeated = keys.clone().accept_until(kid, SECRET, SystemTime::now()).unwrap_err();
            assert!(matches!(repeated.kind(), Kind::RepeatedKeyId), "{kid}");
        }
    }

    #[test]
    fn a_lifetime_is_whole_seconds_and_at_least_one() {
        let ttl = |millis| ReconnectKeys::random().unwrap().token_ttl(Duration::from_millis(millis)).ttl();
        assert_eq!(ReconnectKeys::random().unwrap().ttl(), Duration::from_secs(900));
        assert_eq!([ttl(0), ttl(999), ttl(2_999)], [0, 0, 2].map(Duration::from_secs));
    }

    #[test]
    fn debug_shows_key_ids_alone() {
        let keys = ReconnectKeys::new("new", SECRET).unwrap().accept("old", SECRET).unwrap();
        assert_eq!(format!("{keys:?}"), r#"ReconnectKeys { kids: ["new", "old"], .. }"#);
    }
}
