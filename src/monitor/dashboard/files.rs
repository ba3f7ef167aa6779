//! What is compiled in.

/// A file as it is sent.
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $media_type:expr) => {
        File { name: $name, media_type: $media_type, text: include_str!(concat!("assets/", $name)) }
    };
}

/// The page: `{digest}` stands for the folder of the assets.
pub(super) const INDEX: File = file!("index.html", HTML);

/// For somebody who is not let in.
pub(super) const DENIED: File = file!("denied.html", HTML);

pub(super) const ASSETS: &[File] = &[
    file!("style.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("theme.js", SCRIPT),
    file!("app.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("cards.js", SCRIPT),
    file!("charts.js", SCRIPT),
    file!("choice.js", SCRIPT),
    file!("deep.js", SCRIPT),
    file!("dialogs.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("drawer.js", SCRIPT),
    file!("empty.js", SCRIPT),
    file!("events.js", SCRIPT),
    file!("export.js", SCRIPT),
    file!("feed.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("health.js", SCRIPT),
    file!("indicator.js", SCRIPT),
    file!("keys.js", SCRIPT),
    file!("model.js", SCRIPT),
    file!("query.js", SCRIPT),
    file!("screen.js", SCRIPT),
    file!("table.js", SCRIPT),
    file!("themes.js", SCRIPT),
    file!("transports.js", SCRIPT),
];
