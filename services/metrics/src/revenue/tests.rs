use sextant_domain::mrr::Mrr;

use super::{Revenue, sums};

fn revenue(mrr: i128, n_paying: u64) -> Revenue {
    Revenue {
        mrr: Mrr(mrr),
        n_paying,
    }
}

#[test]
fn segments_come_in_descending_order_of_revenue_and_add_up_to_the_total() {
    let accounts = [("b", 10), ("a", 10), ("c", 30), ("", 5), ("a", 0)];
    let (total, segments) = sums(accounts.map(|(segment, mrr)| (segment, Mrr(mrr))));
    assert_eq!(total, revenue(55, 4));
    assert_eq!(
        segments,
        [
            ("c", revenue(30, 1)),
            ("a", revenue(10, 1)),
            ("b", revenue(10, 1)),
            ("", revenue(5, 1))
        ]
    );
}

#[test]
fn a_segment_without_revenue_is_told_but_accounts_in_none_only_if_they_pay() {
    let (total, segments) = sums([("lost", Mrr::ZERO), ("", Mrr::ZERO)]);
    assert_eq!(total, revenue(0, 0));
    assert_eq!(segments, [("lost", revenue(0, 0))]);
}
