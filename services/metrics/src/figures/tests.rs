use sextant_domain::mrr::Mrr;

use super::per_account_minor;

#[test]
fn revenue_per_account_is_rounded_once_to_the_even_neighbor() {
    let cases = [
        (25_000_000, 100, Some(25)),
        (2_000_000, 3, Some(67)), // 66.67
        (1_000_000, 3, Some(33)),
        (50_000, 2, Some(2)), // 2.5
        (70_000, 2, Some(4)), // 3.5
        (0, 2, Some(0)),
        (0, 0, None),
    ];
    for (total, n_accounts, expected) in cases {
        assert_eq!(
            per_account_minor(Mrr(total), n_accounts).unwrap(),
            expected,
            "{total} / {n_accounts}"
        );
    }
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let problem = per_account_minor(Mrr(i128::MAX), 1).unwrap_err();
    assert_eq!(problem.reason_name(), "AMOUNT_OVERFLOW");
}
