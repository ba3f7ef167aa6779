//! Everything a Redis is told, as `MONITOR` shows it: commands of clients and of scripts, with all they are given.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::eventually::eventually;
use super::redis::RedisServer;

/// A listener on a private Redis. Dropping it ends it.
pub(crate) struct Tap {
    child: Child,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Listens from when this returns.
    pub(crate) async fn on(redis: &RedisServer) -> Self {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &redis.port().to_string(), "MONITOR"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("redis-cli is installed");
        let mut said = child.stdout.take().expect("stdout is piped");
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = said.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        let tap = Self { child, heard };
        eventually("the tap is on", async || tap.so_far().contains("OK")).await;
        tap
    }

    /// All that was said until now.
    pub(crate) async fn text(&self, redis: &RedisServer) -> String {
        const LAST: &str = "and that is all";
        redis.cli(&["ECHO", LAST]);
        eventually("the tap has heard it all", async || self.so_far().contains(LAST)).await;
        self.so_far()
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
