//! Many clients reconnect, over and over, while replicas are killed and connections are cut at random. How many of the
//! reconnects give the client its session back?

mod client;
mod weather;

use std::ops::AddAssign;

use futures::future::join_all;

use self::client::Visitor;
use self::weather::{Weather, storm};
use super::super::deployment::Deployment;
use crate::harness::size::size;

/// How often a reasonable client tries, with one nonce. Whoever needs more has not had its session back.
const TRIES: usize = 5;

/// Of a thousand reconnects, how many must succeed.
const PER_MILLE: usize = 990;

const SEED: u64 = 2026;

/// What became of reconnects.
#[derive(Debug, Default)]
struct Tally {
    /// The client had its session back with its first try, its second, and so on.
    back_with: [usize; TRIES],
    /// It took more tries.
    too_late: usize,
    /// Refused, though the client was in the right.
    refused: Vec<String>,
    /// Answered, but the session or what was in it was not there.
    empty_handed: Vec<String>,
}

impl Tally {
    /// The client had everything back after so many tries.
    fn note(&mut self, tries: usize) {
        *self.back_with.get_mut(tries - 1).unwrap_or(&mut self.too_late) += 1;
    }

    fn back(&self) -> usize {
        self.back_with.iter().sum()
    }

    fn total(&self) -> usize {
        self.back() + self.too_late + self.refused.len() + self.empty_handed.len()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self { back_with, too_late, refused, empty_handed } = other;
        self.back_with.iter_mut().zip(back_with).for_each(|(sum, more)| *sum += more);
        self.too_late += too_late;
        self.refused.extend(refused);
        self.empty_handed.extend(empty_handed);
    }
}

#[tokio::test]
async fn clients_have_their_sessions_back_while_replicas_die_and_connections_are_cut() {
    let mut deployment = Deployment::start().await;
    let weather = Weather::over(&deployment, SEED).await;
    let mut visitors = Vec::new();
    for number in 0..size(30, 60) {
        visitors.push(Visitor::enters(&deployment, number).await);
    }

    weather.cloud_over();
    let each = size(10, 50);
    let crowd = join_all(visitors.iter_mut().map(|visitor| visitor.reconnects(weather.address(), each)));
    let (tallies, kills) = storm(&mut deployment, SEED, crowd).await;
    let cuts = weather.clear_up();

    let mut tally = Tally::default();
    tallies.into_iter().for_each(|of_one| tally += of_one);
    let (back, total) = (tally.back(), tally.total());
    let per_mille = back * 1000 / total;
    println!(
        "{back} of {total} reconnects gave the session back ({}.{} %), by try: {:?}; {kills} replicas killed, {cuts} \
         connections cut",
        per_mille / 10,
        per_mille % 10,
        tally.back_with
    );
    assert!(total == visitors.len() * each && kills >= 5 && cuts >= total / 20, "there was a storm");
    assert!(tally.refused.is_empty() && tally.empty_handed.is_empty(), "{tally:?}");
    assert!(per_mille >= PER_MILLE, "{tally:?}");
    for visitor in &visitors {
        visitor.has_everything(&deployment).await;
    }
}
