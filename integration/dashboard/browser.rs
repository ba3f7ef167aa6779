//! A Chromium without a window, steered by a chromedriver of its own on a free port. Both are gone with the [`Page`].

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::harness::eventually::within;

/// How long the browser may take to start, on a machine with much else to do.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the page may take for anything. No requirement: only what keeps a test from hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page in a browser of its own.
pub(crate) struct Page {
    client: Client,
    _driver: Driver,
    _profile: TempDir,
}

/// The driver, and with it the browser: one group of processes.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

impl Page {
    /// Opens an address in a new browser, 1280 by 900.
    pub(crate) async fn open(url: &str) -> Self {
        Self::sized(url, 1280, 900).await
    }

    pub(crate) async fn sized(url: &str, width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().expect("the temporary directory can be written");
        let (driver, port) = start(profile.path()).await;
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-prefers-reduced-motion",
            "--lang=en-US",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({ "goog:chromeOptions": { "args": args }, "goog:loggingPrefs": { "browser": "ALL" } });
        let Value::Object(wanted) = wanted else { unreachable!("an object was written") };
        let connecting = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        let page = Self { client: connecting.expect("Chromium starts"), _driver: driver, _profile: profile };
        page.resize(width, height).await;
        page.goto(url).await;
        page
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.expect("the page loads again");
    }

    pub(crate) async fn address(&self) -> String {
        self.client.current_url().await.expect("a page has an address").to_string()
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script returns `true`; returns how long that took.
    pub(crate) async fn until(&self, what: &str, script: &str) -> Duration {
        within(PATIENCE, what, async || self.run(script).await == true).await
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        let found = self.run(&format!("return document.querySelector({selector:?}).textContent")).await;
        found.as_str().expect("text").to_owned()
    }

    /// Clicks as a mouse does: it must be in sight and nothing before it.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.client.find(fantoccini::Locator::Css(selector)).await;
        let element = element.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Types into what has the focus.
    pub(crate) async fn press(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("it takes keys");
    }

    /// Runs a script that calls its last argument when it is done.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.expect("the script ends")
    }

    /// The size of what the page has to itself, the browser's own bars not counted.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        // A window is never narrower than 500 pixels; what is emulated may be.
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A command of Chromium's own.
    pub(crate) async fn devtools(&self, command: &str, params: Value) -> Value {
        let asked = self.client.issue_cmd(DevTools { command: command.to_owned(), params }).await;
        asked.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// What the page shows, as a PNG. With `DASHBOARD_SHOTS` set, it is also written into that folder.
    pub(crate) async fn screenshot(&self, name: &str) -> Vec<u8> {
        let png = self.client.screenshot().await.expect("a screenshot");
        if let Some(folder) = std::env::var_os("DASHBOARD_SHOTS") {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), &png).expect("the folder can be written");
        }
        png
    }

    /// What the browser complained about: errors of scripts, of the network, of the content security policy.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let asked = self.client.issue_cmd(Log).await.expect("the log can be read");
        let entries = asked.as_array().expect("a list").iter();
        entries.filter_map(|entry| Some(entry["message"].as_str()?.to_owned())).collect()
    }

    pub(crate) async fn close(self) {
        self.client.clone().close().await.expect("the browser closes");
    }
}

#[derive(Debug)]
struct DevTools {
    command: String,
    params: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "cmd": self.command, "params": self.params }).to_string()))
    }
}

#[derive(Debug)]
struct Log;

impl fantoccini::wd::WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// Starts a driver on a port that it chooses. On a busy machine one was seen to end at once: another is tried.
async fn start(home: &Path) -> (Driver, u16) {
    for _ in 0..3 {
        if let Some(started) = try_to_start(home).await {
            return started;
        }
    }
    panic!("chromedriver ended three times before it listened")
}

/// `None` if it ends before it listens.
async fn try_to_start(home: &Path) -> Option<(Driver, u16)> {
    let mut command = Command::new("chromedriver");
    command
        .arg("--port=0")
        .env("HOME", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().expect("chromedriver is missing: run integration/run, it installs chromium-driver");
    let stdout = child.stdout.take().expect("stdout is piped");
    let driver = Driver(child);
    let stdout = tokio::process::ChildStdout::from_std(stdout).expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    let port = timeout(READY_WITHIN, async {
        while let Some(line) = lines.next_line().await.expect("stdout is text") {
            let port = line.rsplit_once("on port ").map(|(_, port)| port.trim_end_matches('.'));
            if let Some(port) = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0) {
                return Some(port);
            }
        }
        None
    });
    let port = port.await.expect("chromedriver says something in time")?;
    // What it says later must not stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((driver, port))
}
