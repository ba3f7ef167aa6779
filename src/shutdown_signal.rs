//! [`shutdown_signal`]: *is this process told to leave?*

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, CtrlClose, ctrl_c, ctrl_close};

/// Hears whatever tells a server to leave: SIGTERM, which container runtimes and service managers send, and Ctrl-C.
///
/// It listens from this call on, so call it before the server says that it is ready: no signal is lost, and none kills the process
/// in the midst of its calls. From then on the process leaves when you let it, even if what is returned is dropped.
///
/// ```no_run
/// # async fn serve(listener: tokio::net::TcpListener, app: axum::Router) -> std::io::Result<()> {
/// # let sessions = tower_mcp_sessions::SessionLayer::builder(tower_mcp_sessions::store::MemoryStore::new()).build();
/// let told_to_leave = tower_mcp_sessions::shutdown_signal()?;
/// let leaving = sessions.clone();
/// axum::serve(listener, app)
///     .with_graceful_shutdown(async move {
///         told_to_leave.await;
///         leaving.close_streams();
///     })
///     .await?;
/// sessions.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the operating system takes no handler for one of the signals.
///
/// # Panics
///
/// Outside a tokio runtime, and in one that was made without I/O (`enable_io`).
pub fn shutdown_signal() -> io::Result<ShutdownSignal> {
    ShutdownSignal::listen()
}

/// Ready once the process is told to leave, with the name of the signal for the log: see [`shutdown_signal`].
#[must_use = "nothing leaves for a signal that nobody waits for"]
pub struct ShutdownSignal {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(windows)]
    close: CtrlClose,
    #[cfg(windows)]
    interrupt: CtrlC,
}

#[cfg(unix)]
impl ShutdownSignal {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    fn poll_name(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        match self.terminate.poll_recv(cx) {
            Poll::Ready(_) => Poll::Ready("SIGTERM"),
            Poll::Pending => self.interrupt.poll_recv(cx).map(|_| "SIGINT"),
        }
    }
}

#[cfg(windows)]
impl ShutdownSignal {
    fn listen() -> io::Result<Self> {
        Ok(Self { close: ctrl_close()?, interrupt: ctrl_c()? })
    }

    fn poll_name(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        match self.close.poll_recv(cx) {
            Poll::Ready(_) => Poll::Ready("CTRL_CLOSE_EVENT"),
            Poll::Pending => self.interrupt.poll_recv(cx).map(|_| "CTRL_C_EVENT"),
        }
    }
}

impl Future for ShutdownSignal {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        self.poll_name(cx)
    }
}

impl fmt::Debug for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownSignal").finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    fn send(name: &str) {
        let own = std::process::id().to_string();
        assert!(Command::new("kill").args([name, &own]).status().is_ok_and(|status| status.success()));
    }

    /// One test for both: the signals go to the whole process, and with it to whatever test runs beside it.
    #[tokio::test]
    async fn both_signals_are_heard_from_the_call_on() {
        for (sent, heard) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
            let told = shutdown_signal().unwrap();
            let too = shutdown_signal().unwrap();
            // Nobody waits yet.
            send(sent);
            assert_eq!((told.await, too.await), (heard, heard));
        }
    }
}
