//! The byte order mark, U+FEFF in UTF-8, which some servers begin their answers with. It says nothing and is read past.

use bytes::Bytes;

pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// A body without it.
pub(crate) fn strip(body: Bytes) -> Bytes {
    if body.starts_with(BOM) { body.slice(BOM.len()..) } else { body }
}
