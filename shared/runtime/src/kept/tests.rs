use std::sync::Arc;
use std::time::Duration;

use tokio::sync::RwLock;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use super::Kept;
use crate::clock::{Clock, ManualClock};

type Cells = Kept<RwLock<u8>>;

const SECOND_US: i64 = 1_000_000;

fn at_most(max_kept: usize) -> (Cells, ManualClock) {
    let (clock, hand) = Clock::manual(Instant(0));
    let cells = Kept {
        max_kept,
        ..Kept::new(clock, Duration::from_secs(10))
    };
    (cells, hand)
}

fn kept(cells: &Cells) -> Vec<u128> {
    (0..10)
        .filter(|tenant| cells.has(TenantId(*tenant)))
        .collect()
}

#[test]
fn the_tenant_that_was_asked_for_longest_ago_goes_first() {
    let (cells, _hand) = at_most(2);
    for tenant in [1, 2, 1, 3] {
        drop(cells.asked(TenantId(tenant)));
    }
    assert_eq!(kept(&cells), [1, 3]);
}

#[test]
fn a_tenant_that_is_only_fed_goes_before_those_that_are_asked_for() {
    let (cells, _hand) = at_most(2);
    drop(cells.asked(TenantId(1)));
    for tenant in 2..8 {
        drop(cells.fed(TenantId(tenant)));
    }
    drop(cells.asked(TenantId(8)));
    assert_eq!(kept(&cells), [1, 8]);
}

#[tokio::test]
async fn a_tenant_in_use_stays() {
    let (cells, hand) = at_most(1);
    let held = cells.asked(TenantId(1));
    // Whoever reads or writes holds no more than the lock.
    let reading = cells.asked(TenantId(2)).read_owned().await;
    let writing = cells.asked(TenantId(3)).write_owned().await;
    assert_eq!(kept(&cells), [1, 2, 3]);
    hand.set(Instant(3_600 * SECOND_US));
    assert!(cells.take_idle().is_empty());
    drop((held, reading, writing));
    drop(cells.asked(TenantId(4)));
    assert_eq!(kept(&cells), [4]);
}

#[test]
fn a_tenant_that_nobody_asks_for_is_dropped() {
    let (cells, hand) = at_most(5);
    drop(cells.asked(TenantId(1)));
    drop(cells.asked(TenantId(2)));
    hand.set(Instant(9 * SECOND_US));
    drop(cells.asked(TenantId(2)));
    // To be fed, or looked at, is not to be asked for.
    drop((cells.fed(TenantId(1)), cells.known(TenantId(1))));
    assert!(cells.take_idle().is_empty());
    hand.set(Instant(10 * SECOND_US));
    assert_eq!(cells.take_idle().len(), 1);
    assert_eq!(kept(&cells), [2]);
    hand.set(Instant(19 * SECOND_US));
    assert_eq!(cells.take_idle().len(), 1);
    assert_eq!(kept(&cells), []);
}

#[tokio::test(start_paused = true)]
async fn idle_tenants_are_dropped_while_the_service_runs() {
    let (cells, hand) = at_most(5);
    let cells = Arc::new(cells);
    let lost = Arc::downgrade(&cells.asked(TenantId(1)));
    let stop = tokio_util::sync::CancellationToken::new();
    let dropping = {
        let (cells, stop) = (Arc::clone(&cells), stop.clone());
        async move { cells.drop_idle(stop).await }
    };
    let watching = async {
        hand.set(Instant(10 * SECOND_US));
        while lost.strong_count() > 0 {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        stop.cancel();
    };
    tokio::join!(dropping, watching);
    assert_eq!(kept(&cells), []);
}
