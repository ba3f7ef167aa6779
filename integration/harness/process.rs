//! Real processes: the examples, the conformance server and servers of other languages, on free ports, told to stop or killed.
//!
//! A [`Process`] is ready when its constructor returns, and dies with the value. What it wrote to stderr goes into the
//! text of a panic here, and is there to be asked for.

use std::env;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a process may take to listen, on a machine with much else to do.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long anything may take to end. No requirement: only what keeps a test from hanging.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Whichever is free.
pub(crate) const FREE_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How a server says that it is ready.
const READY: &str = "listening on http://";

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Stderr,
    /// When it was last sent a signal.
    told: Option<Instant>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// Its status: of its own will, or by which signal.
    pub(crate) status: ExitStatus,
    /// How long it took from the last signal on.
    pub(crate) took: Duration,
    /// What it had said on stderr.
    pub(crate) stderr: String,
}

impl Process {
    /// Starts the example `server` on a free port and waits until it listens. Its monitor lets in who has [`TOKEN`].
    ///
    /// # Panics
    ///
    /// If it is not built or does not listen.
    pub(crate) async fn server(arguments: &[&str]) -> Self {
        Self::listening(server(arguments)).await
    }

    /// The same at this address, which another one may have left.
    ///
    /// # Panics
    ///
    /// If it is not built or does not listen.
    pub(crate) async fn server_at(address: SocketAddr, arguments: &[&str]) -> Self {
        Self::listening_at(address, server(arguments)).await
    }

    /// As [`server`](Self::server), with this `RUST_LOG`: the test waits for something that only its log tells.
    ///
    /// # Panics
    ///
    /// If it is not built or does not listen.
    pub(crate) async fn logging_server(log: &str, arguments: &[&str]) -> Self {
        let mut command = server(arguments);
        command.env("RUST_LOG", log);
        Self::listening(command).await
    }

    /// As [`server`](Self::server), in an environment with these variables too.
    ///
    /// # Panics
    ///
    /// If it is not built or does not listen.
    pub(crate) async fn server_in(environment: &[(&str, String)], arguments: &[&str]) -> Self {
        let mut command = server(arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::listening(command).await
    }

    /// Starts an example on a free port and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it is not built or does not listen.
    pub(crate) async fn example(name: &str, arguments: &[&str]) -> Self {
        Self::listening(command(example(name), arguments)).await
    }

    /// Starts the conformance server on a free port and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub(crate) async fn conformance_server(arguments: &[&str]) -> Self {
        Self::listening(command(env!("CARGO_BIN_EXE_conformance-server"), arguments)).await
    }

    /// Starts a program that takes `--listen` and says where it listens as the examples do, at this address, which another one
    /// may have left, and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub(crate) async fn program_at(address: SocketAddr, program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = command(program, arguments);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Self::listening_at(address, command).await
    }

    async fn listening(command: Command) -> Self {
        Self::listening_at(FREE_PORT, command).await
    }

    async fn listening_at(address: SocketAddr, mut command: Command) -> Self {
        command.args(["--listen", &address.to_string()]);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stderr = Stderr::read(child.stderr.take().expect("stderr is piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        match timeout(READY_WITHIN, ready(&mut stdout)).await {
            Ok(Some(address)) => Self { child, address, stdout, stderr, told: None },
            Ok(None) => panic!("{command:?} ended before it listened\nstderr: {}", stderr.whole().await),
            Err(_) => panic!("{command:?} does not listen within {READY_WITHIN:?}\nstderr: {}", stderr.so_far()),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    ///
    /// # Panics
    ///
    /// If it was waited for already.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the process was not waited for yet")
    }

    /// Its MCP endpoint.
    pub(crate) fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The next line it prints after the one that said it listens.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        timeout(READY_WITHIN, self.stdout.next_line()).await.ok()?.expect("stdout can be read")
    }

    /// The file with the link that its dashboard is opened with.
    ///
    /// # Panics
    ///
    /// If it says nothing of one.
    pub(crate) async fn link_file(&mut self) -> PathBuf {
        while let Some(line) = self.next_line().await {
            let told = line.strip_prefix("dashboard: the link in ").and_then(|told| told.split(", once").next());
            if let Some(path) = told {
                return path.into();
            }
        }
        panic!("it tells no link\nstderr: {}", self.stderr.so_far());
    }

    /// What it has said on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Sends a signal and does not wait.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.told = Some(Instant::now());
        self::signal(&self.child, signal);
    }

    /// Waits until it ends by itself, or by a signal sent before.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub(crate) async fn exit(mut self) -> Exit {
        let begun = self.told.unwrap_or_else(Instant::now);
        let Ok(status) = timeout(GONE_WITHIN, self.child.wait()).await else {
            panic!("the process does not end within {GONE_WITHIN:?}\nstderr: {}", self.stderr.so_far());
        };
        let status = status.expect("our own child can be waited for");
        Exit { status, took: begun.elapsed(), stderr: self.stderr.whole().await }
    }

    /// SIGTERM: asks it to leave, and waits until it has.
    pub(crate) async fn terminate(mut self) -> Exit {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// SIGKILL: what a crash is to everybody else. Returns when it is gone.
    pub(crate) async fn kill(mut self) -> Exit {
        self.signal(Signal::KILL);
        self.exit().await
    }
}

