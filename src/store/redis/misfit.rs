//! *What is set up wrongly?* A Redis that is there and does not go along with its address, its user or its own settings: each with
//! what whoever set it up can do.

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The user or the password is not the right one.
    Credentials,
    /// There is a password, and none was sent.
    NoPassword,
    /// The database of the address.
    Database,
    /// The user may not do what has to be done.
    Rights,
    /// A cluster that keeps these keys elsewhere.
    Cluster,
    /// It does not run our scripts.
    TooOld,
}

impl Misfit {
    /// What an error says of it; `None` if that is something else.
    pub(super) fn told_by(error: &RedisError) -> Option<Self> {
        let says = |words| error.detail().is_some_and(|detail| detail.contains(words));
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => Some(Self::Credentials),
            (_, Some("NOAUTH")) => Some(Self::NoPassword),
            (ErrorKind::Server(ServerErrorKind::NoPerm), _) => Some(Self::Rights),
            // Redis 7.0 tells so of rights that a script misses.
            (ErrorKind::Server(ServerErrorKind::ResponseError), _) if says("user executing the script can't") => {
                Some(Self::Rights)
            }
            // What follows comes with the library's words in place of the code.
            (ErrorKind::Server(ServerErrorKind::ResponseError), _) if is_of_select(error) => {
                match says("permissions") {
                    true => Some(Self::Rights),
                    false => Some(Self::Database),
                }
            }
            // Redis before 7.0 does not know the first line of our scripts.
            (ErrorKind::Server(ServerErrorKind::ResponseError), _) if says("compiling script") => Some(Self::TooOld),
            (ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot), _) => {
                Some(Self::Cluster)
            }
            _ => None,
        }
    }

    /// What is the matter, and what to do about it.
    pub(super) const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Credentials => (
                "does not take the user and password of its address",
                "an address is redis://[user:password@]host[:port]/ with @, / and % in a password written %40, %2F and %25; \
                 without a user, the password is that of the user `default` (requirepass)",
            ),
            Self::NoPassword => {
                ("wants a password, and its address has none", "write it there: redis://[user:password@]host[:port]/")
            }
            Self::Database => (
                "has no database of the number in its address",
                "the number in redis://host[:port]/NUMBER is 0 to 15, unless `databases` in redis.conf says otherwise, and 0 in a \
                 cluster; deployments in one Redis are better told apart by a prefix each",
            ),
            Self::Rights => (
                "lets its user do too little",
                "give the user the commands, keys and channels that the documentation of RedisStore lists (ACL SETUSER); \
                 `ACL LOG` in redis-cli shows what was refused",
            ),
            Self::Cluster => (
                "is part of a cluster that keeps these keys on another node",
                "name a Redis that is no cluster, or a proxy in front of the cluster",
            ),
            Self::TooOld => ("is older than Redis 7.0", "name a newer one"),
        }
    }
}

/// Whether this is the refusal of the database that an address names.
fn is_of_select(error: &RedisError) -> bool {
    error.to_string().starts_with("Redis server refused to switch database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_is_told_apart() {
        let response = |what: &'static str, detail: &str| {
            RedisError::from((ServerErrorKind::ResponseError.into(), what, detail.to_owned()))
        };
        for (error, misfit) in [
            (response("An error was signalled", "Error compiling script (new function)"), Some(Misfit::TooOld)),
            (response("An error was signalled", "The user executing the script can't run this"), Some(Misfit::Rights)),
            (response("Redis server refused to switch database", "DB index is out of range"), Some(Misfit::Database)),
            (response("An error was signalled", "DB index is out of range"), None),
            ((ErrorKind::Server(ServerErrorKind::Moved), "moved").into(), Some(Misfit::Cluster)),
            ((ErrorKind::Server(ServerErrorKind::CrossSlot), "apart").into(), Some(Misfit::Cluster)),
            ((ErrorKind::Server(ServerErrorKind::ReadOnly), "a replica").into(), None),
            ((ErrorKind::Io, "broken").into(), None),
        ] {
            assert_eq!(Misfit::told_by(&error), misfit, "{error}");
        }
    }
}
