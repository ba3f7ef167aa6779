//! Telling listeners that a list has changed.
//!
//! From 2026-07-28 on a client asks for such news with `subscriptions/listen`, a request whose
//! answer stays open. The suite opens one and then calls a tool that changes a list.

use rmcp::service::{SubscriptionContext, SubscriptionSendError};
use tokio::sync::broadcast::{Sender, error::RecvError};

/// How many changes a slow listener may be behind. It is told of a change, not of what changed,
/// so losing older ones costs nothing.
const BACKLOG: usize = 16;

/// A list that has changed.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Tools,
    Prompts,
}

/// Everyone who listens in this process.
pub(crate) struct Changes(Sender<Change>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(Sender::new(BACKLOG))
    }

    /// Tells everyone who listens now.
    pub(crate) fn announce(&self, change: Change) {
        // An error means that nobody listens.
        let _ = self.0.send(change);
    }

    /// Passes changes on until the listener goes away.
    pub(crate) async fn forward(&self, subscription: SubscriptionContext) {
        let mut changes = self.0.subscribe();
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = subscription.cancelled() => return,
            };
            let told = match change {
                Ok(change) => tell(&subscription, change).await,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            match told {
                // The sink knows what the client asked for and refuses the rest.
                Ok(()) | Err(SubscriptionSendError::NotificationNotAccepted(_)) => {}
                Err(_) => return,
            }
        }
    }
}

async fn tell(subscription: &SubscriptionContext, change: Change) -> Result<(), SubscriptionSendError> {
    match change {
        Change::Tools => subscription.sink().notify_tool_list_changed().await,
        Change::Prompts => subscription.sink().notify_prompt_list_changed().await,
    }
}
