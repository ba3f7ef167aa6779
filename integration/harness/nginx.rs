//! A real nginx in front of a server, with a configuration of its own, on a free port.

use std::fs::write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::eventually::eventually;

/// A running nginx; it is gone with the value.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Passes everything on to `upstream`, with these directives beside `proxy_pass`.
    pub(crate) async fn in_front_of(upstream: SocketAddr, directives: &str) -> Self {
        let folder = tempfile::tempdir().expect("the temporary directory can be written");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("a bound listener has an address");
        let at = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr; events {{}}
             http {{ access_log off; {temporary}
               server {{ listen {address}; location / {{ proxy_pass http://{upstream}; {directives} }} }} }}"
        );
        let file = folder.path().join("nginx.conf");
        write(&file, configuration).expect("the configuration can be written");
        drop(free);
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(folder.path()).arg("-c").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().expect("nginx is missing: integration/run installs it");
        let nginx = Self { address, process, _folder: folder };
        eventually("nginx listens", async || TcpStream::connect(address).await.is_ok()).await;
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(id, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
