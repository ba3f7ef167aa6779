//! A way to one server that refuses paths, cuts what is open, or lets nothing through at all.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The way; it is gone with this value. It looks at the first request of each connection alone, and has all others come on
/// connections of their own.
pub(super) struct Cutter {
    pub(super) address: SocketAddr,
    refused: Arc<Mutex<Vec<&'static str>>>,
    stopped: Arc<AtomicBool>,
    cuts: watch::Sender<()>,
    _task: JoinSet<()>,
}

impl Cutter {
    pub(super) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let (refused, stopped) = (Arc::default(), Arc::<AtomicBool>::default());
        let cuts = watch::Sender::new(());
        let mut task = JoinSet::new();
        task.spawn(accept(listener, server, Arc::clone(&refused), Arc::clone(&stopped), cuts.clone()));
        Self { address, refused, stopped, cuts, _task: task }
    }

    /// From now on these paths are answered with 403, as some proxies do; and what is open is cut.
    pub(super) fn refuse(&self, paths: &[&'static str]) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = paths.to_vec();
        self.cuts.send_replace(());
    }

    /// From now on nobody gets an answer, and what is open is cut; or all is well again.
    pub(super) fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::SeqCst);
        self.cuts.send_replace(());
    }

    /// From now on these paths are refused to those that come; what is open stays.
    pub(super) fn allow_all_but(&self, paths: &[&'static str]) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = paths.to_vec();
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    refused: Arc<Mutex<Vec<&'static str>>>,
    stopped: Arc<AtomicBool>,
    cuts: watch::Sender<()>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if stopped.load(Ordering::SeqCst) {
            continue;
        }
        let (refused, mut cut) = (Arc::clone(&refused), cuts.subscribe());
        connections.spawn(async move {
            tokio::select! {
                // A side that left is what this is about.
                carried = carry(client, server, &refused) => drop(carried),
                _ = cut.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, refused: &Mutex<Vec<&'static str>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let is_refused = {
        let paths = refused.lock().unwrap_or_else(PoisonError::into_inner);
        paths.iter().any(|path| line.contains(path))
    };
    if is_refused {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    }
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_all(&alone(head)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The request with the wish that its connection ends with it; an upgrade is left as it is.
fn alone(head: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&head).into_owned();
    if text.to_ascii_lowercase().contains("\r\nupgrade:") {
        return head;
    }
    text.replacen("Connection: keep-alive", "Connection: close", 1).into_bytes()
}
