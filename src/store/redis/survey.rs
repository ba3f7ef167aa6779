//! [`Survey`] on Redis: sessions are counted by their indexes, what happened by counters that the scripts keep.
//!
//! A counter is named by the number of its five minutes since the Unix epoch and a letter:
//!
//! | letter | counts |
//! |---|---|
//! | `o` `d` `r` `e` `f` | events: see `entry.rs`; `t` counts as `r` |
//! | `a` | sessions that ended while they were active |
//! | `h` | how long those that ended had lived, in ms |
//! | `m` | requests of the revisions without sessions |
//!
//! Those requests are also counted by client: under the number of the hour, a colon, and name and version as JSON.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis;
use futures::future::try_join_all;

use super::answer::Answer;
use super::scripts::{self, Call, span};
use super::{RedisStore, record};
use crate::event::SessionView;
use crate::id::SessionKey;
use crate::session::{ClientInfo, SessionStatus, Timestamp, millis};
use crate::store::{AgeLimits, Ages, Bucket, ClientUse, Lifetimes, Place, StoreError, StoreErrorKind, Survey, Vitals};

/// What one shard counts: clock, active, disconnected, healthy, stale, lived, clients, counters.
type Count = (u64, u64, u64, u64, u64, i64, HashMap<String, u64>, HashMap<String, u64>);

/// Keys and when they were last seen.
type Places = Vec<(String, u64)>;

#[async_trait]
impl Survey for RedisStore {
    async fn vitals(&self, ages: &AgeLimits) -> Result<Vitals, StoreError> {
        let counts = self.keys().shards().map(|shard| self.count(shard, ages));
        Ok(sum_up(try_join_all(counts).await?))
    }

    async fn view(&self, key: &SessionKey) -> Result<Option<SessionView>, StoreError> {
        let call = Call::on(&scripts::VIEW, self.keys(), key).arg(key.as_str());
        let mut answer = Answer::of(self.link().ask(&call).await?);
        if answer.is_empty() {
            return Ok(None);
        }
        let record = record::decode(*key, &answer.bytes()?, Lifetimes::default())?;
        let last_seen = Timestamp(answer.number()?).max(record.created_at);
        Ok(Some(SessionView::of(&record, last_seen)))
    }

    /// Sessions that end meanwhile are left out, and others take their place on the page; so are those whose record a newer
    /// version wrote.
    async fn page(
        &self,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        max: usize,
    ) -> Result<Vec<SessionView>, StoreError> {
        let (mut from, mut page) = (from.cloned(), Vec::new());
        while page.len() < max {
            let wanted = max - page.len();
            let places = self.places(status, from.as_ref(), wanted).await?;
            let (last, found) = (places.last().map(|(place, _)| place.clone()), places.len());
            page.extend(self.views(places).await?);
            if found < wanted {
                break;
            }
            from = last;
        }
        Ok(page)
    }

    async fn count_modern(&self, client: &ClientInfo, requests: u64) -> Result<(), StoreError> {
        let client = serde_json::to_vec(&(&client.name, &client.version)).expect("two texts are JSON");
        let call = Call::new(&scripts::MODERN, self.keys(), 0, &[]).owned(client).number(requests);
        let call = call.number(ClientUse::MOST as u64);
        self.lease().await?.ask::<u8>(&call).await.map(|_| ())
    }
}

impl RedisStore {
    async fn count(&self, shard: u16, ages: &AgeLimits) -> Result<Count, StoreError> {
        let call =
            Call::new(&scripts::VITALS, self.keys(), shard, &[]).number(span(ages.healthy)).number(span(ages.stale));
        self.link().ask(&call).await
    }

    /// The places after a place, over all shards, in order.
    async fn places(
        &self,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        most: usize,
    ) -> Result<Vec<(Place, SessionStatus)>, StoreError> {
        let lists = self.keys().shards().map(|shard| self.places_of(shard, status, from, most));
        let mut places = Vec::new();
        for (active, disconnected) in try_join_all(lists).await? {
            for (list, status) in [(active, SessionStatus::Active), (disconnected, SessionStatus::Disconnected)] {
                for (key, last_seen) in list {
                    let key = SessionKey::parse(&key).ok_or(StoreErrorKind::Corrupt)?;
                    places.push((Place { last_seen: Timestamp(last_seen), key }, status));
                }
            }
        }
        places.sort_unstable_by_key(|(place, _)| Reverse((place.last_seen, place.key)));
        places.truncate(most);
        Ok(places)
    }

