//! Closing a connection in stages (RFC 9112 §9.6): the writing side first, then, once the client has read and closed too, the rest.
//!
//! A server that closes while a client still sends makes its operating system answer with a reset, and the client's may throw
//! away what was said last: a refusal of a body that is too long, for one.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may be silent before it is taken to have read what it was told.
const SILENCE: Duration = Duration::from_millis(500);
/// How long one that goes on sending is listened to.
const LONGEST: Duration = Duration::from_secs(5);

/// A listener for connections that close in stages.
pub struct StagedListener(pub TcpListener);

impl axum::serve::Listener for StagedListener {
    type Io = StagedClose;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (StagedClose, SocketAddr) {
        let (stream, peer) = axum::serve::Listener::accept(&mut self.0).await;
        (StagedClose::new(stream), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that closes in stages.
pub struct StagedClose {
    stream: TcpStream,
    /// Since the writing side is closed.
    closing: Option<Closing>,
}

struct Closing {
    over: Pin<Box<Sleep>>,
    at_the_latest: Instant,
}

impl StagedClose {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, closing: None }
    }

    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsyncRead for StagedClose {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for StagedClose {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, closing } = &mut *self;
        if closing.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        let Closing { over, at_the_latest } = closing
            .get_or_insert_with(|| Closing { over: Box::pin(sleep(SILENCE)), at_the_latest: Instant::now() + LONGEST });
        let mut thrown_away = [0; 8 << 10];
        while over.as_mut().poll(cx).is_pending() {
            let mut read = ReadBuf::new(&mut thrown_away);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    over.as_mut().reset((Instant::now() + SILENCE).min(*at_the_latest));
                }
                // The client has closed, or is gone.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
