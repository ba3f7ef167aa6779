//! A private `redis-server` for one test: on a port of its own, in a directory of its own, gone when dropped.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running (or paused, or killed) server.
pub(crate) struct RedisServer {
    child: Option<Child>,
    port: u16,
    directory: PathBuf,
    options: Vec<String>,
}

impl RedisServer {
    /// A server that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with more options, such as `--appendonly yes`; a later one of the same name wins.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut attempts = 0;
        loop {
            let mut server = Self {
                child: None,
                port: free_port(),
                directory: fresh_directory(),
                options: options.iter().map(|option| (*option).to_owned()).collect(),
            };
            attempts += 1;
            match server.launch() {
                Ok(()) => return server,
                Err(why) => assert!(attempts < 5, "redis-server does not start: {why}"),
            }
        }
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9`. Nothing is saved that was not on disk already.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
        }
    }

    /// Starts again, on the same port and directory, and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.launch().expect("redis-server starts again");
    }

    /// Stops the process, with its sockets open: as silent as a host that vanished.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    /// Asks with `redis-cli`, which is given these words, and returns what it prints.
    pub(crate) fn cli(&self, args: &[&str]) -> String {
        let output = self.cli_command().args(args).output().expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The same with the last argument of any bytes.
    pub(crate) fn cli_with_bytes(&self, args: &[&str], last: &[u8]) -> String {
        let mut command = self.cli_command();
        let mut child = command.arg("-x").args(args).stdin(Stdio::piped()).spawn().expect("redis-cli is installed");
        child.stdin.take().expect("stdin is piped").write_all(last).expect("redis-cli reads");
        let output = child.wait_with_output().expect("redis-cli ends");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// All keys of the server.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.cli(&["--scan"]).lines().map(str::to_owned).collect()
    }

    /// A figure of `INFO`, such as `used_memory`.
    pub(crate) fn info(&self, name: &str) -> u64 {
        let info = self.cli(&["INFO"]);
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|figure| figure.trim().parse().ok()).unwrap_or_else(|| panic!("INFO has no figure {name}"))
    }

    fn cli_command(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("the server runs");
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is installed");
        assert!(status.success(), "the server can be sent {signal}");
    }

    fn launch(&mut self) -> Result<(), String> {
        let child = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(&self.directory)
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.answers() {
            let exited = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = exited {
                return Err(format!("it ended with {status}"));
            }
            if Instant::now() > deadline {
                return Err("it does not answer".to_owned());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Whether it takes commands: it says `-LOADING` for a while after it listens.
    fn answers(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        // With a password set it refuses to say PONG, and is there all the same.
        ask().is_ok_and(|answer| &answer == b"+PONG" || &answer == b"-NOAU")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("mcp-sessions-redis-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).expect("the temporary directory can be written");
    directory
}