/// The monitor's token of every `server` and `gateway` here.
pub(crate) const TOKEN: &str = "of-the-monitors-of-the-tests";

/// The flag that tells it.
pub(crate) fn token_flag() -> [&'static str; 2] {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the folder can be written");
        std::fs::write(file.path(), TOKEN).expect("the file can be written");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("monitor-token");
        file.persist(&path).expect("the file can be moved");
        path
    });
    ["--monitor-token-file", FILE.to_str().expect("a path in Unicode")]
}

fn server(arguments: &[&str]) -> Command {
    command(example("server"), &[arguments, &token_flag()].concat())
}

/// Runs an example to its end, with these arguments and nothing else.
///
/// # Panics
///
/// If it is not built, does not start or does not end.
pub(crate) async fn run_example(name: &str, arguments: &[&str]) -> Output {
    output_of(start_example(name, arguments)).await
}

/// Starts an example that listens to nobody, with these arguments and nothing else, and leaves it running.
///
/// # Panics
///
/// If it is not built or does not start.
pub(crate) fn start_example(name: &str, arguments: &[&str]) -> Child {
    let mut command = command(example(name), arguments);
    command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// Sends a child of ours a signal.
///
/// # Panics
///
/// If it was waited for already.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let id =
        child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("the process was not waited for yet");
    kill_process(id, signal).expect("our own child can be signalled");
}

/// What is left to say of a child that ends by itself.
///
/// # Panics
///
/// If it does not end.
pub(crate) async fn output_of(child: Child) -> Output {
    let Ok(output) = timeout(GONE_WITHIN, child.wait_with_output()).await else {
        panic!("the process does not end within {GONE_WITHIN:?}");
    };
    output.expect("our own child can be waited for")
}

/// The address in the line that says so; `None` if the output ends before.
async fn ready(stdout: &mut Lines<BufReader<ChildStdout>>) -> Option<SocketAddr> {
    while let Some(line) = stdout.next_line().await.expect("stdout is text") {
        if let Some(address) = line.strip_prefix(READY) {
            return Some(address.parse().unwrap_or_else(|_| panic!("no address in {line:?}")));
        }
    }
    None
}

/// A command with piped output that does not outlive its handle, and that the caller's environment does not change.
fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_remove("REDIS_URL")
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Examples are built next to the test binary: `target/debug/deps/integration-…` and `target/debug/examples/…`.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let target = test.parent().and_then(|deps| deps.parent()).expect("tests are in target/debug/deps");
    let path = target.join("examples").join(name);
    assert!(path.exists(), "{} is missing: run integration/run, it builds the examples", path.display());
    path
}

/// What a process says on stderr, read as it comes: a full pipe would stop it.
#[derive(Debug)]
struct Stderr {
    said: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stderr {
    fn read(mut pipe: ChildStderr) -> Self {
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&said);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..read]);
            }
        });
        Self { said, reader }
    }

    fn so_far(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Everything: to be asked once the process has ended.
    async fn whole(mut self) -> String {
        let _ = timeout(READY_WITHIN, &mut self.reader).await;
        self.so_far()
    }
}
