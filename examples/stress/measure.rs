//! What is counted while scenarios run: how long operations took, and how they failed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::Failure;
use crate::report::{Curve, FailureCount, Moment, Operation};

/// The width of a moment in the plots over time.
const MOMENT: Duration = Duration::from_millis(500);
/// Longest time that is told apart.
const LONGEST: u64 = 3_600_000_000;
/// Points of a plot over time.
const POINTS: usize = 90;

/// The measurements of one scenario.
pub struct Measure {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    operations: BTreeMap<String, Counted>,
    failures: BTreeMap<String, FailureCount>,
}

struct Counted {
    histogram: Histogram<u64>,
    failed: u64,
    moments: BTreeMap<u64, Slot>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    count: u64,
    failed: u64,
    sum_us: u64,
    max_us: u64,
}

impl Measure {
    pub fn new() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    /// Does something and notes how long it took, or how it failed.
    pub async fn time<T>(&self, name: &str, doing: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.time_from(name, Instant::now(), doing).await
    }

    /// The same, the time counted from when it should have begun: what had to wait because the one before was slow, waited.
    pub async fn time_from<T>(
        &self,
        name: &str,
        from: Instant,
        doing: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let outcome = doing.await;
        match &outcome {
            Ok(_) => self.took(name, from.elapsed()),
            Err(failure) => self.failed(name, failure),
        }
        outcome
    }

    /// Notes a time.
    pub fn took(&self, name: &str, time: Duration) {
        let at = self.moment();
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST);
        let mut state = self.state();
        let counted = state.operation(name);
        counted.histogram.saturating_record(micros);
        let slot = counted.moments.entry(at).or_default();
        slot.count += 1;
        slot.sum_us += micros;
        slot.max_us = slot.max_us.max(micros);
    }

    /// Notes a failure.
    pub fn failed(&self, name: &str, failure: &Failure) {
        let at = self.moment();
        let mut state = self.state();
        let counted = state.operation(name);
        counted.failed += 1;
        counted.moments.entry(at).or_default().failed += 1;
        let count = state.failures.entry(failure.kind()).or_insert_with(|| FailureCount {
            count: 0,
            example: format!("{name}: {failure}"),
            hint: failure.hint().map(ToOwned::to_owned),
        });
        count.count += 1;
    }

    /// A percentile of an operation, if it succeeded at all.
    pub fn percentile(&self, name: &str, percent: f64) -> Option<Duration> {
        let state = self.state();
        let histogram = &state.operations.get(name)?.histogram;
        (!histogram.is_empty()).then(|| Duration::from_micros(histogram.value_at_percentile(percent)))
    }

    /// A percentile over all operations together.
    pub fn percentile_of_all(&self, percent: f64) -> Option<(Duration, u64)> {
        let state = self.state();
        let mut sum = histogram();
        for counted in state.operations.values() {
            sum.add(&counted.histogram).expect("all have the same bounds");
        }
        (!sum.is_empty()).then(|| (Duration::from_micros(sum.value_at_percentile(percent)), sum.len()))
    }

    /// How often something failed this way.
    pub fn count_of(&self, kind: &str) -> u64 {
        self.state().failures.get(kind).map_or(0, |failure| failure.count)
    }

    /// How often an operation failed.
    pub fn failures_of(&self, name: &str) -> u64 {
        self.state().operations.get(name).map_or(0, |counted| counted.failed)
    }

    /// What all operations came to.
    pub fn operations(&self) -> Vec<Operation> {
        let state = self.state();
        state.operations.iter().map(|(name, counted)| counted.told(name)).collect()
    }

    pub fn failures(&self) -> BTreeMap<String, FailureCount> {
        self.state().failures.clone()
    }

    fn moment(&self) -> u64 {
        (self.began.elapsed().as_millis() / MOMENT.as_millis()) as u64
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn operation(&mut self, name: &str) -> &mut Counted {
        self.operations.entry(name.to_owned()).or_insert_with(|| Counted {
            histogram: histogram(),
            failed: 0,
            moments: BTreeMap::new(),
        })
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are allowed")
}

impl Counted {
    fn told(&self, name: &str) -> Operation {
        let at = |percent| millis(self.histogram.value_at_percentile(percent));
        Operation {
            name: name.to_owned(),
            count: self.histogram.len(),
            failed: self.failed,
            mean_ms: self.histogram.mean() / 1000.0,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: millis(self.histogram.max()),
            curve: self.curve(),
            over_time: self.over_time(),
        }
    }

    /// The time below which each share of them stayed, finer towards the slow end.
    fn curve(&self) -> Vec<Curve> {
        let most = 1.0 - 1.0 / (self.histogram.len().max(2) as f64);
        let shares = (0..=40).map(|step| 1.0 - 10f64.powf(-f64::from(step) / 10.0)).filter(|share| *share <= most);
        let point = |share: f64| Curve { share, ms: millis(self.histogram.value_at_quantile(share)) };
        let mut points: Vec<_> = shares.map(point).collect();
        points.push(Curve { share: most, ms: millis(self.histogram.max()) });
        points
    }

    fn over_time(&self) -> Vec<Moment> {
        let last = self.moments.keys().last().copied().unwrap_or(0);
        let wide = last / POINTS as u64 + 1;
        let mut merged = BTreeMap::<u64, Slot>::new();
        for (at, slot) in &self.moments {
            let into = merged.entry(at / wide).or_default();
            into.count += slot.count;
            into.failed += slot.failed;
            into.sum_us += slot.sum_us;
            into.max_us = into.max_us.max(slot.max_us);
        }
        let width = MOMENT.as_secs_f64() * wide as f64;
        let (first, last) = (merged.keys().next().copied(), merged.keys().last().copied());
        let told = |at: u64| {
            let slot = merged.get(&at).copied().unwrap_or_default();
            Moment {
                at_seconds: at as f64 * width,
                per_second: slot.count as f64 / width,
                failed: slot.failed,
                mean_ms: slot.sum_us.checked_div(slot.count).map(millis),
                max_ms: (slot.count > 0).then(|| millis(slot.max_us)),
            }
        };
        first.zip(last).into_iter().flat_map(|(first, last)| first..=last).map(told).collect()
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
