use sextant_domain::fact::FactKind;
use sextant_domain::time::Instant;

use super::*;

fn entry(sequence: u64, n_bytes: usize) -> FactEntry {
    let fact = StoredFact {
        uid: None,
        kind: FactKind::User,
        occurred_at: Instant(1),
        known_at: Instant(1),
        historical: false,
        record: vec![0; n_bytes],
    };
    FactEntry {
        sequence,
        recorded_at: Instant(1),
        facts: vec![fact],
        first: None,
        import: None,
        clock: None,
        trace: None,
    }
}

#[test]
fn an_answer_holds_as_many_entries_as_fit_a_message_and_never_none() {
    let cases: [(&[usize], usize); 4] = [
        (&[1_000, 1_000], 2),
        (&[3 << 20, 900 << 10], 2),
        (&[3 << 20, 2 << 20, 1], 1),
        (&[9 << 20, 1], 1),
    ];
    for (sizes, expected) in cases {
        let entries = (1..)
            .zip(sizes)
            .map(|(sequence, n_bytes)| entry(sequence, *n_bytes))
            .collect();
        let entries = fitting(entries);
        assert_eq!(entries.len(), expected, "{sizes:?}");
        let answer = pb::ReadFactsResponse {
            entries,
            tenant: None,
        };
        assert!(answer.encoded_len() < 4 << 20 || expected == 1);
    }
}
