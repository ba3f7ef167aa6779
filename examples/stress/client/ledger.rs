//! The sessions that are open on the server. Whatever a scenario leaves behind, because it was interrupted or because something
//! failed, is closed by this list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{Client, Coming, Failure, Session};

/// How many are closed at the same time.
const AT_ONCE: usize = 64;

#[derive(Default)]
pub struct Ledger {
    open: Mutex<HashMap<String, Session>>,
    /// Clients that connect just now.
    connecting: TaskTracker,
}

impl Ledger {
    /// Connects, with a reconnect token or without. Who no longer waits for it changes nothing: a session that is open is
    /// known here.
    pub async fn connect(self: &Arc<Self>, client: &Client, token: Option<&str>) -> Result<Session, Failure> {
        let (ledger, client, token) = (Arc::clone(self), client.clone(), token.map(ToOwned::to_owned));
        let connecting = self.connecting.spawn(async move {
            let session = client.come(token.as_deref().map_or(Coming::New, Coming::With)).await?;
            if let Some(name) = session.name() {
                ledger.open().insert(name.to_owned(), session.clone());
            }
            Ok(session)
        });
        connecting.await.expect("it is neither aborted nor does it panic")
    }

    /// Closes a session. One that could not be closed stays known.
    pub async fn close(&self, session: &Session) -> Result<(), Failure> {
        let outcome = session.close().await;
        let is_gone = outcome.as_ref().err().is_none_or(Failure::is_session_lost);
        if let Some(name) = session.name().filter(|_| is_gone) {
            self.open().remove(name);
        }
        outcome
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open().len()
    }

    /// Closes whatever is open still, at most that long; how many could not be.
    pub async fn close_all(&self, within: Duration) -> usize {
        let closing = async {
            self.connecting.close();
            self.connecting.wait().await;
            let left: Vec<_> = self.open().values().cloned().collect();
            futures::stream::iter(&left)
                .for_each_concurrent(AT_ONCE, async |session| drop(self.close(session).await))
                .await;
        };
        let _ = timeout(within, closing).await;
        self.count()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
