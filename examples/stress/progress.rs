//! What is said while it goes on: bars on a terminal, plain lines elsewhere. Always on stderr; results go to stdout.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often bars are drawn anew in a second.
const HERTZ: u8 = 8;

#[derive(Clone)]
pub struct Progress {
    bars: MultiProgress,
    is_terminal: bool,
}

impl Progress {
    pub fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr_with_hz(HERTZ) } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), is_terminal }
    }

    /// Says a line.
    pub fn say(&self, line: &str) {
        match self.is_terminal {
            true => drop(self.bars.println(line)),
            false => eprintln!("{line}"),
        }
    }

    /// Says that somebody pressed Ctrl-C.
    pub fn interrupted(&self, line: &str) {
        self.after_ctrl_c();
        self.say(line);
    }

    /// Leaves no bar behind, after Ctrl-C once more.
    pub fn leave(&self) {
        self.after_ctrl_c();
        let _ = self.bars.clear();
    }

    /// A terminal wrote `^C` into the line below the bars: leads the cursor back.
    fn after_ctrl_c(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[2K\x1b[A");
        }
    }

    /// Shows that a scenario begins.
    pub fn begin(&self, name: &str, about: &str) -> Bar {
        if !self.is_terminal {
            eprintln!("{name}: {about}");
        }
        let bar = self.bars.add(ProgressBar::no_length());
        let style =
            ProgressStyle::with_template("{prefix:>11.bold} {wide_bar:.cyan/blue} {pos:>6}/{len:<6} {elapsed:>4}");
        bar.set_style(style.expect("the template is well formed"));
        bar.set_prefix(name.to_owned());
        Bar { bar }
    }
}

/// How far one scenario is.
#[derive(Clone)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// There are this many more steps to take.
    pub fn expect(&self, steps: usize) {
        self.bar.set_length(self.bar.length().unwrap_or(0) + steps as u64);
    }

    /// One step is taken.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Waits, and shows how long still.
    pub async fn wait(&self, time: Duration) {
        const TICKS: u32 = 50;
        self.expect(TICKS as usize);
        for _ in 0..TICKS {
            tokio::time::sleep(time / TICKS).await;
            self.step();
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
