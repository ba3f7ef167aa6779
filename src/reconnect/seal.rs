//! Sealing what must not be read where it is stored: XChaCha20-Poly1305 under keys that follow from the configured ones.

use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key as CipherKey, Tag, XChaCha20Poly1305, XNonce};

use super::keys::{Key, ReconnectKeys};
use crate::id::SessionKey;

/// What a key signs to become a key for sealing. No token begins like this, and no renewed id's message.
const LABEL: &[u8] = b"tower-mcp-sessions inner session v1";
const NONCE: usize = 24;
const TAG: usize = 16;

impl ReconnectKeys {
    /// Whether there is a key that outlives this process.
    pub(crate) fn can_seal(&self) -> bool {
        self.configured().next().is_some()
    }

    /// Seals for a session with the first configured key, behind a prefix that is authenticated too: a nonce, the text, a tag.
    /// `None` without such a key, or without randomness.
    pub(crate) fn seal(&self, prefix: u8, session: &SessionKey, plain: &[u8]) -> Option<Bytes> {
        let cipher = self.configured().next()?.cipher();
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE + plain.len() + TAG);
        sealed.push(prefix);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let text = &mut sealed[1 + NONCE..];
        let tag = cipher.encrypt_inout_detached(&XNonce::from(nonce), &context(prefix, session), text.into()).ok()?;
        sealed.extend_from_slice(&tag);
        Some(sealed.into())
    }

    /// Opens what any configured key has sealed for the session behind this prefix, which is not part of `sealed`.
    pub(crate) fn unseal(&self, prefix: u8, session: &SessionKey, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (text, tag) = rest.split_last_chunk::<TAG>()?;
        let (nonce, tag, context) = (XNonce::from(*nonce), Tag::from(*tag), context(prefix, session));
        self.configured().find_map(|key| {
            let mut text = text.to_vec();
            key.cipher().decrypt_inout_detached(&nonce, &context, text.as_mut_slice().into(), &tag).ok()?;
            Some(text)
        })
    }

    /// The keys that others have, too. Until when their tokens are accepted says nothing about what they have sealed.
    fn configured(&self) -> impl Iterator<Item = &Key> {
        self.accepted.iter().filter(|key| !key.made_at_start)
    }
}

impl Key {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&CipherKey::from(self.sign(LABEL)))
    }
}

/// What is authenticated beside the text: it belongs to this session, in this format.
fn context(prefix: u8, session: &SessionKey) -> Vec<u8> {
    [&[prefix], session.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests;
