//! `countdown`: a call that takes its time and says how far it is.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;

use super::arguments::Countdown;

/// Counts the steps, one per interval, unless the client cancels.
pub async fn count(
    Countdown { from, interval_ms }: Countdown,
    context: &RequestContext<RoleServer>,
) -> Result<String, String> {
    for step in 1..=from {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(interval_ms)) => {}
            () = context.ct.cancelled() => return Err(format!("cancelled before step {step}")),
        }
        report(step, from, context).await?;
    }
    Ok(format!("counted to {from}"))
}

/// Sends one progress notification, if the call asked for them with a token.
async fn report(step: u32, total: u32, context: &RequestContext<RoleServer>) -> Result<(), String> {
    let Some(token) = context.meta.get_progress_token() else {
        return Ok(());
    };
    let progress = ProgressNotificationParam::new(token, step.into()).with_total(total.into());
    let sent = context.peer.notify_progress(progress).await;
    sent.map_err(|error| format!("could not report step {step}: {error}"))
}
