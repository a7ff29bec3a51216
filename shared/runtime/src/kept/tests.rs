use std::sync::Arc;
use std::time::Duration;

use tokio::sync::RwLock;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use super::{FACTS_OF_A_TENANT, Kept, Room};
use crate::clock::{Clock, ManualClock};

type Cells = Kept<RwLock<u8>>;

const SECOND_US: i64 = 1_000_000;

/// Room for some tenants that hold nothing, besides those in use.
fn at_most(n_tenants: u64) -> (Cells, ManualClock) {
    with_room(n_tenants * FACTS_OF_A_TENANT)
}

fn with_room(facts: u64) -> (Cells, ManualClock) {
    let (clock, hand) = Clock::manual(Instant(0));
    let idle = Duration::from_secs(10);
    (Kept::new(clock, Room { idle, facts }), hand)
}

/// Asks for a tenant as somebody who finds that it holds so much.
fn ask(cells: &Cells, tenant: u128, n_facts: u64) {
    let _in_use = cells.asked(TenantId(tenant));
    cells.holds(TenantId(tenant), n_facts);
}

fn kept(cells: &Cells) -> Vec<u128> {
    (0..10)
        .filter(|tenant| cells.has(TenantId(*tenant)))
        .collect()
}

#[test]
fn the_tenant_that_was_asked_for_longest_ago_goes_first() {
    let (cells, _hand) = at_most(2);
    for tenant in [1, 2, 1, 3, 4] {
        drop(cells.asked(TenantId(tenant)));
    }
    assert_eq!(kept(&cells), [1, 3, 4]);
}

#[test]
fn a_tenant_that_is_only_fed_goes_before_those_that_are_asked_for() {
    let (cells, _hand) = at_most(2);
    drop(cells.asked(TenantId(1)));
    for tenant in 2..8 {
        drop(cells.fed(TenantId(tenant)));
    }
    drop(cells.asked(TenantId(8)));
    assert_eq!(kept(&cells), [1, 7, 8]);
}

#[test]
fn thousands_of_small_tenants_are_kept_and_few_large_ones() {
    let (cells, _hand) = with_room(4_000_000);
    for tenant in 0..5_000 {
        ask(&cells, tenant, 500);
    }
    assert!((0..5_000).all(|tenant| cells.has(TenantId(tenant))));
    for large in 10_000..10_003 {
        ask(&cells, large, 1_900_000);
    }
    drop(cells.asked(TenantId(0)));
    let has = |tenant| cells.has(TenantId(tenant));
    assert_eq!(
        [4_999, 10_000, 10_001, 10_002].map(has),
        [false, false, true, true]
    );
}

#[test]
fn what_a_tenant_holds_is_what_was_said_last() {
    let (cells, _hand) = with_room(1_000);
    ask(&cells, 1, 100);
    ask(&cells, 1, 700);
    ask(&cells, 2, 0);
    assert_eq!(kept(&cells), [1, 2]);
    ask(&cells, 2, 300);
    drop(cells.asked(TenantId(3)));
    assert_eq!(kept(&cells), [2, 3]);
    // Who is not in memory holds nothing.
    cells.holds(TenantId(1), 5_000);
    drop(cells.asked(TenantId(4)));
    assert_eq!(kept(&cells), [2, 3, 4]);
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
    assert_eq!(kept(&cells), [3, 4]);
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
