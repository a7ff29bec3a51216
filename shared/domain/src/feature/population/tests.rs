use proptest::prelude::*;

use super::*;
use crate::mrr::Mrr;

/// The models of accounts with this MRR at a close; 0 does not pay.
fn models(mrrs: &[i64]) -> Models {
    let (zone, facts) = (Zone::utc(), AccountFacts::default());
    let moment = Moment::close(Day(20_000), &zone);
    let rows: Vec<Row> = mrrs.iter().map(|mrr| row(*mrr)).collect();
    let accounts: Vec<Member<'_>> = rows.iter().map(|row| ("a", &facts, row)).collect();
    let policy = (Currency::parse("USD").unwrap(), TiePolicy::default());
    fit(&moment, &zone, policy, &accounts, None, Refit::Quarterly)
}

fn row(mrr_minor: i64) -> Row {
    let mut row = Row::default();
    let mrr = Mrr::from_minor(mrr_minor);
    row.set(Feature::RevenueMrrMinor, Some(Value::Recurring(mrr)));
    row
}

/// The percentile of an account with this MRR after the close.
fn percentile(models: &Models, mrr_minor: i64) -> Option<f64> {
    let (zone, facts) = (Zone::utc(), AccountFacts::default());
    let moment = Moment::close(Day(20_001), &zone);
    let mut row = row(mrr_minor);
    models.at(&moment, &zone).add("a", &facts, &mut row);
    row.as_number(Feature::RevenueMrrPercentile)
}

/// From the definition alone.
fn counted(mrrs: &[i64], mrr_minor: i64) -> Option<f64> {
    let paying: Vec<i64> = mrrs.iter().copied().filter(|mrr| *mrr > 0).collect();
    let n_less = paying.iter().filter(|mrr| **mrr < mrr_minor).count();
    let percent = (100 * n_less).checked_div(paying.len())?;
    (mrr_minor > 0).then_some(percent as f64)
}

#[test]
fn of_five_accounts_the_fourth_pays_more_than_60_percent_and_the_fifth_than_80() {
    let mrrs = [10_000, 20_000, 30_000, 40_000, 50_000];
    let models = models(&mrrs);
    let found = mrrs.map(|mrr| percentile(&models, mrr));
    assert_eq!(found, [0.0, 20.0, 40.0, 60.0, 80.0].map(Some));
    // Amounts that no account paid at the close count all the same.
    let others = [1, 25_000, 45_000, 50_001].map(|mrr| percentile(&models, mrr));
    assert_eq!(others, [0.0, 40.0, 80.0, 100.0].map(Some));
}

#[test]
fn equal_accounts_have_none_below_them_and_who_does_not_pay_is_not_ranked() {
    for n in [1, 2, 99, 100, 101, 1_000] {
        assert_eq!(
            percentile(&models(&vec![4_900; n]), 4_900),
            Some(0.0),
            "{n}"
        );
    }
    let models = models(&[0, 0, 4_900]);
    assert_eq!(percentile(&models, 0), None);
    assert_eq!(percentile(&models, 4_901), Some(100.0));
}

#[test]
fn every_account_says_how_many_paid_at_the_close() {
    let (zone, facts) = (Zone::utc(), AccountFacts::default());
    let moment = Moment::close(Day(20_001), &zone);
    for (mrrs, expected) in [(&[0, 700, 0, 500][..], 2), (&[0], 0), (&[], 0)] {
        let mut row = row(0);
        models(mrrs).at(&moment, &zone).add("a", &facts, &mut row);
        assert_eq!(
            row.as_integer(Feature::RevenuePayingAccounts),
            Some(expected)
        );
    }
}

#[test]
fn without_an_account_that_pays_no_amount_has_a_rank() {
    assert_eq!(percentile(&models(&[0, 0]), 4_900), None);
    assert_eq!(percentile(&models(&[]), 4_900), None);
}

proptest! {
    #[test]
    fn a_percentile_is_the_share_of_paying_accounts_with_less_rounded_down(
        mrrs in prop::collection::vec(prop_oneof![Just(0), 1..40_i64, 1..1_000_000_i64], 0..400),
        others in prop::collection::vec(0..60_i64, 10),
    ) {
        let models = models(&mrrs);
        for mrr in mrrs.iter().chain(&others) {
            prop_assert_eq!(percentile(&models, *mrr), counted(&mrrs, *mrr), "MRR {}", mrr);
        }
    }
}
