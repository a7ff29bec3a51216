//! Many tenants at once.

use std::time::Duration;

use tokio::time::timeout;

use sextant_domain::id::{Slice, TenantId};
use sextant_store::port::Replica as _;

use crate::facts::account;
use crate::world::{World, at};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_small_tenant_is_taken_in_while_two_large_ones_are() {
    let world = World::new();
    for large in [TenantId(1), TenantId(2)] {
        world.put_tenant(large);
        world.ingestion.begin_endless(large);
    }
    let scoring = world.start();
    let begun = async {
        for large in [TenantId(1), TenantId(2)] {
            while world.store.scoring().cursor(large, Slice(0)).await.unwrap() < 2 {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(PATIENCE, begun).await.unwrap();
    let position = world.facts(vec![account("acme", "2027-03-05")]);
    let features = scoring.features("acme", at(&position));
    timeout(PATIENCE, features).await.unwrap().unwrap();
    scoring.stop();
}
