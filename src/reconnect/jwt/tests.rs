use std::time::{Duration, UNIX_EPOCH};

use hmac::{Hmac, KeyInit};
use jsonwebtoken::crypto::{CryptoProvider, KeyUtils};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::*;
use crate::session::Principal;
use ReconnectOutcome::{InvalidToken, InvalidTokenPurpose, TokenExpired};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &[u8] = b"fedcba9876543210fedcba9876543210";
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SECONDS: u64 = 1_800_000_000;

fn keys() -> ReconnectKeys {
    ReconnectKeys::new("k1", SECRET).unwrap()
}

fn session() -> SessionKey {
    SessionKey::parse("AAAA-BBBB_CCCC00").unwrap()
}

fn mint(keys: &ReconnectKeys) -> ReconnectToken {
    keys.mint(&Grant { session: session(), generation: 3, principal: None }, NOW).unwrap()
}

fn head() -> Value {
    json!({"alg": "HS256", "typ": "mcp-reconnect+jwt", "kid": "k1"})
}

fn claims() -> Value {
    json!({
        "iss": "tower-mcp-sessions", "aud": "mcp-reconnect", "sub": "", "sid": "AAAA-BBBB_CCCC00", "gen": 3,
        "jti": "AAAAAAAAAAAAAAAA", "iat": SECONDS, "exp": SECONDS + 900,
    })
}

/// `object` with a member set, or taken out where the value is null.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name)
    } else {
        members.insert(name.to_owned(), value)
    };
    object
}

/// Signs anything, in any of the HMAC algorithms.
fn forge(head: &str, claims: &str, algorithm: Algorithm, secret: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let signature = match algorithm {
        Algorithm::HS384 => mac::<Hmac<Sha384>>(&message, secret),
        Algorithm::HS512 => mac::<Hmac<Sha512>>(&message, secret),
        _ => mac::<Hmac<Sha256>>(&message, secret),
    };
    format!("{message}.{signature}")
}

fn mac<M: Mac + KeyInit>(message: &str, secret: &[u8]) -> String {
    let mac = <M as KeyInit>::new_from_slice(secret).unwrap().chain_update(message);
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn signed(head: &Value, claims: &Value) -> String {
    forge(&head.to_string(), &claims.to_string(), Algorithm::HS256, SECRET)
}

/// A clock that has never gone back.
fn at(now: Timestamp) -> TokenTime {
    TokenTime::new(now, None)
}

fn verdict_at(token: &str, now: Timestamp) -> Result<Claims, ReconnectOutcome> {
    keys().verify(&ReconnectToken::parse(token.as_bytes()).ok_or(InvalidToken)?, at(now))
}

#[track_caller]
fn refused(token: &str, as_what: ReconnectOutcome) {
    assert_eq!(verdict_at(token, NOW).unwrap_err(), as_what, "{token}");
}

#[test]
fn what_was_minted_is_what_is_read() {
    let keys = keys();
    for (generation, principal) in [(0, None), (1, Some("")), (7, Some("älice \" \\ \n")), (u32::MAX, Some("-"))] {
        let principal = principal.map(Principal::from);
        let grant = Grant { session: session(), generation, principal: principal.as_ref() };
        let token = keys.mint(&grant, NOW).unwrap();
        let claims = keys.verify(&token, at(NOW)).unwrap();
        assert_eq!((claims.session, claims.generation), (grant.session, generation));
        assert!(claims.is_for(principal.as_ref()) && !claims.is_for(Some(&"x".into())));
        assert_eq!(claims.id.len(), 16);
        assert_ne!(keys.verify(&keys.mint(&grant, NOW).unwrap(), at(NOW)).unwrap().id, claims.id);
    }
}

#[test]
fn a_token_has_exactly_the_members_it_should() {
    let token = mint(&keys());
    let parts: Vec<&str> = token.expose().split('.').collect();
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(read(parts[0]), head());
    let id = read(parts[1])["jti"].clone();
    assert_eq!(read(parts[1]), with(claims(), "jti", id));
}

/// Signed once, for alice. It must be good in every release that knows the key, and signed again byte for byte.
const GOLDEN: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6Im1jcC1yZWNvbm5lY3Qrand0Iiwia2lkIjoiazEifQ",
    ".eyJpc3MiOiJ0b3dlci1tY3Atc2Vzc2lvbnMiLCJhdWQiOiJtY3AtcmVjb25uZWN0Iiwic3ViIjoicHJpbmNpcGFsL2FsaWNlIiwic2lkIjoiQU",
    "FBQS1CQkJCX0NDQ0MwMCIsImdlbiI6MywianRpIjoiQUFBQUFBQUFBQUFBQUFBQSIsImlhdCI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAwOTAwfQ",
    ".-YPDf6NWgmjYkOJ-VuHOZkfvYKpfZveUozIcFdH85Gs",
);

