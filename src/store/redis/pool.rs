//! The pooled connections that transitions go through, apart from the held one so that neither waits for the other.
//!
//! A connection that failed never goes back, nor does one whose caller left before the answer; and when one has failed, the
//! idle ones beside it are not trusted either.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{FromRedisValue, RedisError};
use deadpool_redis::{Connection, Pool};
use tokio::time::{Instant, timeout_at};

use super::failure::{pool_error, spoils, store_error, too_late, turned_away};
use super::link::Link;
use super::request::Request;
use crate::store::StoreError;

/// The pool, and the link that has to hear when the server has changed its role.
pub(super) struct Connections {
    pub(super) pool: Pool,
    pub(super) link: Arc<Link>,
    pub(super) patience: Duration,
}

impl Connections {
    /// A connection for one operation, which has to be over within the deadline.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        self.lease_for(self.patience).await
    }

    /// The same with a deadline of the caller's.
    pub(super) async fn lease_for(&self, patience: Duration) -> Result<Lease<'_>, StoreError> {
        let deadline = Instant::now() + patience;
        match timeout_at(deadline, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(Lease { from: self, connection: Some(connection), deadline, in_doubt: false }),
            Ok(Err(error)) => Err(pool_error(error)),
            Err(_) => {
                self.empty();
                Err(too_late())
            }
        }
    }

    fn empty(&self) {
        self.pool.retain(|_, _| false);
    }

    fn failed(&self, error: &RedisError) {
        self.empty();
        if turned_away(error) {
            self.link.suspect(error);
        }
    }
}

/// A connection on loan.
pub(super) struct Lease<'a> {
    from: &'a Connections,
    connection: Option<Connection>,
    deadline: Instant,
    /// Asked something and not heard the answer.
    in_doubt: bool,
}

impl Lease<'_> {
    /// Asks once. After a failure it is not known whether Redis did it.
    pub(super) async fn ask<T: FromRedisValue + Send>(&mut self, request: &impl Request) -> Result<T, StoreError> {
        let Some(connection) = &mut self.connection else { return Err(too_late()) };
        self.in_doubt = true;
        match timeout_at(self.deadline, request.send(&mut **connection)).await {
            Ok(Ok(answer)) => {
                self.in_doubt = false;
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.in_doubt = spoils(&error);
                if self.in_doubt {
                    self.from.failed(&error);
                }
                Err(store_error(error))
            }
            Err(_) => {
                self.from.empty();
                Err(too_late())
            }
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.in_doubt
            && let Some(connection) = self.connection.take()
        {
            drop(Connection::take(connection));
        }
    }
}
