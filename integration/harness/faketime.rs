//! Processes whose clock is wrong.
//!
//! The library of the program `faketime` is loaded into the process itself: the program as a wrapper would stand between it and
//! its signals. Only the time of day is wrong; timers go on as they should.

use std::fs;
use std::process::Command;

use super::process::Process;

/// The environment of a process whose clock is ahead by so many seconds, or behind.
///
/// # Panics
///
/// If `faketime` is not installed.
pub(crate) fn clock_ahead_by(seconds: i64) -> [(&'static str, String); 3] {
    [("LD_PRELOAD", library()), ("FAKETIME", format!("{seconds:+}s")), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())]
}

/// What the library of a process leaves in shared memory when the process is killed. Dropping it removes that.
pub(crate) struct Traces(u32);

impl Traces {
    pub(crate) fn of(process: &Process) -> Self {
        Self(process.id())
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        for name in ["faketime_shm", "sem.faketime_sem"] {
            let _ = fs::remove_file(format!("/dev/shm/{name}_{}", self.0));
        }
    }
}

/// Where the library is, as the program itself has it loaded.
fn library() -> String {
    let asked = Command::new("faketime").args(["-m", "-f", "+0s", "printenv", "LD_PRELOAD"]).output();
    let output = asked.unwrap_or_else(|error| {
        panic!("faketime is missing ({error}): run integration/run, or install the package `faketime` (apt-get install faketime)")
    });
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success() && !path.is_empty(), "faketime does not work: {output:?}");
    path
}