#[test]
fn a_golden_token_is_good_and_signed_again_as_it_was() {
    let claims = verdict_at(GOLDEN, NOW).unwrap();
    assert_eq!((claims.session, claims.generation, claims.id.as_str()), (session(), 3, "AAAAAAAAAAAAAAAA"));
    assert!(claims.is_for(Some(&"alice".into())));
    let written = GOLDEN.split('.').nth(1).and_then(decoded::<Written>).unwrap();
    assert_eq!(keys().sign(&written), GOLDEN);
}

#[test]
fn any_library_could_have_signed_a_token() {
    let claims = verdict_at(&signed(&head(), &claims()), NOW).unwrap();
    assert_eq!((claims.generation, claims.id.as_str()), (3, "AAAAAAAAAAAAAAAA"));
    let spelt = with(head(), "typ", json!("MCP-Reconnect+JWT"));
    assert!(verdict_at(&signed(&spelt, &self::claims()), NOW).is_ok());
}

#[test]
fn only_hs256_with_a_known_key_is_a_signature() {
    let text = claims().to_string();
    for algorithm in ["none", "None", "", "RS256", "ES256", "HS384", "HS512", "hs256"] {
        refused(
            &forge(&with(head(), "alg", json!(algorithm)).to_string(), &text, Algorithm::HS256, SECRET),
            InvalidToken,
        );
    }
    for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        refused(&forge(&with(head(), "alg", json!(name)).to_string(), &text, algorithm, SECRET), InvalidToken);
    }
    refused(&forge(&head().to_string(), &text, Algorithm::HS384, SECRET), InvalidToken);
    refused(&forge(&head().to_string(), &text, Algorithm::HS256, OTHER_SECRET), InvalidToken);
    for (name, value) in [
        ("alg", Value::Null),
        ("kid", json!("k2")),
        ("kid", json!("K1")),
        ("kid", json!(1)),
        ("kid", Value::Null),
        ("typ", json!(7)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
    ] {
        refused(&signed(&with(head(), name, value), &claims()), InvalidToken);
    }
    let doubled = r#"{"alg":"none","alg":"HS256","typ":"mcp-reconnect+jwt","kid":"k1"}"#;
    refused(&forge(doubled, &text, Algorithm::HS256, SECRET), InvalidToken);
    let array = r#"["HS256","mcp-reconnect+jwt","k1"]"#;
    refused(&forge(array, &text, Algorithm::HS256, SECRET), InvalidToken);
}

#[test]
fn a_forged_token_learns_nothing_but_that_it_is_invalid() {
    for (head, claims) in [
        (with(head(), "typ", json!("at+jwt")), claims()),
        (head(), with(claims(), "aud", json!("another"))),
        (head(), with(claims(), "exp", json!(SECONDS - 10))),
        (head(), with(claims(), "iat", json!(1))),
    ] {
        refused(&forge(&head.to_string(), &claims.to_string(), Algorithm::HS256, OTHER_SECRET), InvalidToken);
    }
}

#[test]
fn a_changed_token_is_invalid_wherever_it_was_changed() {
    let token = mint(&keys()).expose().to_owned();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        refused(std::str::from_utf8(&changed).unwrap(), InvalidToken);
        refused(&token[..at], InvalidToken);
    }
}

