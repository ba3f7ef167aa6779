//! What the server's processes weigh, and how many sessions are open, again and again while scenarios run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::client::Ledger;
use crate::options::Options;
use crate::report::Sample;

/// How often to look; so often, that long runs keep a few thousand samples.
const OFTEN: Duration = Duration::from_millis(250);
const SAMPLES: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(2);
/// The name that Prometheus gives to a process's memory.
const RESIDENT: &str = "process_resident_memory_bytes";

/// The server's processes, as far as they were told.
pub struct Processes {
    pids: Vec<u32>,
    pages: Vec<String>,
    http: reqwest::Client,
}

impl Processes {
    /// # Errors
    ///
    /// If one of them cannot be weighed.
    pub async fn of(options: &Options, http: &reqwest::Client) -> Result<Self, String> {
        for pid in &options.pid {
            resident(*pid).ok_or_else(|| format!("the memory of a process {pid} cannot be read on this machine"))?;
        }
        for page in &options.metrics {
            told(http, page).await.ok_or_else(|| format!("{page} does not tell {RESIDENT}"))?;
        }
        Ok(Self { pids: options.pid.clone(), pages: options.metrics.clone(), http: http.clone() })
    }

    /// The bytes of all together; `None` if none was told, or one cannot be weighed any longer.
    pub async fn weigh(&self) -> Option<u64> {
        let mut weights: Vec<Option<u64>> = self.pids.iter().map(|pid| resident(*pid)).collect();
        for page in &self.pages {
            weights.push(told(&self.http, page).await);
        }
        let known = !weights.is_empty();
        weights.into_iter().sum::<Option<u64>>().filter(|_| known)
    }
}

/// Looks until it is dropped.
pub struct Scale {
    looking: Arc<Looking>,
    task: JoinHandle<()>,
}

struct Looking {
    began: Instant,
    processes: Arc<Processes>,
    ledger: Arc<Ledger>,
    samples: Mutex<Vec<Sample>>,
}

impl Scale {
    /// Looks once, and goes on looking in the background.
    pub async fn begin(began: Instant, processes: &Arc<Processes>, ledger: &Arc<Ledger>) -> Self {
        let (processes, ledger, samples) = (Arc::clone(processes), Arc::clone(ledger), Mutex::default());
        let looking = Arc::new(Looking { began, processes, ledger, samples });
        looking.look().await;
        let background = Arc::clone(&looking);
        let task = tokio::spawn(async move {
            let mut pause = OFTEN;
            loop {
                tokio::time::sleep(pause).await;
                if background.look().await {
                    pause *= 2;
                }
            }
        });
        Self { looking, task }
    }

    /// Looks a last time; all that was seen.
    pub async fn end(self) -> Vec<Sample> {
        self.looking.look().await;
        self.looking.samples().clone()
    }
}

impl Drop for Scale {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Looking {
    /// Keeps a sample; if there are too many by now, every second one goes, which is told.
    async fn look(&self) -> bool {
        let (sessions, memory_bytes) = (self.ledger.count() as u64, self.processes.weigh().await);
        let sample = Sample { at_seconds: self.began.elapsed().as_secs_f64(), sessions, memory_bytes };
        let mut samples = self.samples();
        samples.push(sample);
        let is_full = samples.len() > SAMPLES;
        if is_full {
            let mut at = 0;
            samples.retain(|_| {
                at += 1;
                at % 2 == 1
            });
        }
        is_full
    }

    fn samples(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resident memory of a process on this machine.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What a Prometheus page tells of the process behind it.
async fn told(http: &reqwest::Client, page: &str) -> Option<u64> {
    let answer = http.get(page).timeout(PATIENCE).send().await.ok()?.error_for_status().ok()?;
    let text = answer.text().await.ok()?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let value = lines.find_map(|line| {
        let rest = line.strip_prefix(RESIDENT)?;
        let after_labels = rest.rsplit_once('}').map_or(rest, |(_, value)| value);
        after_labels.split_whitespace().next()?.parse::<f64>().ok()
    });
    value.map(|bytes| bytes as u64)
}
