use super::*;

/// An entry with so many late accounts.
fn late(n: usize) -> scoring::Evaluation {
    scoring::Evaluation {
        late: vec![scoring::LateAccount::default(); n],
        ..scoring::Evaluation::default()
    }
}

#[test]
fn changes_within_a_day_are_one_run_until_their_late_accounts_are_too_many() {
    let close = scoring::Evaluation {
        closed_on: Some(Date::default()),
        ..scoring::Evaluation::default()
    };
    let max = MAX_LATE_ACCOUNTS;
    for (entries, expected) in [
        (vec![late(0), late(3), late(0), late(4)], vec![7]),
        (vec![late(0), close, late(3)], vec![0, 0, 3]),
        (vec![late(max), late(1), late(0), late(2)], vec![max, 3]),
        (vec![late(max - 1), late(1), late(1)], vec![max, 1]),
        (vec![late(0), late(max + 5), late(0)], vec![max + 5]),
    ] {
        let runs = runs(entries);
        let sizes: Vec<usize> = runs.iter().map(|run| run.late.len()).collect();
        assert_eq!(sizes, expected);
    }
}

#[test]
fn what_was_known_at_closes_that_are_made_again_is_found_out_apart_from_what_came_later() {
    let again = scoring::Evaluation {
        restated: true,
        ..late(3)
    };
    let ends = scoring::Evaluation {
        all_accounts: true,
        ..late(0)
    };
    let runs = runs(vec![late(0), again.clone(), again, late(2), late(1), ends]);
    let told: Vec<_> = runs.iter().map(|run| (run.late.len(), run.again)).collect();
    assert_eq!(told, [(6, true), (3, false)]);
    assert!(runs.last().is_some_and(|run| run.all));
}

#[test]
fn changes_are_evaluated_as_of_no_moment_of_an_import() {
    let changed = scoring::Evaluation {
        all_accounts: true,
        ..late(0)
    };
    let imported = scoring::Evaluation {
        backfilling: true,
        ..late(2)
    };
    let runs = runs(vec![late(0), changed, imported.clone(), imported]);
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.all, run.last.backfilling))
        .collect();
    assert_eq!(told, [(true, false), (false, true)]);
}
