//! A `tools/call` answered by an event stream: three times progress, all there at once, then the result. Behind the layer it is
//! logged, so that it can be resumed.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::client::Client;
use crate::stage::Stage;
use crate::support::handler::handler;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"to":3},"_meta":{"progressToken":"a-token-of-some-length"}}}"#;
const TIMES: usize = 100;

pub fn run(stage: &mut Stage) {
    let service = stage.mount(counting);
    let client = stage.run(Client::open(&service));
    stage.warm_up(&client);
    let answer = stage.run(client.post(CALL));
    assert_eq!(answer.matches("notifications/progress").count(), 3, "{answer}");
    assert!(answer.ends_with("\"result\":{}}\n\n"), "{answer}");
    assert_eq!(answer.contains("id: "), stage.has_layer(), "behind the layer it is logged: {answer}");
    let call = async |times| {
        for _ in 0..times {
            client.post(CALL).await;
        }
    };
    stage.run(call(20));
    stage.count(TIMES, call(TIMES));
}

/// Counts to three; answers everything else at once.
async fn counting(Json(message): Json<Value>) -> Response {
    if message["method"] != "tools/call" {
        return handler(Json(message)).await.into_response();
    }
    let messages = [progress(1), progress(2), progress(3), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned()];
    let frames = messages.map(|message| Ok::<_, std::convert::Infallible>(Bytes::from(format!("data: {message}\n\n"))));
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream::iter(frames))).into_response()
}

fn progress(step: u8) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":"a-token-of-some-length","progress":{step},"total":3}}}}"#
    )
}
