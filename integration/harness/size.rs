//! How big a test is: quick enough for every push, or as big as promised with `integration/run --full`.

/// The everyday size, or the full one.
pub(crate) fn size(everyday: usize, full: usize) -> usize {
    if std::env::var_os("FULL").is_some() { full } else { everyday }
}
