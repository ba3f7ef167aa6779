//! Serving until told to stop, and leaving in good order: shared by the examples that run as real servers.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower_mcp_sessions::{SessionLayer, ShutdownSignal, shutdown_signal};

#[path = "staged_close.rs"]
mod staged_close;
use staged_close::StagedListener;

/// A process that was told to stop is gone after this long, whatever still hangs.
const LAST_MOMENT: Duration = Duration::from_millis(9500);

/// When a client from which nothing comes is asked whether it is still there; it is gone if it does not answer three times.
const ASKED_AFTER: Duration = Duration::from_secs(10);

/// What a process ends with: if it failed, why, with all causes.
pub fn exit_code(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {}", with_causes(&*error));
    ExitCode::FAILURE
}

/// An error and what it comes from, in one line. Some errors tell their cause themselves.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes
        .map(ToString::to_string)
        .fold(error.to_string(), |told, cause| if told.ends_with(&cause) { told } else { format!("{told}: {cause}") })
}

/// A server that has its address, and can be told to stop.
pub struct Server {
    listener: TcpListener,
    told_to_leave: ShutdownSignal,
}

impl Server {
    /// Takes the address and listens for signals, before anything else is begun.
    pub async fn bind(address: SocketAddr) -> Result<Self, String> {
        let told_to_leave = shutdown_signal().map_err(|error| format!("cannot handle signals: {error}"))?;
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|error| format!("cannot listen on {address}: {error}"))?;
        Ok(Self { listener, told_to_leave })
    }

    /// Where it is, the port being known by now.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Says where it is. Connections are accepted from here on; they wait until it serves.
    pub fn announce(&self) -> std::io::Result<()> {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "listening on http://{}", self.address()?)?;
        stdout.flush()
    }

    /// Serves `app` until Ctrl-C or SIGTERM; then calls in flight are answered, open streams are told to retry elsewhere,
    /// and the function returns within ten seconds.
    pub async fn serve(self, app: Router, sessions: SessionLayer) -> Result<(), Box<dyn Error>> {
        let (stopping, told) = oneshot::channel();
        let leaving = sessions.clone();
        let stop = async move {
            let signal = self.told_to_leave.await;
            tracing::info!("{signal}: finishing calls");
            leaving.close_streams();
            let _ = stopping.send(());
        };
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let listener = StagedListener(self.listener).tap_io(|connection| tune(connection.get_ref()));
        let server = axum::serve(listener, app).with_graceful_shutdown(stop).into_future();
        let last_moment = async {
            let _ = told.await;
            tokio::time::sleep(LAST_MOMENT).await;
        };
        tokio::select! {
            served = async { server.await?; sessions.shutdown().await; Ok(()) } => served,
            () = last_moment => {
                tracing::warn!("connections were still open {LAST_MOMENT:?} after being told to stop; leaving anyway");
                Ok(())
            }
        }
    }
}

/// Makes a connection fit for streams that are silent for long. What cannot be set is missed by nobody but who waits longer.
fn tune(stream: &TcpStream) {
    // Events are small and follow each other: none may wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let keep_alive = TcpKeepalive::new().with_time(ASKED_AFTER).with_interval(ASKED_AFTER / 2).with_retries(3);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keep_alive);
}
