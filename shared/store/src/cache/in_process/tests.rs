use super::*;

#[test]
fn lifetimes_differ_by_up_to_a_tenth() {
    let time_to_live = Duration::from_secs(1_000);
    let cache = InProcess::new(100_000, time_to_live);
    let lifetimes: Vec<Duration> = (0..1_000)
        .map(|n| cache.lifetime(&format!("key {n}")))
        .collect();
    let (shortest, longest) = (
        lifetimes.iter().min().unwrap(),
        lifetimes.iter().max().unwrap(),
    );
    assert!(
        *shortest >= Duration::from_secs(900) && *shortest < Duration::from_secs(920),
        "{shortest:?}"
    );
    assert!(
        *longest <= time_to_live && *longest > Duration::from_secs(980),
        "{longest:?}"
    );
}

fn entry(position: u64, n_bytes: usize) -> Entry {
    Entry {
        position,
        bytes: vec![0; n_bytes].into(),
    }
}

#[test]
fn the_cache_keeps_within_its_bytes() {
    let cache = InProcess::new(100_000, Duration::from_secs(1_000));
    for n in 0..1_000 {
        cache.put_one(&format!("key {n}"), &entry(1, 1_000));
    }
    assert!(cache.entries.weight() <= 100_000, "{cache:?}");
    assert!(cache.entries.len() > 50, "{cache:?}");
}

#[test]
fn entries_that_grow_in_their_places_keep_within_the_bytes() {
    let cache = InProcess::new(100_000, Duration::from_secs(1_000));
    for (position, n_bytes) in [(1, 100), (2, 5_000)] {
        for n in 0..200 {
            cache.put_one(&format!("key {n}"), &entry(position, n_bytes));
        }
    }
    assert!(cache.entries.weight() <= 100_000, "{cache:?}");
    assert!(!cache.entries.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_a_miss_and_gives_way_to_an_older_position() {
    let cache = InProcess::new(100_000, Duration::from_secs(100));
    cache.put_one("key", &entry(2, 10));
    cache.put_one("key", &entry(1, 10));
    tokio::time::advance(Duration::from_secs(89)).await;
    assert_eq!(cache.get("key", 0).await, Some(entry(2, 10)));
    tokio::time::advance(Duration::from_secs(12)).await;
    assert_eq!(cache.get("key", 0).await, None);
    cache.put_one("key", &entry(1, 10));
    assert_eq!(cache.get("key", 0).await, Some(entry(1, 10)));
}
