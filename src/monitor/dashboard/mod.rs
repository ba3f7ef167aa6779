//! `GET /` and `GET /assets/*`: the dashboard, written by hand and compiled in.
//!
//! The page is a shell that holds no data: what it shows it asks the API for, with the rights of whoever looks. So it is given
//! to everybody who may look, and where a token lets people in to everybody who may knock; it asks for the token then. Nothing
//! in it is inline, nothing comes from elsewhere, and all its links are relative: it works under any mount.
//!
//! Assets stand under a digest of them all, and may be kept for ever. Modules import each other by relative paths, so they
//! stay together under it.

mod files;

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use self::files::{ASSETS, DENIED, File, INDEX};
use super::answer::{Refusal, tagged};
use crate::body::ResponseBody;

/// What stands in the page for the digest.
const PLACE: &str = "{digest}";

/// The page, and the digest that its assets stand under.
struct Shell {
    digest: String,
    page: String,
    tag: String,
}

static SHELL: LazyLock<Shell> = LazyLock::new(|| {
    let digest = digest(ASSETS.iter().flat_map(|file| [file.name, file.text]));
    let page = INDEX.text.replace(PLACE, &digest);
    let tag = self::digest([page.as_str()]);
    Shell { digest, page, tag }
});

/// The page.
pub(super) fn page(parts: &Parts) -> Response<ResponseBody> {
    answer(parts, INDEX.media_type, SHELL.page.as_str(), &SHELL.tag, "no-cache")
}

/// An asset by what its path says after `assets/`. Another digest is another version's: what it links to is not here.
pub(super) fn asset(parts: &Parts, path: &str) -> Result<Response<ResponseBody>, Refusal> {
    let named = path.split_once('/').filter(|(digest, _)| *digest == SHELL.digest);
    let found = named.and_then(|(_, name)| ASSETS.iter().find(|file| file.name == name));
    let File { name, media_type, text } = found.ok_or(Refusal::new(StatusCode::NOT_FOUND, OUTDATED))?;
    let tag = format!("{}-{name}", SHELL.digest);
    Ok(answer(parts, media_type, text, &tag, "public, max-age=31536000, immutable"))
}

/// For somebody who is not let in, and could not get in with a token: how to.
pub(super) fn denied() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(DENIED.text));
    *response.status_mut() = StatusCode::FORBIDDEN;
    dress(&mut response, DENIED.media_type, "no-store");
    response
}

const OUTDATED: &str = "No such asset in this version; load the page again";

fn answer(
    parts: &Parts,
    media_type: &'static str,
    text: &'static str,
    tag: &str,
    caching: &'static str,
) -> Response<ResponseBody> {
    let mut response = tagged(parts, tag, || Response::new(ResponseBody::whole(text)));
    dress(&mut response, media_type, caching);
    response
}

/// Nothing inline, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn dress(response: &mut Response<ResponseBody>, media_type: &'static str, caching: &'static str) {
    let same_origin = HeaderValue::from_static("same-origin");
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    fields.insert(HeaderName::from_static("cross-origin-opener-policy"), same_origin.clone());
    fields.insert(HeaderName::from_static("cross-origin-resource-policy"), same_origin);
}

fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..9])
}

#[cfg(test)]
mod tests;
