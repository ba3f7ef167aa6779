//! Which crypto backend jsonwebtoken has is the program's choice: one with `aws_lc_rs`, one with `rust_crypto` and one with
//! neither builds with this crate beside it and runs, its own JWTs and reconnect tokens alike. This crate brings none.
//!
//! The programs are crates of their own, built by `cargo` in the folder for what tests leave behind: what they need besides this
//! workspace comes from the registry, the first time, and is kept from then on.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::process::Command;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The program's sources.
const SOURCES: [(&str, &str); 3] = [
    ("main.rs", include_str!("backends/app/main.rs")),
    ("own_tokens.rs", include_str!("backends/app/own_tokens.rs")),
    ("reconnect.rs", include_str!("backends/app/reconnect.rs")),
];

#[tokio::test]
async fn a_program_with_either_backend_or_none_builds_and_runs_beside_this_crate() {
    for backend in [None, Some("rust_crypto"), Some("aws_lc_rs")] {
        let begun = Instant::now();
        let program = Program::write(backend);
        let said = program.run().await;
        assert_eq!(said, "all good\n", "{backend:?}");
        println!("{backend:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn this_crate_brings_no_backend_and_few_crates_for_its_tokens() {
    let [nothing, tokens, sealing] = [&[][..], &["--features", "reconnect"], &["--features", "seal"]].map(crates);
    let (nothing, tokens, sealing) = futures::join!(nothing, tokens, sealing);
    let added = |with: &BTreeSet<String>, to: &BTreeSet<String>| with.difference(to).cloned().collect::<Vec<_>>();
    let (for_tokens, for_sealing) = (added(&tokens, &nothing), added(&sealing, &tokens));
    assert!(for_tokens.len() <= MOST_FOR_TOKENS, "{for_tokens:#?}");
    assert!(for_sealing.len() <= MOST_FOR_SEALING, "{for_sealing:#?}");
    let all = crates(&["--all-features"]).await;
    for unwanted in ["aws-lc-rs", "aws-lc-sys", "ed25519-dalek", "p256", "p384", "ring", "rsa"] {
        assert!(!all.contains(unwanted), "{unwanted} is among the crates");
    }
}

/// What jsonwebtoken (with signature, zeroize and zeroize_derive), hmac (with ctutils and cmov) and humantime come to.
const MOST_FOR_TOKENS: usize = 10;
/// chacha20poly1305, with aead, chacha20, cipher, inout, poly1305 and universal-hash.
const MOST_FOR_SEALING: usize = 7;

/// The crates that ours is built with, by name.
async fn crates(features: &[&str]) -> BTreeSet<String> {
    let tree = ["tree", "--package", "tower-mcp-sessions", "--edges", "normal,build", "--prefix", "none", "--locked"];
    let listed = cargo(Path::new(WORKSPACE)).args(tree).arg("--no-default-features").args(features).output().await;
    let listed = listed.expect("cargo runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("names");
    listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// A crate of its own that depends on ours, with its default features.
struct Program {
    folder: PathBuf,
    target: PathBuf,
}

impl Program {
    fn write(backend: Option<&str>) -> Self {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("backends");
        let folder = all.join(backend.unwrap_or("none"));
        fs::create_dir_all(folder.join("src")).expect("a folder for the program");
        for (name, text) in SOURCES {
            write(&folder.join("src").join(name), text);
        }
        write(&folder.join("Cargo.toml"), &manifest(backend));
        seed_lock(&folder);
        Self { folder, target: all.join("target") }
    }

    /// What it says, when it was built and has run well.
    async fn run(&self) -> String {
        let run = cargo(&self.folder).args(["run", "--quiet"]).env("CARGO_TARGET_DIR", &self.target).output().await;
        let run = run.expect("cargo runs");
        assert!(run.status.success(), "{}: {}", self.folder.display(), String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).expect("text")
    }
}

/// Versions are this workspace's, as far as it has them; what a backend brings is chosen when a program is built first.
fn seed_lock(folder: &Path) {
    let seed = fs::read_to_string(Path::new(WORKSPACE).join("Cargo.lock")).expect("this workspace's versions");
    let seeded = folder.join("seed.lock");
    if fs::read_to_string(&seeded).ok().as_deref() != Some(&*seed) {
        write(&folder.join("Cargo.lock"), &seed);
        write(&seeded, &seed);
    }
}

fn manifest(backend: Option<&str>) -> String {
    let own = backend.map_or_else(String::new, |backend| {
        format!("jsonwebtoken = {{ version = \"11.1\", default-features = false, features = [\"{backend}\"] }}\n")
    });
    let default = if backend.is_some() { "\"own-tokens\"" } else { "" };
    format!(
        r#"[package]
name = "beside-{name}"
version = "0.0.0"
edition = "2024"
publish = false

# Not of the workspace around it: there the features of all would come together.
[workspace]

[features]
default = [{default}]
own-tokens = []

[profile.dev]
debug = false
incremental = false

[dependencies]
bytes = "1"
http = "1"
http-body-util = "0.1"
serde_json = "1"
tokio = {{ version = "1", features = ["macros", "rt"] }}
tower = {{ version = "0.5", features = ["util"] }}
tower-mcp-sessions = {{ path = {WORKSPACE:?} }}
{own}"#,
        name = backend.unwrap_or("none"),
    )
}

/// Leaves a file alone that is as it should be: it would be built again.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).expect("it can be written");
    }
}

/// The cargo that runs this test.
fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(folder).kill_on_drop(true);
    cargo
}
