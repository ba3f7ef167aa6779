//! `GET /api/openapi.json`: the routes as an OpenAPI 3.1 document, for people and for generators of clients.

use http::{HeaderValue, Response, header};

use crate::body::ResponseBody;
use crate::monitor::answer::written;

const DOCUMENT: &str = include_str!("openapi.json");

pub(crate) fn respond() -> Response<ResponseBody> {
    let mut response = written(DOCUMENT);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::{Method, StatusCode};
    use serde_json::Value;

    use super::*;
    use crate::monitor::route::{self, Route};

    const KEY: &str = "AAAAAAAAAAAAAAAA";
    const METHODS: [Method; 6] =
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// The name a route goes by in the document; `None` for what is no part of the API. A new route does not compile without.
    const fn operation(route: &Route) -> Option<&'static str> {
        match route {
            Route::List => Some("list"),
            Route::Health => Some("health"),
            Route::Poll => Some("poll"),
            Route::WebSocket => Some("webSocket"),
            Route::Sse => Some("sse"),
            Route::Detail(_) => Some("detail"),
            Route::Terminate(_) => Some("terminate"),
            Route::Reconnect(_) => Some("reconnect"),
            Route::Token(_) => Some("token"),
            Route::OpenApi => Some("openapi"),
            Route::Exchange => Some("exchange"),
            Route::Page | Route::Asset(_) => None,
        }
    }

    const OPERATIONS: usize = 11;

    #[test]
    fn what_is_documented_is_routed_and_nothing_else_at_its_path() {
        let document = document();
        let mut documented = BTreeSet::new();
        for (template, item) in document["paths"].as_object().unwrap() {
            let path = template.replace("{key}", KEY);
            for method in METHODS {
                let described = &item[method.as_str().to_lowercase()];
                match route::find(&method, &path) {
                    Ok(route) => {
                        let name = described["operationId"].as_str();
                        assert_eq!(name, operation(&route), "{method} {template}");
                        documented.extend(name.map(ToOwned::to_owned));
                    }
                    Err(refusal) => {
                        assert!(described.is_null(), "{method} {template} is documented, and there is no such route");
                        assert_eq!(refusal.into_response().status(), StatusCode::METHOD_NOT_ALLOWED, "{template}");
                    }
                }
            }
        }
        assert_eq!(documented.len(), OPERATIONS, "{documented:?}");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut waiting = vec![&document];
        let mut references = 0;
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(fields) => {
                    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                        references += 1;
                    }
                    waiting.extend(fields.values());
                }
                Value::Array(values) => waiting.extend(values),
                _ => {}
            }
        }
        assert!(references > 0);
    }
}
