//! An official client begins as nobody, is challenged by a call, logs in at an authorization server and repeats the call with its
//! token and the session it has. Some servers do so: their `initialize` and lists are open.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response as AxumResponse};
use axum::routing::{get, post};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, service_fn};
use tower_mcp_sessions::body::RequestBody;
use tower_mcp_sessions::{McpSession, Refusal};
use url::form_urlencoded;

use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::clients::{TsSdk, drive_ts};
use crate::harness::raw::{Client, SESSION_ID, VERSION};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    v1_logs_in_when_the_server_inside_asks,
    v2_logs_in_when_the_server_inside_asks,
    v1_logs_in_when_a_layer_outside_asks,
    v2_logs_in_when_a_layer_outside_asks,
}

const TOKEN: &str = "given-to-alice";
const CODE: &str = "one-time-code";

/// Where calls are challenged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Challenged {
    /// By the inner service.
    Inside,
    /// By a layer of the host's in front of the sessions.
    Outside,
}

/// The first replica, which is known by its address.
type Public = Arc<OnceLock<String>>;

async fn v1_logs_in_when_the_server_inside_asks(backend: Backend) {
    logs_in(backend, TsSdk::V1, Challenged::Inside).await;
}

async fn v2_logs_in_when_the_server_inside_asks(backend: Backend) {
    logs_in(backend, TsSdk::V2, Challenged::Inside).await;
}

async fn v1_logs_in_when_a_layer_outside_asks(backend: Backend) {
    logs_in(backend, TsSdk::V1, Challenged::Outside).await;
}

async fn v2_logs_in_when_a_layer_outside_asks(backend: Backend) {
    logs_in(backend, TsSdk::V2, Challenged::Outside).await;
}

async fn logs_in(backend: Backend, sdk: TsSdk, challenged: Challenged) {
    let (store, public) = (backend.store().await, Public::default());
    let (_server, authorization) = authorization_server().await;
    let [one, other] = [
        replica(&store, &public, &authorization, challenged).await,
        replica(&store, &public, &authorization, challenged).await,
    ];
    let url = |replica: &Replica| format!("http://{}/mcp", replica.address);
    public.set(format!("http://{}", one.address)).expect("it is told once");

    let report = drive_ts(sdk, &url(&one), "login", json!({ "otherUrl": url(&other), "keep": true })).await;

    report.assert_clean();
    let id = report.session_id.clone().expect("the session is kept");
    let who = report.detail("the call, said again");
    assert_eq!(*who, json!({ "principal": "alice", "session": &id[..16] }), "{report}");
    let status = async |client: Client| {
        let client = client.with(SESSION_ID, &id).with(VERSION, "2025-11-25");
        client.call("tools/list", json!({})).await.status
    };
    for replica in [&one, &other] {
        let nobody = Client::of(replica);
        assert_eq!(status(nobody.clone()).await, StatusCode::NOT_FOUND, "it is nobody's no more");
        let alice = nobody.with(header::AUTHORIZATION, &format!("Bearer {TOKEN}"));
        assert_eq!(status(alice).await, StatusCode::OK);
    }
    assert_eq!(store.counts().await, (1, 0));
}

/// Who a token was given to.
fn principal(parts: &Parts, public: &Public) -> Result<Option<&'static str>, Refusal> {
    match parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(shown) if *shown == *format!("Bearer {TOKEN}").as_bytes() => Ok(Some("alice")),
        Some(_) => Err(Refusal::unauthorized("Log in again").with_challenge(challenge(public))),
    }
}

fn challenge(public: &Public) -> HeaderValue {
    let public = public.get().expect("the first replica runs");
    let value = format!("Bearer resource_metadata=\"{public}/.well-known/oauth-protected-resource/mcp\"");
    HeaderValue::from_str(&value).expect("visible ASCII")
}

fn challenged_with(public: &Public) -> AxumResponse {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge(public))], "log in").into_response()
}

