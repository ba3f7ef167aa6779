//! What holds of every request that an inner service gets, in every test: it is whole.

use http::{Method, header};

use super::Seen;

/// # Aborts
///
/// If what the head says of the body is not so. A panic would be caught by the layer, and go unnoticed.
pub(super) fn assert_whole(seen: &Seen) {
    if let Some(flaw) = flaw(seen) {
        eprintln!("the layer sent a request that is not whole: {flaw}: {} {:?}", seen.http_method, seen.headers.keys());
        std::process::abort();
    }
}

fn flaw(seen: &Seen) -> Option<&'static str> {
    let length = seen.body.len();
    let declared: Vec<_> = seen.headers.get_all(header::CONTENT_LENGTH).iter().map(|value| value.as_bytes()).collect();
    let is_true = match declared.as_slice() {
        [] => true,
        [one] => *one == length.to_string().as_bytes(),
        _ => false,
    };
    let is_modern = seen.header("mcp-protocol-version").is_some_and(|version| version >= "2026");
    let speaks_of_content = |name: &str| name.starts_with("content-") && name != "content-length";
    match () {
        () if !is_true => Some("its declared length is not that of its body"),
        () if length > 0 && declared.is_empty() && !is_modern => Some("its length is not declared"),
        () if !is_modern && seen.headers.contains_key(header::TRANSFER_ENCODING) => {
            Some("it is here whole, and not in parts")
        }
        () if length == 0 && seen.http_method != Method::POST && !declared.is_empty() => {
            Some("a length without a body")
        }
        () if length == 0 && !is_modern && seen.headers.keys().any(|name| speaks_of_content(name.as_str())) => {
            Some("it speaks of content that it does not have")
        }
        () => None,
    }
}
