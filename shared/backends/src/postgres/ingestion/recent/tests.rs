use sextant_domain::fact::FactKind;
use sextant_domain::time::Instant;

use super::*;

const FEED: Feed = (TenantId(1), Slice(0));
const ALL: (usize, usize) = (usize::MAX, usize::MAX);

fn entry(sequence: u64) -> FactEntry {
    let fact = StoredFact {
        uid: None,
        kind: FactKind::Event,
        occurred_at: Instant(0),
        known_at: Instant(0),
        historical: false,
        record: vec![0; 100],
    };
    FactEntry {
        sequence,
        recorded_at: Instant(0),
        facts: vec![fact],
        first: None,
        import: None,
        clock: None,
        trace: None,
    }
}

fn entries(sequences: &[u64]) -> Entries {
    let mut entries = Entries::default();
    for sequence in sequences {
        entries.put(FEED, entry(*sequence), usize::MAX);
    }
    entries
}

fn numbers(entries: &Entries, after: u64, limits: (usize, usize)) -> Vec<u64> {
    let run = entries.run(FEED, after, limits);
    run.iter().map(|entry| entry.sequence).collect()
}

#[test]
fn a_run_ends_at_a_gap_and_does_not_begin_behind_one() {
    let entries = entries(&[3, 5, 4, 7]);
    for (after, expected) in [
        (2, vec![3, 4, 5]),
        (4, vec![5]),
        (5, vec![]),
        (6, vec![7]),
        (7, vec![]),
        (u64::MAX, vec![]),
    ] {
        assert_eq!(numbers(&entries, after, ALL), expected, "after {after}");
    }
}

#[test]
fn a_run_is_as_long_as_asked_for() {
    let entries = entries(&[1, 2, 3, 4]);
    assert_eq!(numbers(&entries, 0, (3, usize::MAX)), [1, 2, 3]);
    assert_eq!(numbers(&entries, 0, (9, 0)), [1], "never an empty one");
    assert_eq!(
        numbers(&entries, 0, (9, 150)),
        [1, 2],
        "the one that passes the limit is in it"
    );
}

#[test]
fn the_oldest_entries_are_forgotten_when_memory_is_short() {
    let mut entries = Entries::default();
    let room = 3 * size_of_entry(&entry(1));
    for sequence in 1..=5 {
        entries.put(FEED, entry(sequence), room);
    }
    assert_eq!(numbers(&entries, 1, ALL), [0_u64; 0]);
    assert_eq!(numbers(&entries, 2, ALL), [3, 4, 5]);
    entries.put(FEED, entry(6), 0);
    assert_eq!(
        (entries.n_bytes, entries.feeds.len(), entries.order.len()),
        (0, 0, 0)
    );
}

#[test]
fn entries_that_were_stored_through_an_older_connection_are_not_read() {
    let recent = Recent::default();
    let read = |opened| recent.read(opened, FEED, 0, ALL).len();
    recent.remember(4, FEED.0, [(FEED.1, entry(1))].into_iter());
    assert_eq!(read(4), 1);
    assert_eq!(read(5), 0);
    recent.remember(4, FEED.0, [(FEED.1, entry(1))].into_iter());
    assert_eq!(read(5), 0);
}