async fn replica(store: &SharedStore, public: &Public, authorization: &str, challenged: Challenged) -> Replica {
    let of_hook = Arc::clone(public);
    let sessions = layer(store).principal(move |parts| principal(parts, &of_hook)).build();
    let of_inner = Arc::clone(public);
    let inner = service_fn(move |request: Request<RequestBody>| {
        let public = (challenged == Challenged::Inside).then(|| Arc::clone(&of_inner));
        async move { Ok::<_, Infallible>(answer(request, public).await) }
    });
    let of_outside = Arc::clone(public);
    let outside = from_fn(move |request: AxumRequest, next: Next| {
        let public = (challenged == Challenged::Outside).then(|| Arc::clone(&of_outside));
        async move { guard(request, next, public).await }
    });
    let resource = {
        let (public, authorization) = (Arc::clone(public), authorization.to_owned());
        move || async move {
            let resource = format!("{}/mcp", public.get().expect("the first replica runs"));
            json_answer(StatusCode::OK, &json!({ "resource": resource, "authorization_servers": [authorization] }))
        }
    };
    let app = Router::new().route_service("/mcp", sessions.layer(inner)).layer(outside);
    Replica::serve(app.route("/.well-known/oauth-protected-resource/mcp", get(resource))).await
}

/// A layer of the host's: lists are open, calls are for who has logged in.
async fn guard(request: AxumRequest, next: Next, public: Option<Public>) -> AxumResponse {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    match public.filter(|_| is_call(&body) && !parts.headers.contains_key(header::AUTHORIZATION)) {
        Some(public) => challenged_with(&public),
        None => next.run(AxumRequest::from_parts(parts, body.into())).await,
    }
}

fn is_call(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|message| message["method"] == "tools/call")
}

/// The inner service: one tool, which says who calls it.
async fn answer(request: Request<RequestBody>, challenges: Option<Public>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let session = parts.extensions.get::<McpSession>();
    let principal = session.and_then(|session| session.principal()).map(|principal| principal.as_str());
    if let Some(public) = challenges.filter(|_| is_call(&body) && principal.is_none()) {
        let (head, _) = challenged_with(&public).into_parts();
        return Response::from_parts(head, Full::from("log in"));
    }
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": "open to all who only look", "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": [{ "name": "whoami", "inputSchema": { "type": "object" } }] }),
        Some("tools/call") => {
            let who = json!({ "principal": principal, "session": session.map(|session| session.key().to_string()) });
            json!({ "content": [{ "type": "text", "text": who.to_string() }], "structuredContent": who })
        }
        Some(_) if message["id"].is_null() => return status(StatusCode::ACCEPTED),
        _ => return status(StatusCode::METHOD_NOT_ALLOWED),
    };
    let (head, _) = json_answer(StatusCode::OK, &Value::Null).into_parts();
    let said = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    Response::from_parts(head, Full::from(said.to_string()))
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn json_answer(status: StatusCode, value: &Value) -> AxumResponse {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// An authorization server that lets everybody in as alice, and its issuer.
async fn authorization_server() -> (Replica, String) {
    let issuer = Public::default();
    let metadata = {
        let issuer = Arc::clone(&issuer);
        move || async move {
            let issuer = issuer.get().expect("it runs");
            let at = |path: &str| format!("{issuer}{path}");
            json_answer(
                StatusCode::OK,
                &json!({
                    "issuer": issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
                    "registration_endpoint": at("/register"), "response_types_supported": ["code"],
                    "grant_types_supported": ["authorization_code"], "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                }),
            )
        }
    };
    let register = async |body: Bytes| {
        let mut client: Value = serde_json::from_slice(&body).expect("JSON");
        client["client_id"] = json!("client-1");
        json_answer(StatusCode::CREATED, &client)
    };
    let authorize = async |request: AxumRequest| {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let asked: HashMap<String, String> = form_urlencoded::parse(query).into_owned().collect();
        assert_eq!((asked["client_id"].as_str(), asked["code_challenge_method"].as_str()), ("client-1", "S256"));
        let state = asked.get("state").map(|state| format!("&state={state}")).unwrap_or_default();
        let location = format!("{}?code={CODE}{state}", asked["redirect_uri"]);
        (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
    };
    let token = async |body: String| {
        assert!(body.contains(&format!("code={CODE}")) && body.contains("code_verifier="), "{body}");
        let token = json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600 });
        json_answer(StatusCode::OK, &token)
    };
    let app = Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/register", post(register))
        .route("/authorize", get(authorize))
        .route("/token", post(token));
    let server = Replica::serve(app).await;
    let named = format!("http://{}", server.address);
    issuer.set(named.clone()).expect("it is told once");
    (server, named)
}
