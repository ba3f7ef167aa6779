//! What a failure of Redis means to the layer, and to the connection it came through.

use deadpool_redis::PoolError;
use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

use super::misfit::Misfit;
use crate::store::{StoreError, StoreErrorKind};

/// What the caller is told. The cause is kept; it names no password.
pub(super) fn store_error(error: RedisError) -> StoreError {
    match Misfit::told_by(&error) {
        Some(misfit) => StoreError::new(StoreErrorKind::Misconfigured, error).saying(misfit.texts()),
        None => StoreError::new(kind(&error), error),
    }
}

/// No answer within what an operation may take.
pub(super) fn too_late() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "no answer within the deadline")
}

pub(super) fn pool_error(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => store_error(error),
        other => StoreError::new(StoreErrorKind::Unavailable, other),
    }
}

fn kind(error: &RedisError) -> StoreErrorKind {
    use StoreErrorKind::{Corrupt, Misconfigured, NewerFormat, Refused, Unavailable};
    match error.kind() {
        ErrorKind::Server(kind) => match kind {
            ServerErrorKind::NoScript => Misconfigured,
            _ => Refused,
        },
        ErrorKind::Extension => match error.code() {
            Some("NEWERFORMAT") => NewerFormat,
            Some("WRONGTYPE") => Corrupt,
            _ => Refused,
        },
        ErrorKind::InvalidClientConfig => Misconfigured,
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => Corrupt,
        _ => Unavailable,
    }
}

/// Whether the connection an error came through is of no more use: broken, silent, or its server no longer takes writes.
pub(super) fn spoils(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed) || turned_away(error)
}

/// Whether the server is there and no longer the one to ask: demoted, or still loading.
pub(super) fn turned_away(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown)
    )
}
