//! Clients that people know, and their habits. The names are those they introduce themselves by; the habits are made up.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::StdRng;

/// One kind of client.
pub struct Kind {
    pub name: &'static str,
    pub versions: &'static [&'static str],
    /// How many of a hundred clients are of this kind.
    share: u32,
    /// Calls one after another.
    pub burst: Range<u32>,
    /// Seconds between bursts.
    pub thinks: Range<f64>,
    /// How often, after a burst, it vanishes without a word, in percent.
    pub vanishes: u32,
    /// How often, after a burst, it ends its session, in percent.
    pub ends: u32,
    /// Seconds it is away.
    pub away: Range<f64>,
    /// Listens to what the server says by itself.
    pub listens: bool,
}

pub const KINDS: [Kind; 9] = [
    Kind {
        name: "claude-code",
        versions: &["2.0.76", "2.1.4"],
        share: 26,
        burst: 2..12,
        thinks: 4.0..60.0,
        vanishes: 4,
        ends: 3,
        away: 20.0..400.0,
        listens: true,
    },
    Kind {
        name: "claude-ai",
        versions: &["0.1.0"],
        share: 14,
        burst: 1..4,
        thinks: 20.0..240.0,
        vanishes: 8,
        ends: 2,
        away: 60.0..900.0,
        listens: false,
    },
    Kind {
        name: "cursor-vscode",
        versions: &["1.0.0"],
        share: 18,
        burst: 1..8,
        thinks: 5.0..90.0,
        vanishes: 6,
        ends: 1,
        away: 30.0..600.0,
        listens: true,
    },
    Kind {
        name: "Visual Studio Code",
        versions: &["1.107.1", "1.108.0"],
        share: 14,
        burst: 1..6,
        thinks: 8.0..150.0,
        vanishes: 3,
        ends: 5,
        away: 30.0..500.0,
        listens: true,
    },
    Kind {
        name: "codex-mcp-client",
        versions: &["0.77.0", "0.80.0"],
        share: 9,
        burst: 3..15,
        thinks: 3.0..40.0,
        vanishes: 5,
        ends: 6,
        away: 10.0..120.0,
        listens: false,
    },
    Kind {
        name: "openai-mcp",
        versions: &["1.0.0"],
        share: 6,
        burst: 1..3,
        thinks: 15.0..120.0,
        vanishes: 2,
        ends: 20,
        away: 20.0..240.0,
        listens: false,
    },
    Kind {
        name: "Zed",
        versions: &["0.217.3"],
        share: 5,
        burst: 1..5,
        thinks: 10.0..180.0,
        vanishes: 6,
        ends: 4,
        away: 60.0..700.0,
        listens: true,
    },
    Kind {
        name: "goose",
        versions: &["1.18.0"],
        share: 4,
        burst: 2..9,
        thinks: 5.0..70.0,
        vanishes: 10,
        ends: 4,
        away: 30.0..300.0,
        listens: false,
    },
    Kind {
        name: "inspector-client",
        versions: &["0.17.5", "0.18.0"],
        share: 4,
        burst: 1..3,
        thinks: 2.0..20.0,
        vanishes: 15,
        ends: 10,
        away: 5.0..60.0,
        listens: true,
    },
];

/// One of them, as often as there are of its kind.
pub fn any(random: &mut StdRng) -> &'static Kind {
    let all: u32 = KINDS.iter().map(|kind| kind.share).sum();
    let mut ticket = random.random_range(0..all);
    for kind in &KINDS {
        if ticket < kind.share {
            return kind;
        }
        ticket -= kind.share;
    }
    unreachable!("a ticket is less than all shares together")
}
