//! A server with a monitor, in a process of its own: its memory can be told from ours.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use tower_mcp_sessions::monitor::{Access, Role};
use tower_mcp_sessions::store::RedisStore;
use tower_mcp_sessions::{PeerAddr, SessionLayer};

/// The environment variable that makes a bench such a server: the address of its Redis, how long sessions may idle and how
/// often viewers are pinged, in milliseconds.
const ROLE: &str = "BENCH_SERVER";

pub struct Monitored {
    process: Child,
    pub address: SocketAddr,
}

impl Monitored {
    pub fn start(redis: &str, idle: Duration, ping: Duration) -> Self {
        let this = std::env::current_exe().expect("this program");
        let role = format!("{redis} {} {}", idle.as_millis(), ping.as_millis());
        let mut process = Command::new(this).env(ROLE, role).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("its address");
        Self { process, address: line.trim().parse().expect("an address") }
    }

    /// Resident memory in bytes, as Linux tells it.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<usize>().ok()).unwrap_or_default() * 1024
    }
}

impl Drop for Monitored {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves for ever, if this process is such a server.
pub fn serve_if_asked() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut words = role.split(' ');
    let redis = words.next().expect("a Redis").to_owned();
    let mut millis = || Duration::from_millis(words.next().expect("a time").parse().expect("milliseconds"));
    let (idle, ping) = (millis(), millis());
    super::pin(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let store = RedisStore::connect(&redis).await.expect("the private Redis answers");
        let sessions = SessionLayer::builder(store)
            .idle_timeout(idle)
            .peer(|parts| {
                let axum = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
                axum.or_else(|| parts.extensions.get::<PeerAddr>().map(|peer| peer.0))
            })
            .build();
        let monitor =
            sessions.monitor().access(Access::from_fn(|_| Some(Role::View))).viewers(20_000).ping_every(ping).build();
        let app = Router::new().fallback_service(monitor);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, app).await.expect("it serves");
    });
    std::process::exit(0);
}