    async fn places_of(
        &self,
        shard: u16,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        most: usize,
    ) -> Result<(Places, Places), StoreError> {
        let wanted = |of| u64::from(status.is_none_or(|status| status == of));
        let call = Call::new(&scripts::PAGE, self.keys(), shard, &[])
            .number(wanted(SessionStatus::Active))
            .number(wanted(SessionStatus::Disconnected))
            .number(most as u64);
        let call = from.into_iter().fold(call, |call, from| call.number(from.last_seen.0).arg(from.key.as_str()));
        self.link().ask(&call).await
    }

    /// The sessions at some places, as long as they live.
    async fn views(&self, places: Vec<(Place, SessionStatus)>) -> Result<Vec<SessionView>, StoreError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let mut reads = redis::pipe();
        for (place, _) in &places {
            reads.get(self.keys().record(&place.key));
        }
        let values: Vec<Option<Vec<u8>>> = self.link().ask(&reads).await?;
        let mut views = Vec::with_capacity(places.len());
        for ((place, status), value) in places.into_iter().zip(values) {
            match value.map(|value| record::decode(place.key, &value, Lifetimes::default())) {
                None => {}
                Some(Err(error)) if error.kind() == StoreErrorKind::NewerFormat => {}
                Some(record) => views.push(SessionView { status, ..SessionView::of(&record?, place.last_seen) }),
            }
        }
        Ok(views)
    }
}

fn sum_up(counts: Vec<Count>) -> Vitals {
    let now = Timestamp(counts.iter().map(|count| count.0).max().unwrap_or_default());
    let mut vitals = Vitals { now, history: vec![Bucket::default(); Bucket::A_DAY], ..Vitals::default() };
    let (mut lived, mut clients, mut modern) = (0, HashMap::new(), HashMap::new());
    for (_, active, disconnected, healthy, stale, of_shard, of_clients, counters) in counts {
        vitals.active += active;
        vitals.disconnected += disconnected;
        add_ages(&mut vitals.ages, active + disconnected, healthy, stale);
        lived += of_shard;
        of_clients.into_iter().for_each(|(client, count)| *clients.entry(client).or_default() += count);
        for (name, count) in counters {
            match name.split_once(':') {
                Some((hour, client)) if is_of_the_day(hour, now) => {
                    *modern.entry(client.to_owned()).or_default() += count;
                }
                Some(_) => {}
                None => add_counter(&mut vitals, &name, count),
            }
        }
    }
    vitals.lived = Duration::from_millis(u64::try_from(lived).unwrap_or_default());
    vitals.clients = ClientUse::ranked(by_client(clients), by_client(modern));
    vitals
}

fn add_ages(ages: &mut Ages, all: u64, healthy: u64, stale: u64) {
    let healthy = healthy.min(all);
    let stale = stale.min(all - healthy);
    ages.healthy += healthy;
    ages.stale += stale;
    ages.aging += all - healthy - stale;
}

/// This hour and the 23 before it.
fn is_of_the_day(hour: &str, now: Timestamp) -> bool {
    hour.parse().is_ok_and(|hour: u64| (now.0 / 3_600_000).checked_sub(hour).is_some_and(|age| age < 24))
}

/// A counter that is too old, or of a newer version, is left out.
fn add_counter(vitals: &mut Vitals, name: &str, count: u64) {
    let newest = vitals.now.0 / millis(Bucket::SPAN);
    let Some((at, letter)) = name.split_at_checked(name.len().saturating_sub(1)) else { return };
    let age = at.parse().ok().and_then(|number: u64| usize::try_from(newest.checked_sub(number)?).ok());
    let Some(place) = age.and_then(|age| Bucket::A_DAY.checked_sub(age + 1)) else { return };
    let bucket = &mut vitals.history[place];
    *match letter {
        "o" => &mut bucket.opened,
        "d" => &mut bucket.disconnected,
        "r" => &mut bucket.reconnected,
        "e" => &mut bucket.ended,
        "a" => &mut bucket.ended_active,
        "h" => &mut bucket.lived_ms,
        "f" => &mut bucket.refused,
        "m" => &mut bucket.modern,
        _ => return,
    } += count;
}

/// What is counted together under a name of its own is no client.
fn by_client(counts: HashMap<String, u64>) -> HashMap<ClientInfo, u64> {
    let client = |text: &str| serde_json::from_str(text).map(|(name, version)| ClientInfo { name, version }).ok();
    counts.into_iter().filter_map(|(text, count)| Some((client(&text)?, count))).collect()
}
