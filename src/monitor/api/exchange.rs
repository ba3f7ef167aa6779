//! `POST /api/access`: a bearer token for a one-time code.

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use serde::{Deserialize, Serialize};

use super::body::object;
use crate::body::{BoxError, ResponseBody};
use crate::monitor::access::{Access, Role};
use crate::monitor::answer::{Refusal, json};

#[derive(Deserialize)]
struct Asked {
    code: String,
}

#[derive(Serialize)]
struct Given<'a> {
    token: &'a str,
    role: Role,
}

pub(crate) async fn respond<B>(access: &Access, parts: &Parts, body: B) -> Result<Response<ResponseBody>, Refusal>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Asked { code } = object(parts, body, "The body must be an object with a code: {\"code\": \"…\"}").await?;
    let (token, role) = access.exchange(&code).ok_or(Refusal::new(StatusCode::UNAUTHORIZED, NO_CODE))?;
    Ok(json(StatusCode::OK, &Given { token, role }))
}

const NO_CODE: &str = "This code is not this server's, was used already, or is older than ten minutes; start the server again for another";
