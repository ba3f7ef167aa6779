//! The scripted service's answers, method by method.

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tower_mcp_sessions::body::BoxError;

use super::{OnInitialize, Script, Scripted, Seen, accepted};
use crate::harness::headers::SESSION_ID;

type Chunk = Result<Bytes, BoxError>;

impl Scripted {
    pub(super) async fn answer_initialize(&self, how: OnInitialize, message: &Value) -> Response<Body> {
        let running = self.begin();
        match how {
            OnInitialize::Refuse(status) => return self.with_id(text(status, "no")),
            OnInitialize::Wait => self.wait().await,
            OnInitialize::Panic => panic!("told to, at initialize"),
            _ => {}
        }
        let name = self.shared.script.lock().unwrap().name;
        let result = accepted(&message["id"], &message["params"]["protocolVersion"], name);
        let response = match how {
            OnInitialize::Sse => events(vec![Ok(event(&result))]),
            OnInitialize::SseWithLength => with_length(event(&result)),
            OnInitialize::SseAfterNotification => events(vec![Ok(event(&log("starting"))), Ok(event(&result))]),
            OnInitialize::Error => error(StatusCode::OK, &message["id"], "not today"),
            OnInitialize::Modern => json_body(&accepted(&message["id"], &json!("2026-07-28"), name)),
            OnInitialize::BrokenOff => {
                let mut response = events(vec![Ok(Bytes::from_static(b"data: {")), Err("cut".into())]);
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            OnInitialize::Says(status, media, encoding, body) => {
                let version = message["params"]["protocolVersion"].as_str().unwrap_or_default();
                literal(&json!({ "status": status, "body": body.replace("VERSION", version), "headers": {
                    "content-type": media, "content-encoding": encoding,
                }}))
            }
            OnInitialize::Json | OnInitialize::Wait | OnInitialize::Refuse(_) | OnInitialize::Panic => {
                json_body(&result)
            }
        };
        running.finish();
        self.with_id(response)
    }

    fn with_id(&self, mut response: Response<Body>) -> Response<Body> {
        if self.shared.has_sessions {
            let id = self.mint();
            if self.shared.script.lock().unwrap().sets_cookies {
                let cookie = format!("node={}; Path=/; HttpOnly", id.to_str().unwrap());
                response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_str(&cookie).unwrap());
            }
            response.headers_mut().insert(SESSION_ID, id);
        }
        response
    }

    pub(super) async fn answer_message(&self, script: &Script, seen: &Seen, message: &Value) -> Response<Body> {
        if message["method"].is_null() && !message["id"].is_null() {
            return self.take_answer(seen, message);
        }
        if message["id"].is_null() {
            if script.streams_for_notifications {
                return self.listen(false);
            }
            let is_initialized = seen.method() == "notifications/initialized";
            assert!(!(is_initialized && script.initialized_panics), "told to, at initialized");
            if is_initialized && script.initialized_stays {
                return literal(&json!({ "headers": { "content-type": "text/event-stream" }, "open": true }));
            }
            if seen.method() == "notifications/literal" {
                return literal(&message["params"]);
            }
            return status(if is_initialized { script.initialized } else { StatusCode::ACCEPTED });
        }
        let running = self.begin();
        let response = self.answer_request(seen, message).await;
        running.finish();
        if script.answers_with_another_id { self.with_id(response) } else { response }
    }

