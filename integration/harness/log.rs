//! What this process says. Tests may share a process: there is one log, and who counts its lines counts those that only it can
//! have caused.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// Everything this process has logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures everything at `TRACE` from now on.
    pub(crate) fn capture() -> Self {
        let (log, filter) = Self::of_this_process();
        filter
            .reload(Targets::new().with_default(LevelFilter::TRACE))
            .expect("the subscriber lives as long as the process");
        log.clone()
    }

    /// Captures what the crate says at `DEBUG` from now on, and more only if another test wants it.
    pub(crate) fn capture_ours() -> Self {
        Self::of_this_process().0.clone()
    }

    fn of_this_process() -> &'static (Self, Handle<Targets, Registry>) {
        static LOG: OnceLock<(Log, Handle<Targets, Registry>)> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let ours = Targets::new().with_target("tower_mcp_sessions", LevelFilter::DEBUG);
            let (filter, handle) = reload::Layer::new(ours);
            let lines = tracing_subscriber::fmt::layer().with_writer(log.clone()).with_ansi(false);
            tracing_subscriber::registry().with(lines.with_filter(filter)).init();
            (log, handle)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
