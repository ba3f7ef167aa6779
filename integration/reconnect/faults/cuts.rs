//! The connection is cut at every point of the exchange, at every door.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::super::deployment::Deployment;
use super::{DOORS, Unlucky};
use crate::harness::cutting::{Cut, CuttingProxy};
use crate::harness::size::size;

#[tokio::test]
async fn wherever_the_connection_is_cut_the_second_try_succeeds() {
    let mut unlucky = Unlucky::on(Deployment::start().await).await;
    let next = Arc::new(Mutex::new(VecDeque::new()));
    let plan = Arc::clone(&next);
    let plan = move || plan.lock().unwrap().pop_front().unwrap_or(Cut::Never);
    let proxy = CuttingProxy::over(unlucky.deployment.addresses, plan).await;
    let rounds = size(5, 50);
    for _ in 0..rounds {
        for (cut, door) in Cut::ALL.into_iter().flat_map(|cut| DOORS.map(|door| (cut, door))) {
            let what = format!("{cut:?} at {door:?}");
            unlucky.prepare(&what).await;
            next.lock().unwrap().push_back(cut);
            let lost = unlucky.holder.try_once(door, proxy.address, &unlucky.nonce()).await;
            assert!(lost.is_none(), "{what}: the answer was to be lost");
            let answer = unlucky.try_again(door, proxy.address, &what).await;
            unlucky.is_back(door, &answer, &what).await;
        }
    }
    let losses = rounds * Cut::ALL.len() * DOORS.len();
    assert_eq!(proxy.cuts(), losses);
    println!("{losses} answers lost, {losses} clients back with their second try");
}
