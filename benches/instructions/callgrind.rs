//! One row behind one setup, in a process of its own under callgrind: rows do not change each other's figures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, process, thread};

use crate::rows::{self, Row};
use crate::setup::Setup;
use crate::stage::{Stage, WINDOW};
use crate::support::redis::PrivateRedis;

/// The environment variable that makes this program do a row: its name, the setup and the address of Redis.
const ROLE: &str = "BENCH_ROW";
/// Allocations at one price, whatever was freed before: glibc's lists of each size may be this long instead of 7.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=2000");

/// Longest that a row may take: while the clock stands still, no timeout of the layer's own ends a wait.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one row costs behind one setup.
pub struct Figure {
    pub row: &'static str,
    pub setup: Setup,
    /// Instructions each time.
    pub instructions: u64,
    /// Round trips to Redis each time.
    pub trips: f64,
}

/// Where figures and callgrind's own output go.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions")
}

/// A program that is needed and not installed.
pub fn missing() -> Option<&'static str> {
    ["valgrind", "redis-server"].into_iter().find(|program| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    })
}

/// Counts a row, bare and behind each of its setups.
pub fn count(row: &'static Row) -> Vec<Figure> {
    let setups = [Setup::Bare].into_iter().chain(row.setups.iter().copied());
    setups.map(|setup| count_behind(row, setup)).collect()
}

fn count_behind(row: &'static Row, setup: Setup) -> Figure {
    // On a thread of its own, for it pins the thread that starts it.
    let redis = thread::spawn(PrivateRedis::start).join().expect("no panic").expect("redis-server starts");
    let folder = folder();
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let counts = folder.join(format!("{}.{setup}.out", row.name));
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", &format!("--toggle-collect={WINDOW}")])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(env::current_exe().expect("this program"))
        // The same stack everywhere.
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env(ALLOCATOR.0, ALLOCATOR.1)
        .env(ROLE, format!("{} {setup} {}", row.name, redis.url()))
        .stderr(Stdio::inherit())
        .output()
        .expect("valgrind starts");
    assert!(output.status.success(), "{} behind {setup} failed under valgrind: {}", row.name, output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let (times, trips) = text.trim().split_once(' ').expect("times and round trips");
    let (times, trips): (u64, f64) = (times.parse().expect("a number"), trips.parse().expect("a number"));
    Figure { row: row.name, setup, instructions: total(&counts) / times, trips: trips / times as f64 }
}

fn total(counts: &Path) -> u64 {
    let text = fs::read_to_string(counts).expect("callgrind has written its counts");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok()).expect("callgrind's total");
    assert!(total > 0, "callgrind did not find the function it has to count: is the bench stripped of its symbols?");
    total
}

/// Does a row, if this process is there for it.
pub fn measure_if_asked() -> bool {
    let Ok(role) = env::var(ROLE) else { return false };
    let mut words = role.split(' ');
    let mut word = || words.next().expect("a row, a setup and a Redis");
    let (row, setup, redis) = (rows::find(word()).expect("a row"), Setup::named(word()).expect("a setup"), word());
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("not done in {} s", PATIENCE.as_secs());
        process::exit(1);
    });
    let mut stage = Stage::new(setup, redis);
    (row.run)(&mut stage);
    println!("{} {}", stage.counted().times, stage.counted().trips);
    true
}
