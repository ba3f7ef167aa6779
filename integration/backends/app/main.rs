//! A program beside the layer: it signs and reads JWTs of its own, where it has a backend, and one of its clients gets its
//! session back with a token.

#[cfg(feature = "own-tokens")]
mod own_tokens;
mod reconnect;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // The layer's tokens first and last: neither may depend on what the other did.
    reconnect::a_token_gets_the_session_back().await;
    #[cfg(feature = "own-tokens")]
    own_tokens::are_good();
    reconnect::a_token_gets_the_session_back().await;
    println!("all good");
}