#[test]
fn what_has_not_the_shape_of_a_token_is_invalid() {
    let token = mint(&keys()).expose().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("three parts") };
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "x".repeat(5_000),
        format!("{}.{claims}.{signature}", "A".repeat(3_000)),
        format!("{head}.{claims}"),
        format!("{head}.{claims}."),
        format!("{head}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.x"),
        format!("{head}..{claims}.{signature}"),
        format!("{token}="),
        format!("{head}=.{claims}.{signature}"),
        format!("Bearer {token}"),
    ] {
        refused(&text, InvalidToken);
    }
}

#[test]
fn a_token_made_for_something_else_is_told_apart() {
    for typ in [json!("JWT"), json!("at+jwt"), json!(""), Value::Null] {
        refused(&signed(&with(head(), "typ", typ), &json!({})), InvalidTokenPurpose);
    }
    refused(&signed(&head(), &with(claims(), "aud", json!("another"))), InvalidTokenPurpose);
}

#[test]
fn every_claim_must_be_there_and_of_its_type() {
    let array = json!([]);
    for (name, wrong) in [
        ("iss", vec![json!(1), json!("someone"), json!(["tower-mcp-sessions"])]),
        ("aud", vec![json!(1), json!(["mcp-reconnect"])]),
        ("sub", vec![json!(1), json!({})]),
        ("sid", vec![json!(1), json!(""), json!("too-short"), json!("AAAABBBBCCCC000="), array]),
        ("gen", vec![json!("3"), json!(-1), json!(3.5), json!(4_294_967_296_u64)]),
        ("jti", vec![json!(1), json!(true)]),
        ("iat", vec![json!("1"), json!(1.5), json!(-1)]),
        ("exp", vec![json!("1"), json!(SECONDS as f64 + 900.0), json!(-1)]),
    ] {
        refused(&signed(&head(), &with(claims(), name, Value::Null)), InvalidToken);
        for value in wrong {
            refused(&signed(&head(), &with(claims(), name, value)), InvalidToken);
        }
    }
    let null = claims().to_string().replace("\"gen\":3", "\"gen\":null");
    refused(&forge(&head().to_string(), &null, Algorithm::HS256, SECRET), InvalidToken);
    for text in ["", "{", "[]", "null", "\u{e9}", r#"{"sub":"","sub":""}"#] {
        refused(&forge(&head().to_string(), text, Algorithm::HS256, SECRET), InvalidToken);
    }
}

#[test]
fn a_token_is_good_from_its_making_to_its_end_with_five_seconds_at_both() {
    let token = signed(&head(), &claims());
    let judged = |millis: i64| verdict_at(&token, Timestamp(NOW.0.checked_add_signed(millis).unwrap())).map(|_| ());
    for (millis, verdict) in [
        (-5_001, Err(InvalidToken)),
        (-5_000, Ok(())),
        (0, Ok(())),
        (900_000, Ok(())),
        (905_000, Ok(())),
        (905_001, Err(TokenExpired)),
    ] {
        assert_eq!(judged(millis), verdict, "{millis}");
    }
    for (name, value, as_what) in [
        ("iat", json!(SECONDS + 6), InvalidToken),
        ("iat", json!(u64::MAX), InvalidToken),
        ("nbf", json!(SECONDS + 6), InvalidToken),
        ("nbf", json!("soon"), InvalidToken),
        ("exp", json!(SECONDS), InvalidToken),
        ("exp", json!(SECONDS - 1), InvalidToken),
    ] {
        refused(&signed(&head(), &with(claims(), name, value)), as_what);
    }
    let far = with(with(claims(), "exp", json!(u64::MAX)), "nbf", json!(SECONDS + 5));
    assert!(verdict_at(&signed(&head(), &far), NOW).is_ok());
}

