//! Many tenants at once.

use std::time::Duration;

use tokio::time::timeout;

use sextant_domain::id::{Slice, TenantId};
use sextant_store::port::Replica as _;

use crate::facts::{account, payment};
use crate::world::{ACME, World, at};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until so many entries of each tenant are stored.
async fn taken_in(world: &World, tenants: &[TenantId], n_entries: u64) {
    let store = world.store.scoring();
    let taken_in = async {
        for tenant in tenants {
            while store.cursor(*tenant, Slice(0)).await.unwrap() < n_entries {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(PATIENCE, taken_in).await.unwrap();
}

#[tokio::test]
async fn a_small_tenant_is_taken_in_while_two_large_ones_are() {
    let world = World::new();
    let large = [TenantId(1), TenantId(2)];
    for tenant in large {
        world.put_tenant(tenant);
        world.ingestion.begin_endless(tenant);
    }
    let scoring = world.start();
    taken_in(&world, &large, 2).await;
    let position = world.facts(vec![account("acme", "2027-03-05")]);
    let features = scoring.features("acme", at(&position));
    timeout(PATIENCE, features).await.unwrap().unwrap();
    scoring.stop();
}

#[tokio::test]
async fn tenants_that_are_small_stay_in_memory_however_many_there_are() {
    let world = World::new();
    let tenants: Vec<TenantId> = (1..=100).map(|number| TenantId(ACME.0 + number)).collect();
    let scoring = world.start();
    for round in 1..=2 {
        for tenant in &tenants {
            world.put_tenant(*tenant);
            world.facts_in(
                *tenant,
                vec![
                    account("acme", "2027-03-05"),
                    payment("acme", "2027-03-07", 1_000),
                ],
            );
        }
        taken_in(&world, &tenants, round).await;
    }
    assert_eq!(world.ingestion.n_settings(), tenants.len());
    scoring.stop();
}
