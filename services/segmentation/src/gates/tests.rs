use sextant_proto::segmentation::v1 as pb;

use super::*;

fn diff() -> pb::ShadowDiff {
    pb::ShadowDiff {
        accounts: 1_000,
        rows: 1_000,
        mrr_minor: 1_000_000,
        ..pb::ShadowDiff::default()
    }
}

fn failed(diff: &pb::ShadowDiff) -> Vec<String> {
    let gates = of(diff);
    let failed = gates.iter().filter(|gate| !gate.passed);
    failed.map(|gate| gate.name.clone()).collect()
}

#[test]
fn what_moves_nobody_passes() {
    assert_eq!(failed(&diff()), Vec::<String>::new());
    // A tenant without accounts has nobody who could move.
    assert_eq!(failed(&pb::ShadowDiff::default()), Vec::<String>::new());
}

#[test]
fn a_share_is_passed_at_its_limit_and_not_above() {
    let moved = |moved, moved_mrr_minor| pb::ShadowDiff {
        moved,
        moved_mrr_minor,
        ..diff()
    };
    assert_eq!(failed(&moved(150, 100_000)), Vec::<String>::new());
    assert_eq!(failed(&moved(151, 0)), ["moved_accounts"]);
    assert_eq!(failed(&moved(1, 100_001)), ["moved_revenue"]);
    let gates = of(&moved(151, 100_001));
    assert_eq!(
        not_passed(&gates),
        [
            "moved_accounts (15.1 % of the accounts, at most 15 %)",
            "moved_revenue (10.1 % of the monthly recurring revenue, at most 10 %)"
        ]
    );
}

#[test]
fn one_account_without_an_answer_is_one_too_many() {
    let one = pb::ShadowDiff {
        unanswered: 1,
        trouble: "it crashed (SIGSEGV)".to_owned(),
        ..diff()
    };
    assert_eq!(failed(&one), ["evaluated", "unanswered"]);
    let many_rows = pb::ShadowDiff {
        rows: 10_000,
        ..one
    };
    assert_eq!(failed(&many_rows), ["unanswered"]);
}

#[test]
fn what_costs_little_may_cost_more_than_before() {
    let cost = |active_p50_us, proposed_p50_us| pb::ShadowDiff {
        cost: Some(pb::ShadowCost {
            active_p50_us,
            proposed_p50_us,
            ..pb::ShadowCost::default()
        }),
        ..diff()
    };
    assert_eq!(failed(&cost(30, 10_000)), Vec::<String>::new());
    assert_eq!(failed(&cost(30, 10_001)), ["cost"]);
    assert_eq!(failed(&cost(8_000, 12_000)), Vec::<String>::new());
    assert_eq!(failed(&cost(8_000, 12_001)), ["cost"]);
}
