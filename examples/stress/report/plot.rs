//! Line plots as inline SVG: they need no script and scale with the page.

use std::fmt::Write;

use super::{bytes, ms};

const WIDE: f64 = 560.0;
const HIGH: f64 = 240.0;
/// Room for what is written at the axes.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 46.0;
/// Colours there are, `--c0` and so on in the style.
const COLOURS: usize = 6;

/// A line.
pub struct Trace {
    pub name: String,
    /// From left to right; where the height is no number, the line is interrupted.
    pub points: Vec<(f64, f64)>,
    pub colour: usize,
}

/// How the vertical axis is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    FromZero,
    Logarithmic,
}

/// A plot.
pub struct Plot<'a> {
    pub title: &'a str,
    pub traces: Vec<Trace>,
    pub scale: Scale,
    /// What is written at a height.
    pub vertical: fn(f64) -> String,
    /// What is written at a place from left to right, and where.
    pub ticks: Vec<(f64, String)>,
    /// From 0 so far to the right; without it as far as the points go.
    pub width: Option<f64>,
    pub across: &'a str,
}

impl Plot<'_> {
    /// As a figure with its legend; nothing if there is nothing to draw.
    pub fn figure(&self) -> String {
        let points = || self.traces.iter().flat_map(|trace| trace.points.iter().copied()).filter(|(_, y)| !y.is_nan());
        let (low_x, high_x) = self.width.map_or_else(|| range(points().map(|(x, _)| x)), |width| (0.0, width));
        let (low_y, high_y) = self.heights(points().map(|(_, y)| y));
        if points().count() < 2 || high_x <= low_x {
            return String::new();
        }
        let place_x = |x: f64| LEFT + (x - low_x) / (high_x - low_x) * (WIDE - LEFT - RIGHT);
        let place_y = |y: f64| TOP + (1.0 - (self.height(y) - low_y) / (high_y - low_y)) * (HIGH - TOP - BOTTOM);
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDE} {HIGH}\" role=\"img\" aria-label=\"{}\">", escaped(self.title));
        for y in self.lines(low_y, high_y) {
            let at = place_y(y);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDE - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                escaped(&(self.vertical)(y))
            );
        }
        for (x, label) in self.ticks.iter().filter(|(x, _)| (low_x..=high_x).contains(x)) {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                place_x(*x),
                HIGH - BOTTOM + 18.0,
                escaped(label)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDE - RIGHT,
            HIGH - 6.0,
            escaped(self.across)
        );
        for trace in &self.traces {
            for piece in trace.points.split(|(_, y)| y.is_nan()).filter(|piece| !piece.is_empty()) {
                let points: Vec<_> =
                    piece.iter().map(|(x, y)| format!("{:.1},{:.1}", place_x(*x), place_y(*y))).collect();
                // A single point is drawn as a dot, by its line's round end.
                let points = if let [dot] = &points[..] { format!("{dot} {dot}") } else { points.join(" ") };
                let _ = write!(
                    svg,
                    "<polyline class=\"trace\" style=\"stroke: var(--c{})\" points=\"{points}\"><title>{}</title></polyline>",
                    trace.colour % COLOURS,
                    escaped(&trace.name)
                );
            }
        }
        format!("<figure><figcaption>{}</figcaption>{svg}</svg>{}</figure>\n", escaped(self.title), self.legend())
    }

    /// Whose line is whose; a single line is its title's.
    fn legend(&self) -> String {
        if self.traces.len() < 2 {
            return String::new();
        }
        let entry = |trace: &Trace| {
            let (colour, name) = (trace.colour % COLOURS, escaped(&trace.name));
            format!("<span><i style=\"background: var(--c{colour})\"></i>{name}</span>")
        };
        let entries: String = self.traces.iter().map(entry).collect();
        format!("<div class=\"legend\">{entries}</div>")
    }

    /// A value's place on the vertical axis.
    fn height(&self, y: f64) -> f64 {
        match self.scale {
            Scale::FromZero => y,
            Scale::Logarithmic => y.max(SMALLEST).log10(),
        }
    }

    fn heights(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let (low, high) = range(values.map(|y| self.height(y)));
        match self.scale {
            Scale::FromZero => (0.0, if high > 0.0 { high * 1.08 } else { 1.0 }),
            Scale::Logarithmic => (low.floor(), high.ceil().max(low.floor() + 1.0)),
        }
    }

    /// Where lines go across.
    fn lines(&self, low: f64, high: f64) -> Vec<f64> {
        match self.scale {
            Scale::Logarithmic => (low as i32..=high as i32).map(|power| 10f64.powi(power)).collect(),
            Scale::FromZero => {
                let step = round_step(high / 5.0);
                (0..).map(|n| f64::from(n) * step).take_while(|y| *y <= high).collect()
            }
        }
    }
}

/// Smallest time that is told apart: a microsecond, in milliseconds.
const SMALLEST: f64 = 0.001;

/// Seconds as ticks from left to right.
pub fn seconds(last: f64) -> Vec<(f64, String)> {
    let step = round_step(last / 5.0);
    (0..)
        .map(|n| f64::from(n) * step)
        .take_while(|at| *at <= last)
        .map(|at| (at, format!("{}", (at * 100.0).round() / 100.0)))
        .collect()
}

/// A time at an axis.
pub fn times(time: f64) -> String {
    short(&ms(time))
}

/// A size at an axis.
pub fn sizes(size: f64) -> String {
    short(&bytes(size))
}

/// Without zeros at the end of a fraction.
fn short(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text.to_owned(),
    }
}

/// 1, 2 or 5 of a power of ten.
fn round_step(about: f64) -> f64 {
    let power = 10f64.powf(about.max(1e-6).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= about).unwrap_or(10.0);
    step * power
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Text that is text on a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