    async fn answer_request(&self, seen: &Seen, message: &Value) -> Response<Body> {
        let (id, params) = (&message["id"], &message["params"]);
        match seen.method().as_str() {
            "echo" => json_body(&result(id, params)),
            "literal" => literal(params),
            "wait" => {
                self.wait().await;
                json_body(&result(id, params))
            }
            "stream" => self.stream_and_wait(id.clone()),
            "steps" => self.step_by_step(id.clone(), params),
            "flood" => self.flood(id.clone(), params),
            "ask" => self.ask(seen, id.clone(), params),
            "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => match &params["uri"] {
                Value::String(uri) if uri == "refused:" || seen.replayed && uri.starts_with("once:") => {
                    error(StatusCode::OK, id, "no such resource")
                }
                _ => json_body(&result(id, &json!({}))),
            },
            "primed" => {
                with_length(["id: 1\nretry: 3000\ndata:\n\n".as_bytes(), &event(&result(id, params))].concat().into())
            }
            "slow-body" => self.body_and_wait(id.clone()),
            "panic" => panic!("told to, before the head"),
            "panic-in-stream" => breaking_stream(event(&log("so far so good"))),
            "panic-in-message" => breaking_stream(Bytes::from_static(b"data: {\"jsonrpc\":")),
            "not-found" => error(StatusCode::NOT_FOUND, id, "no such thing"),
            "not-found-in-words" => text(StatusCode::NOT_FOUND, "no such thing"),
            "tools/list" => list_tools(id, params),
            "tools/call" => json_body(&result(id, &json!({ "called": params["name"] }))),
            "session/put" => put(seen, id, params).await,
            "session/get" => get(seen, id, params).await,
            "session/remove" => remove(seen, id, params).await,
            other => error(StatusCode::OK, id, &format!("no method {other}")),
        }
    }

    /// A first message at once; a second and the result after the gate.
    fn stream_and_wait(&self, id: Value) -> Response<Body> {
        let (service, running) = (self.clone(), self.begin());
        let first = stream::once(async { Ok::<_, BoxError>(event(&log("begun"))) });
        let last = stream::once(async move {
            service.wait().await;
            running.finish();
            Ok(event(&result(&id, &json!({ "done": true }))))
        });
        event_stream(Body::from_stream(first.chain(last)))
    }

    /// A JSON answer whose head comes at once and whose body waits for the gate.
    fn body_and_wait(&self, id: Value) -> Response<Body> {
        let (service, running) = (self.clone(), self.begin());
        let body = stream::once(async move {
            service.wait().await;
            running.finish();
            Ok::<_, BoxError>(Bytes::from(result(&id, &json!({ "done": true })).to_string()))
        });
        let mut response = Response::new(Body::from_stream(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// Exactly this `status`, these `headers` and this `body`, which stays `open` if it is told to.
fn literal(answer: &Value) -> Response<Body> {
    let body = Bytes::from(answer["body"].as_str().unwrap_or_default().to_owned());
    let mut response = match answer["open"] == true {
        true => {
            let begins = stream::once(async { Ok::<_, BoxError>(body) });
            Response::new(Body::from_stream(begins.chain(stream::pending())))
        }
        false => Response::new(Body::from(body)),
    };
    *response.status_mut() = StatusCode::from_u16(answer["status"].as_u64().unwrap_or(200) as u16).unwrap();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().expect("text").parse().unwrap();
        response.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value);
    }
    response
}

/// A page of tools, written in a way of its own; the last one where a cursor is given, and as an event where a stream is asked for.
/// Told so, it has a tool on it that is called as the layer's.
fn list_tools(id: &Value, params: &Value) -> Response<Body> {
    let more = if params["cursor"].is_null() { r#", "nextCursor":"2""# } else { "" };
    let rival = if params["rival"] == true { r#"{"name":"reconnect_session"}, "# } else { "" };
    let page =
        format!(r#"{{ "jsonrpc":"2.0","id":{id}, "result" : {{"tools": [ {rival}{{"name" :"own"}} ]{more}}} }}"#);
    if params["as"] == "stream" {
        return events(vec![Ok(event(&log("listing"))), Ok(format!("id: 7\ndata: {page}\n\n").into())]);
    }
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn put(seen: &Seen, id: &Value, params: &Value) -> Response<Body> {
    let session = seen.session.as_ref().expect("a request of a session");
    match session.insert(params["name"].as_str().unwrap(), &params["value"]).await {
        Ok(()) => json_body(&result(id, &json!({ "stored": true }))),
        Err(refused) => {
            let facts = json!({ "stored": false, "too_large": refused.is_too_large(), "ended": refused.is_ended() });
            json_body(&result(id, &facts))
        }
    }
}

async fn get(seen: &Seen, id: &Value, params: &Value) -> Response<Body> {
    let session = seen.session.as_ref().expect("a request of a session");
    let value: Option<Value> = session.get(params["name"].as_str().unwrap()).await.expect("the store answers");
    json_body(&result(id, &json!({ "value": value })))
}

async fn remove(seen: &Seen, id: &Value, params: &Value) -> Response<Body> {
    let session = seen.session.as_ref().expect("a request of a session");
    let removed = session.remove(params["name"].as_str().unwrap()).await.expect("the store answers");
    json_body(&result(id, &json!({ "removed": removed })))
}

/// Some bytes, then a panic.
fn breaking_stream(first: Bytes) -> Response<Body> {
    let panics = stream::once(async { panic!("told to, after the first byte") });
    event_stream(Body::from_stream(stream::once(async { Ok::<_, BoxError>(first) }).chain(panics)))
}

/// 401, as an authorization server's resource answers (RFC 9728).
pub(super) fn challenge() -> Response<Body> {
    let mut response = text(StatusCode::UNAUTHORIZED, "log in");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    response
}

pub(super) fn status(status: StatusCode) -> Response<Body> {
    text(status, "")
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

pub(super) fn error(status: StatusCode, id: &Value, text: &str) -> Response<Body> {
    let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": text } });
    let mut response = json_body(&error);
    *response.status_mut() = status;
    response
}

/// What this layer says itself of a session that it does not know.
pub(super) fn lost(id: &Value) -> Response<Body> {
    let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32001, "message": "Session not found" } });
    let mut response = json_body(&error);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

pub(super) fn result(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

pub(super) fn log(text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": text } })
}

pub(super) fn event(message: &Value) -> Bytes {
    format!("data: {message}\n\n").into()
}

fn json_body(message: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(message.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn events(chunks: Vec<Chunk>) -> Response<Body> {
    event_stream(Body::from_stream(stream::iter(chunks)))
}

/// Events whose length is declared, as frameworks do that hold the whole body.
fn with_length(events: Bytes) -> Response<Body> {
    let length = HeaderValue::from(events.len());
    let mut response = event_stream(Body::from(events));
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}

pub(super) fn event_stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
