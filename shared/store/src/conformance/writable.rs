//! `Writable`.

use crate::conformance::Harness;
use crate::conformance::make::{ACME, account, batch};

pub async fn a_store_can_be_written_before_and_after_a_commit_and_asking_stores_nothing<
    H: Harness,
>(
    harness: H,
) {
    let store = harness.ingestion().await;
    let asked = harness.writable().await;
    asked.check_writable().await.unwrap();
    assert_eq!(store.feed.heads().await.unwrap().len(), 0);
    let facts = vec![account("anvil", 1, "a1")];
    store.facts.commit(batch(ACME, 1, facts)).await.unwrap();
    asked.check_writable().await.unwrap();
    assert_eq!(store.feed.heads().await.unwrap().len(), 1);
}