#[test]
fn a_token_from_before_the_clock_went_back_is_good_as_long_as_it_would_have_been() {
    let token = mint(&keys());
    // Nine minutes back, a minute after the token was made.
    let back =
        |since: u64| TokenTime { now: Timestamp(NOW.0 - 540_000 + since), latest: Timestamp(NOW.0 + 60_000 + since) };
    let verdict = |time: TokenTime| keys().verify(&token, time).map(|_| ());
    assert_eq!(verdict(TokenTime { latest: back(0).now, ..back(0) }), Err(InvalidToken), "who does not know of it");
    for (since, expected) in [(0, Ok(())), (845_000, Ok(())), (900_000, Ok(()))] {
        assert_eq!(verdict(back(since)), expected, "{since}");
    }
    let hours = TokenTime { now: Timestamp(NOW.0 - 7_200_000), latest: Timestamp(NOW.0 + 905_001) };
    assert_eq!(verdict(hours), Err(TokenExpired), "what had its time does not begin anew");
    let new = keys().mint(&Grant { session: session(), generation: 3, principal: None }, back(0).now).unwrap();
    assert!(keys().verify(&new, back(0)).is_ok() && keys().verify(&new, at(back(0).now)).is_ok(), "by everybody");
}

#[test]
fn a_token_that_is_to_come_names_its_session_if_it_is_authentic() {
    let claims = with(with(claims(), "iat", json!(SECONDS + 3_600)), "exp", json!(SECONDS + 4_500));
    let session_of = |text: String| keys().session_to_come(&ReconnectToken::parse(text.as_bytes()).unwrap(), at(NOW));
    assert_eq!(session_of(signed(&head(), &claims)), Some(session()));
    assert_eq!(session_of(signed(&head(), &self::claims())), None);
    assert_eq!(session_of(forge(&head().to_string(), &claims.to_string(), Algorithm::HS256, OTHER_SECRET)), None);
}

#[test]
fn a_lifetime_chosen_here_does_not_shorten_what_another_replica_granted() {
    let token = mint(&keys().token_ttl(Duration::from_secs(86_400)));
    assert!(keys().verify(&token, at(Timestamp(NOW.0 + 86_400_000))).is_ok());
}

#[test]
fn keys_change_without_refusing_anybody_until_the_old_one_ends() {
    let until = UNIX_EPOCH + Duration::from_millis(NOW.0 + 60_000);
    let before = keys();
    let during = keys().accept("k2", OTHER_SECRET).unwrap();
    let after = ReconnectKeys::new("k2", OTHER_SECRET).unwrap().accept_until("k1", SECRET, until).unwrap();
    let (old, new) = (mint(&before), mint(&after));
    assert!(during.verify(&old, at(NOW)).is_ok() && during.verify(&new, at(NOW)).is_ok());
    assert!(after.verify(&old, at(Timestamp(NOW.0 + 60_000))).is_ok());
    assert_eq!(after.verify(&old, at(Timestamp(NOW.0 + 60_001))).unwrap_err(), InvalidToken);
    assert!(after.verify(&new, at(Timestamp(NOW.0 + 60_001))).is_ok());
    assert_eq!(before.verify(&new, at(NOW)).unwrap_err(), InvalidToken);
}

#[test]
fn servers_that_share_keys_can_tell_their_tokens_apart() {
    let token = mint(&keys().audience("staging").issuer("me"));
    assert!(keys().audience("staging").issuer("me").verify(&token, at(NOW)).is_ok());
    assert_eq!(keys().issuer("me").verify(&token, at(NOW)).unwrap_err(), InvalidTokenPurpose);
    assert_eq!(keys().audience("staging").verify(&token, at(NOW)).unwrap_err(), InvalidToken);
}

#[test]
fn a_principal_too_long_for_a_token_gets_none() {
    let principal = Principal::from("x".repeat(3_000));
    let grant = Grant { session: session(), generation: 0, principal: Some(&principal) };
    assert!(matches!(keys().mint(&grant, NOW), Err(TokenError::TooLong)));
}

#[test]
fn the_provider_of_the_process_is_not_asked() {
    static NO_PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| panic!("asked the process"),
        verifier_factory: |_, _| panic!("asked the process"),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // What a process with no backend or two has before it chooses: a provider that panics.
    NO_PROVIDER.install_default().expect("nothing else here asks for a provider");
    assert!(keys().verify(&mint(&keys()), at(NOW)).is_ok());
}
