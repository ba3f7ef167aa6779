//! An error and what it comes from, in one line, for a person: `fn main() -> Result<(), Box<dyn Error>>` prints errors by `Debug`.

use std::error::Error;
use std::fmt;

/// Writes an error as it displays, then its causes. Some errors tell their cause themselves.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, error: &dyn Error) -> fmt::Result {
    let mut told = error.to_string();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    f.write_str(&told)
}
