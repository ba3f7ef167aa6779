//! A network that fails: in front of several servers, each connection to the next one that listens, and cut where the test
//! says. It knows HTTP just enough to tell a head from a body; a request must ask for the end of its connection.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How far an exchange gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// To its end.
    Never,
    /// The server hears nothing.
    BeforeTheRequest,
    /// The server hears half of it.
    InTheRequest,
    /// The server hears all of it, and that nobody waits for the answer.
    AfterTheRequest,
    /// The server answers, and not a byte arrives.
    BeforeTheAnswer,
    /// The head arrives, and nothing of the body.
    AfterTheHead,
    /// Half of the body arrives.
    InTheBody,
    /// All but one byte arrives.
    BeforeTheLastByte,
}

impl Cut {
    /// All that are cuts.
    pub(crate) const ALL: [Self; 7] = [
        Self::BeforeTheRequest,
        Self::InTheRequest,
        Self::AfterTheRequest,
        Self::BeforeTheAnswer,
        Self::AfterTheHead,
        Self::InTheBody,
        Self::BeforeTheLastByte,
    ];

    /// How much of a request passes, in bytes; and whether its answer is waited for.
    fn of_request(self, request: &[u8]) -> (usize, bool) {
        match self {
            Self::BeforeTheRequest => (0, false),
            Self::InTheRequest => (request.len() / 2, false),
            Self::AfterTheRequest => (request.len(), false),
            Self::Never | Self::BeforeTheAnswer | Self::AfterTheHead | Self::InTheBody | Self::BeforeTheLastByte => {
                (request.len(), true)
            }
        }
    }

    /// How much of an answer passes, in bytes.
    fn of_answer(self, answer: &[u8]) -> usize {
        let head = head_of(answer).unwrap_or(answer.len());
        match self {
            Self::Never => answer.len(),
            Self::BeforeTheRequest | Self::InTheRequest | Self::AfterTheRequest | Self::BeforeTheAnswer => 0,
            Self::AfterTheHead => head,
            Self::InTheBody => head + (answer.len() - head) / 2,
            Self::BeforeTheLastByte => answer.len().saturating_sub(1),
        }
    }
}

/// Decides how far the next exchange gets.
type Plan = Box<dyn FnMut() -> Cut + Send>;

/// The running network; it is gone with this value.
pub(crate) struct CuttingProxy {
    pub(crate) address: SocketAddr,
    network: Arc<Network>,
    _task: JoinSet<()>,
}

struct Network {
    servers: Vec<SocketAddr>,
    next: AtomicUsize,
    plan: Mutex<Plan>,
    cuts: AtomicUsize,
}

impl CuttingProxy {
    /// In front of the servers at these addresses, on a free port.
    pub(crate) async fn over(
        servers: impl IntoIterator<Item = SocketAddr>,
        plan: impl FnMut() -> Cut + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let (servers, plan) = (servers.into_iter().collect(), Mutex::new(Box::new(plan) as Plan));
        let network = Arc::new(Network { servers, next: AtomicUsize::new(0), plan, cuts: AtomicUsize::new(0) });
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Arc::clone(&network)));
        Self { address, network, _task: task }
    }

    /// How many exchanges were cut so far.
    pub(crate) fn cuts(&self) -> usize {
        self.network.cuts.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    let mut exchanges = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let network = Arc::clone(&network);
        // An error is a side that left; the other one learns of it when the sockets are dropped.
        exchanges.spawn(async move { network.carry(client).await.is_ok() });
        while exchanges.try_join_next().is_some() {}
    }
}

impl Network {
    /// One exchange. Whatever is left of it ends with the sockets.
    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        let cut = (self.plan.lock().unwrap_or_else(PoisonError::into_inner))();
        if cut != Cut::Never {
            self.cuts.fetch_add(1, Ordering::Relaxed);
        }
        let request = read_request(&mut client).await?;
        let (passes, is_answered) = cut.of_request(&request);
        if passes == 0 {
            return Ok(());
        }
        let mut server = self.connect().await?;
        server.write_all(&request[..passes]).await?;
        if !is_answered {
            return Ok(());
        }
        let mut answer = Vec::new();
        // A server that is killed leaves a part of its answer.
        let _ = server.read_to_end(&mut answer).await;
        client.write_all(&answer[..cut.of_answer(&answer)]).await
    }

    /// A connection to the server whose turn it is, or else to the next one that listens.
    async fn connect(&self) -> io::Result<TcpStream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut refused = io::Error::other("there is no server");
        for turn in first..first + self.servers.len() {
            match TcpStream::connect(self.servers[turn % self.servers.len()]).await {
                Ok(server) => return Ok(server),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// A request with its body, whose length it tells.
async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if client.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}

fn is_whole(request: &[u8]) -> bool {
    let Some(head) = head_of(request) else { return false };
    let lines = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    let length = lines.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= head + length.unwrap_or(0)
}

/// How long the head of a message is, if that has ended.
fn head_of(message: &[u8]) -> Option<usize> {
    message.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
}
