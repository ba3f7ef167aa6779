use super::*;
use crate::seal::{open, seal};

const OLD: &[u8] = b"0123456789abcdef0123456789abcdef";
const NEW: &[u8] = b"fedcba9876543210fedcba9876543210";
const TEXT: &[u8] = br#"{"id":"3f2c9a","cookies":["lb=\u00e4"]}"#;

fn session() -> SessionKey {
    SessionKey::parse("0123456789abcdef").unwrap()
}

fn other() -> SessionKey {
    SessionKey::parse("0123456789abcdeg").unwrap()
}

fn keys(secret: &[u8]) -> ReconnectKeys {
    ReconnectKeys::new("k", secret).unwrap()
}

fn sealed(keys: &ReconnectKeys) -> Bytes {
    seal(Some(keys), &session(), TEXT).unwrap()
}

fn opened(keys: &ReconnectKeys, sealed: &[u8]) -> Option<Vec<u8>> {
    open(Some(keys), &session(), sealed)
}

#[test]
fn what_is_sealed_opens_as_it_was_and_is_not_readable() {
    let keys = keys(OLD);
    for plain in [&b""[..], b"\0", TEXT, &[7; 4096]] {
        let sealed = seal(Some(&keys), &session(), plain).unwrap();
        assert_eq!((sealed[0], sealed.len()), (1, 1 + NONCE + plain.len() + TAG));
        assert_eq!(opened(&keys, &sealed).as_deref(), Some(plain));
        assert_ne!(seal(Some(&keys), &session(), plain).unwrap(), sealed, "never the same twice");
    }
    let sealed = sealed(&keys);
    assert!(!sealed.windows(6).any(|part| TEXT.windows(6).any(|text| text == part)));
}

/// Sealed once under this key and label. It must open in every release.
#[test]
fn golden_bytes_open() {
    let golden = unhex(GOLDEN);
    assert_eq!(opened(&keys(OLD), &golden).as_deref(), Some(&b"golden"[..]));
}

const GOLDEN: &str = "019aecf9443591f8766d4e3a6536ed5871486d1eb46737bfc2f086616221ed2058229832776264685617fa60177e1b";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn no_byte_may_be_changed_nor_be_missing_nor_be_added() {
    let keys = keys(OLD);
    let sealed = sealed(&keys).to_vec();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            let found = opened(&keys, &changed);
            let is_plain = changed[0] == 0;
            assert_eq!(found.is_some(), is_plain, "byte {at}, bit {bit}");
            assert_ne!(found.as_deref(), Some(TEXT));
        }
        assert_eq!(opened(&keys, &sealed[..at]), None, "{at} bytes");
    }
    assert_eq!(opened(&keys, &[&sealed[..], b"x"].concat()), None);
}

#[test]
fn it_opens_for_its_own_session_alone() {
    let keys = keys(OLD);
    assert_eq!(open(Some(&keys), &other(), &sealed(&keys)), None);
}

#[test]
fn any_key_that_is_configured_opens_and_the_first_seals() {
    let (old, new) = (keys(OLD), keys(NEW));
    let both = keys(NEW).accept_until("old", OLD, std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(opened(&both, &sealed(&old)).as_deref(), Some(TEXT), "however long its tokens are accepted");
    let by_both = sealed(&both);
    assert_eq!(opened(&new, &by_both).as_deref(), Some(TEXT), "the first one seals");
    assert_eq!(opened(&old, &by_both), None);
    assert_eq!(opened(&new, &sealed(&old)), None, "a key that was removed opens nothing more");
    assert_eq!(open(None, &session(), &by_both), None);
    let renamed = ReconnectKeys::new("another", OLD).unwrap().issuer("i").audience("a");
    assert_eq!(opened(&renamed, &sealed(&old)).as_deref(), Some(TEXT), "the secret counts, not its name");
}

#[test]
fn a_key_made_at_start_counts_as_none() {
    let (mine, theirs) = (ReconnectKeys::random().unwrap(), ReconnectKeys::random().unwrap());
    assert!(!mine.can_seal());
    let plain = sealed(&mine);
    assert_eq!(plain, seal(None, &session(), TEXT).unwrap());
    assert_eq!((plain[0], &plain[1..]), (0, TEXT));
    for keys in [&mine, &theirs, &keys(OLD)] {
        assert_eq!(opened(keys, &plain).as_deref(), Some(TEXT), "readable text is taken by everybody");
    }
    let with_another = ReconnectKeys::random().unwrap().accept("k", OLD).unwrap();
    assert_eq!(opened(&keys(OLD), &sealed(&with_another)).as_deref(), Some(TEXT), "a configured one beside it seals");
}

#[test]
fn what_is_nothing_or_of_another_format_does_not_open() {
    let keys = keys(OLD);
    for nonsense in
        [&b""[..], b"\x01", b"\x02", b"\x02text", &[1; 1 + NONCE + TAG - 1], &[1; 1 + NONCE + TAG], &[1; 99]]
    {
        assert_eq!(opened(&keys, nonsense), None, "{nonsense:?}");
    }
    assert_eq!(opened(&keys, b"\0").as_deref(), Some(&b""[..]), "nothing at all can be kept");
}
