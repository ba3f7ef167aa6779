//! Viewers, what they saw, and what they should have seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::super::Stage;
use crate::client::Failure;
use crate::criteria::Criterion;
use crate::monitor::Viewer;

/// An event: what happened, and to which session.
type Event = (String, String);

/// Events that requests of ours caused, and when.
#[derive(Default)]
pub struct Caused(Mutex<HashMap<Event, Instant>>);

impl Caused {
    pub fn note(&self, kind: &str, session: &str, when: Instant) {
        let event = (kind.to_owned(), session.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(event, when);
    }

    pub fn all(self) -> HashMap<Event, Instant> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When one viewer was told of each event, and how often.
#[derive(Default)]
struct Diary {
    told: HashMap<Event, Vec<Instant>>,
    failure: Option<Failure>,
}

/// Viewers that watch.
pub struct Watching {
    diaries: Vec<Arc<Mutex<Diary>>>,
    tasks: JoinSet<()>,
}

impl Watching {
    /// So many viewers, at all monitors in turn; those that are let in.
    pub async fn begin(stage: &Stage, viewers: usize) -> Self {
        let mut watching = Self { diaries: Vec::new(), tasks: JoinSet::new() };
        let places: Vec<_> = stage.server.monitors.iter().cycle().take(viewers).collect();
        let client = stage.client_name();
        let begun = stage
            .each(&places, async |monitor| stage.measure.time("watch", Viewer::begin(monitor, Some(&client))).await);
        for mut viewer in begun.await.into_iter().flatten() {
            let diary = Arc::<Mutex<Diary>>::default();
            watching.diaries.push(Arc::clone(&diary));
            watching.tasks.spawn(async move {
                loop {
                    let told = viewer.next().await;
                    let now = Instant::now();
                    let mut diary = diary.lock().unwrap_or_else(PoisonError::into_inner);
                    match told {
                        Ok(events) => {
                            for event in events {
                                diary.told.entry((event.kind, event.session)).or_default().push(now);
                            }
                        }
                        Err(failure) => {
                            diary.failure = Some(failure);
                            return;
                        }
                    }
                }
            });
        }
        watching
    }

    pub fn viewers(&self) -> usize {
        self.diaries.len()
    }

    /// Waits until all have seen everything, at most so long.
    pub async fn end(mut self, caused: &HashMap<Event, Instant>, patience: Duration) -> Seen {
        let until = Instant::now() + patience;
        let all_seen = || {
            self.diaries.iter().all(|diary| {
                let diary = diary.lock().unwrap_or_else(PoisonError::into_inner);
                diary.failure.is_some() || caused.keys().all(|event| diary.told.contains_key(event))
            })
        };
        while !all_seen() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.tasks.shutdown().await;
        let take =
            |diary: &Arc<Mutex<Diary>>| std::mem::take(&mut *diary.lock().unwrap_or_else(PoisonError::into_inner));
        Seen { diaries: self.diaries.iter().map(take).collect() }
    }
}

/// What the viewers saw.
pub struct Seen {
    diaries: Vec<Diary>,
}

impl Seen {
    /// Measures each event's way to each viewer: from the request that caused it, so that no clocks need to agree.
    pub fn measure(&self, stage: &Stage, caused: &HashMap<Event, Instant>) {
        for diary in &self.diaries {
            for (event, when) in caused {
                if let Some(told) = diary.told.get(event).and_then(|told| told.first()) {
                    let took = told.saturating_duration_since(*when);
                    stage.measure.took(&format!("seen {}", event.0), took);
                    stage.server.evidence.events.took("event", took);
                }
            }
            if let Some(failure) = &diary.failure {
                stage.measure.failed("view", failure);
            }
        }
    }

    pub fn complete(&self, name: &str, caused: &HashMap<Event, Instant>, viewers: usize) -> Criterion {
        let seen =
            self.diaries.iter().map(|diary| caused.keys().filter(|event| diary.told.contains_key(*event)).count());
        let seen: usize = seen.sum();
        let criterion = Criterion::all(name, seen, caused.len() * viewers);
        Criterion { detail: format!("{} ({} events, {viewers} viewers)", criterion.detail, caused.len()), ..criterion }
    }

    pub fn once(&self, name: &str, caused: &HashMap<Event, Instant>) -> Criterion {
        let doubled = self.diaries.iter().flat_map(|diary| diary.told.iter());
        let doubled = doubled.filter(|(event, told)| caused.contains_key(*event) && told.len() > 1).count();
        Criterion::check(name, doubled == 0, format!("{doubled} told twice"))
    }
}
