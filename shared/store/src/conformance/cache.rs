//! `Cache`.

use bytes::Bytes;
use futures_util::future::join_all;

use crate::cache::{Cache, Entry};
use crate::conformance::CacheHarness;

fn entry(position: u64, bytes: &[u8]) -> Entry {
    Entry {
        position,
        bytes: Bytes::copy_from_slice(bytes),
    }
}

async fn put(cache: &dyn Cache, key: &str, entry: Entry) {
    cache.put(&[(key.to_owned(), entry)]).await;
}

pub async fn an_entry_answers_at_its_position_and_below<H: CacheHarness>(harness: H) {
    let cache = harness.cache().await;
    let stored = entry(7, &[0, 255, b'\r', b'\n', 0]);
    put(&*cache, "a", stored.clone()).await;
    for floor in [0, 6, 7] {
        assert_eq!(
            cache.get("a", floor).await.as_ref(),
            Some(&stored),
            "floor {floor}"
        );
    }
    assert_eq!(cache.get("a", 8).await, None, "too old for that reader");
    assert_eq!(
        cache.get("a", 7).await,
        Some(stored),
        "and there for others"
    );
    assert_eq!(cache.get("b", 0).await, None);
}

pub async fn an_entry_never_replaces_one_of_a_greater_position<H: CacheHarness>(harness: H) {
    let cache = harness.cache().await;
    put(&*cache, "a", entry(7, b"new")).await;
    put(&*cache, "a", entry(6, b"stale")).await;
    assert_eq!(cache.get("a", 0).await, Some(entry(7, b"new")));
    put(&*cache, "a", entry(8, b"newer")).await;
    assert_eq!(cache.get("a", 0).await, Some(entry(8, b"newer")));
    let greatest = entry(u64::try_from(i64::MAX).unwrap(), b"greatest");
    put(&*cache, "a", greatest.clone()).await;
    put(&*cache, "a", entry(9, b"stale")).await;
    assert_eq!(cache.get("a", 9).await, Some(greatest));
}

pub async fn several_entries_are_put_at_once<H: CacheHarness>(harness: H) {
    let cache = harness.cache().await;
    let entries: Vec<(String, Entry)> = (1..=5)
        .map(|n| (format!("key {n}"), entry(n, b"")))
        .collect();
    assert!(cache.put(&entries).await);
    assert!(cache.put(&[]).await);
    for n in 1..=5 {
        assert_eq!(cache.get(&format!("key {n}"), 0).await, Some(entry(n, b"")));
    }
}

pub async fn of_concurrent_entries_the_greatest_position_stays<H: CacheHarness>(harness: H) {
    let mut caches = Vec::new();
    for _ in 0..4 {
        caches.push(harness.cache().await);
    }
    for round in 0..20 {
        let key = format!("key {round}");
        let puts = [3_u64, 9, 1, 6]
            .iter()
            .zip(&caches)
            .map(|(position, cache)| {
                put(&**cache, &key, entry(*position, &position.to_be_bytes()))
            });
        join_all(puts).await;
        assert_eq!(
            caches[0].get(&key, 0).await,
            Some(entry(9, &9_u64.to_be_bytes()))
        );
    }
}
