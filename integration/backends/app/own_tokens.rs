//! What a program does with jsonwebtoken that leaves the choice of the backend to the features it enabled.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};

const SECRET: &[u8] = b"the program's own secret, not the layer's";

pub fn are_good() {
    let claims = json!({ "sub": "somebody", "exp": jsonwebtoken::get_current_timestamp() + 60 });
    let token = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(SECRET)).expect("signed");
    let read = |secret| decode::<Value>(&token, &DecodingKey::from_secret(secret), &Validation::new(Algorithm::HS256));
    assert_eq!(read(SECRET).expect("good").claims, claims);
    assert!(read(b"another secret").is_err());
}
