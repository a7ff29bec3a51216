use super::*;

#[test]
fn lifetimes_differ_by_up_to_a_tenth() {
    let time_to_live = Duration::from_secs(1_000);
    let jittered = Jittered {
        time_to_live,
        hasher: RandomState::new(),
    };
    let lifetimes: Vec<Duration> = (0..1_000)
        .map(|n| jittered.lifetime(&format!("key {n}")))
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

#[test]
fn the_cache_keeps_within_its_bytes() {
    let cache = InProcess::new(100_000, Duration::from_secs(1_000));
    for n in 0..1_000 {
        cache.entries.insert(
            format!("key {n}"),
            Entry {
                position: 1,
                bytes: vec![0; 1_000].into(),
            },
        );
    }
    cache.entries.run_pending_tasks();
    assert!(cache.entries.weighted_size() <= 100_000, "{cache:?}");
    assert!(cache.entries.entry_count() > 50, "{cache:?}");
}
