//! The way from one replica to its Redis, which can hold a command back, or its answer. Then the replica can be killed exactly
//! there, or go on late.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The command, and what the replica sends after it on the same connection.
    Command,
    /// The answer, and what Redis says after it on the same connection.
    Answer,
}

/// The way; it is gone with this value.
pub(crate) struct Gate {
    address: SocketAddr,
    state: Arc<State>,
    _task: JoinSet<()>,
}

struct State {
    trap: Mutex<Option<Trap>>,
    /// Something is held.
    caught: Notify,
    /// What becomes of it, once that is decided.
    fate: watch::Sender<Option<Fate>>,
    /// What was held has got through, and so has the next answer on its connection.
    passed: Notify,
}

/// Catches the first command with all these texts in it.
struct Trap {
    texts: Vec<String>,
    held: Held,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Delivered,
    Lost,
}

impl Gate {
    /// A way to the Redis at this port.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let (trap, fate) = (Mutex::default(), watch::Sender::new(None));
        let state = Arc::new(State { trap, caught: Notify::new(), fate, passed: Notify::new() });
        let mut task = JoinSet::new();
        task.spawn(accept(listener, port, Arc::clone(&state)));
        Self { address, state, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Holds back the next command with all these texts in it, or its answer.
    pub(crate) fn hold(&self, texts: &[&str], held: Held) {
        self.state.fate.send_replace(None);
        *self.state.trap() = Some(Trap { texts: texts.iter().map(|text| (*text).to_owned()).collect(), held });
    }

    /// Waits until something is held back.
    pub(crate) async fn is_holding(&self) {
        self.state.caught.notified().await;
    }

    /// What is held back never arrives.
    pub(crate) fn lose(&self) {
        self.state.fate.send_replace(Some(Fate::Lost));
    }

    /// What is held back arrives now. Returns when it has, and was answered.
    pub(crate) async fn deliver(&self) {
        self.state.fate.send_replace(Some(Fate::Delivered));
        self.state.passed.notified().await;
    }
}

impl State {
    fn trap(&self) -> MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of this connection is held from now on, if these bytes of the replica are what is waited for.
    fn catch(&self, bytes: &[u8]) -> Option<Held> {
        let holds = |text: &String| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let trap = self.trap().take_if(|trap| trap.texts.iter().all(holds))?;
        self.caught.notify_one();
        Some(trap.held)
    }

    /// Waits until it is decided what becomes of what is held.
    async fn fate(&self) -> io::Result<()> {
        let decided = *self.fate.subscribe().wait_for(Option::is_some).await.map_err(io::Error::other)?;
        if decided == Some(Fate::Delivered) { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((replica, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // An error is a side that left; the other one learns of it when the sockets are dropped.
        connections.spawn(async move { carry(replica, port, &state).await.is_ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut replica: TcpStream, port: u16, state: &State) -> io::Result<()> {
    let mut redis = TcpStream::connect(("127.0.0.1", port)).await?;
    replica.set_nodelay(true)?;
    redis.set_nodelay(true)?;
    let (from_replica, to_replica) = replica.split();
    let (from_redis, to_redis) = redis.split();
    let held = Mutex::new(None);
    tokio::select! {
        left = commands(from_replica, to_redis, state, &held) => left,
        left = answers(from_redis, to_replica, state, &held) => left,
    }
}

async fn commands(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    state: &State,
    held: &Mutex<Option<Held>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    while let read @ 1.. = from.read(&mut buffer).await? {
        let caught = state.catch(&buffer[..read]);
        if caught.is_some() {
            *held.lock().unwrap_or_else(PoisonError::into_inner) = caught;
        }
        if caught == Some(Held::Command) {
            state.fate().await?;
        }
        to.write_all(&buffer[..read]).await?;
    }
    Ok(())
}

async fn answers(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    state: &State,
    held: &Mutex<Option<Held>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    while let read @ 1.. = from.read(&mut buffer).await? {
        let was_held = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if was_held == Some(Held::Answer) {
            state.fate().await?;
        }
        to.write_all(&buffer[..read]).await?;
        if was_held.is_some() {
            state.passed.notify_one();
        }
    }
    Ok(())
}
