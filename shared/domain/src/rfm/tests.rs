use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn value(account: u128, value: f64) -> Value {
    Value {
        account: AccountUid(account),
        value,
    }
}

fn population(values: impl IntoIterator<Item = f64>) -> Vec<Value> {
    (0..)
        .zip(values)
        .map(|(account, v)| value(account, v))
        .collect()
}

fn thresholds(values: &[Value], policy: TiePolicy) -> Thresholds {
    Thresholds::of_population(values, policy, Direction::HighIsGood, [0.0; 4]).unwrap()
}

/// R package `rfm` 0.3.0, article on transaction-level data: the published thresholds and the four accounts that it prints.
/// The package's 4,906 demo orders are not part of this repository. So this shows scoring by given thresholds; that the
/// thresholds are type-7 quantiles plus one is shown on other values below, and the segment counts over the 995 accounts
/// of the article are not reproduced.
#[test]
fn r_rfm_compat_gives_the_scores_that_the_r_package_prints() {
    let stored = |direction, cuts| {
        let source = Source::Population {
            policy: TiePolicy::RRfmCompat,
            accounts: 995,
        };
        Thresholds::stored(source, direction, Cuts::Inclusive(cuts), None).unwrap()
    };
    let days_since = stored(Direction::LowIsGood, [115.0, 181.0, 297.4, 482.0]);
    let orders = stored(Direction::HighIsGood, [4.0, 5.0, 6.0, 8.0]);
    let amount = stored(Direction::HighIsGood, [255.8, 382.0, 506.4, 666.0]);
    let rows = [
        ("Abbey O'Reilly", 205.0, 6.0, 472.0, "343"),
        ("Add Senger", 140.0, 3.0, 340.0, "412"),
        ("Aden Lesch", 194.0, 4.0, 405.0, "323"),
        ("Admiral Senger", 132.0, 5.0, 448.0, "433"),
    ];
    for (name, recency_days, n_orders, sum, expected) in rows {
        let scores = Scores {
            recency: days_since.score(&value(0, recency_days)),
            frequency: orders.score(&value(0, n_orders)),
            monetary: amount.score(&value(0, sum)),
        };
        assert_eq!(scores.to_string(), expected, "{name}");
    }
}

#[test]
fn r_rfm_compat_adds_one_to_the_quantiles() {
    let values = population((1..=101).map(f64::from));
    let expected = Cuts::Inclusive([22.0, 42.0, 62.0, 82.0]);
    assert_eq!(*thresholds(&values, TiePolicy::RRfmCompat).cuts(), expected);
    // The fault that is kept: a share of active days is below every threshold plus one.
    let shares = population((0..100).map(|i| f64::from(i) / 100.0));
    let compat = thresholds(&shares, TiePolicy::RRfmCompat);
    let default = thresholds(&shares, TiePolicy::ValueQuantile);
    let best = value(99, 0.99);
    assert_eq!(
        (compat.score(&best).get(), default.score(&best).get()),
        (1, 5)
    );
}

#[test]
fn value_quantile_gives_equal_values_equal_scores() {
    let values = population((0..100).map(|i| f64::from(i / 30)));
    let thresholds = thresholds(&values, TiePolicy::default());
    assert_eq!(*thresholds.cuts(), Cuts::Exclusive([0.0, 1.0, 1.4, 2.0]));
    let scores: Vec<u8> = [0.0, 1.0, 2.0, 3.0]
        .map(|v| thresholds.score(&value(0, v)).get())
        .to_vec();
    assert_eq!(scores, [1, 2, 4, 5]);
    assert_eq!(
        thresholds.source(),
        Source::Population {
            policy: TiePolicy::ValueQuantile,
            accounts: 100
        }
    );
}

#[test]
fn pandas_rank_first_cuts_a_constant_into_fifths_by_account_id() {
    // pandas: pd.qcut(pd.Series([7.0] * 50).rank(method="first"), 5, labels=False) + 1 gives ten of each score.
    let values = population(vec![7.0; 50]);
    let thresholds = thresholds(&values, TiePolicy::PandasRankFirst);
    for (i, value) in values.iter().enumerate() {
        assert_eq!(
            usize::from(thresholds.score(value).get()),
            1 + i / 10,
            "account {i}"
        );
    }
    // 52 is no multiple of 5: ranks up to 11.2, 21.4, 31.6, 41.8 give fifths of 11, 10, 10, 10, 11.
    let values = population((0..52).map(f64::from));
    let thresholds = self::thresholds(&values, TiePolicy::PandasRankFirst);
    let mut sizes = BTreeMap::new();
    values
        .iter()
        .for_each(|value| *sizes.entry(thresholds.score(value).get()).or_insert(0) += 1);
    assert_eq!(
        sizes.into_values().collect::<Vec<_>>(),
        [11, 10, 10, 10, 11]
    );
}

fn activity(account: u128, last_day: i32) -> Activity {
    let frequency = f64::from(last_day % 28);
    Activity {
        account: AccountUid(account),
        last_day: Day(last_day),
        frequency,
        monetary_minor: i64::from(last_day) * 100,
    }
}

const FIXED: Fixed = Fixed {
    within_days: [7, 30, 90, 180],
    as_of: Day(20_000),
    frequency: [1.5, 4.5, 9.5, 19.5],
    monetary_minor: [1_000, 5_000, 20_000, 100_000],
};

#[test]
fn fewer_than_fifty_accounts_are_scored_by_fixed_thresholds() {
    let small: Vec<Activity> = (0..49)
        .map(|i| activity(u128::try_from(i).unwrap(), 19_900 + i))
        .collect();
    let model = Model::of_population(&small, TiePolicy::ValueQuantile, &FIXED).unwrap();
    for thresholds in [model.recency, model.frequency, model.monetary] {
        assert_eq!(thresholds.source(), Source::Fixed);
    }
    let sample = Activity {
        account: AccountUid(1),
        last_day: Day(19_980),
        frequency: 20.0,
        monetary_minor: 1_000,
    };
    assert_eq!(model.score(&sample).to_string(), "451");
}

#[test]
fn fifty_accounts_have_quintiles_and_recency_needs_no_reversal() {
    let population: Vec<Activity> = (0..50)
        .map(|i| activity(u128::try_from(i).unwrap(), 19_900 + i))
        .collect();
    let model = Model::of_population(&population, TiePolicy::ValueQuantile, &FIXED).unwrap();
    assert_eq!(
        model.recency.source(),
        Source::Population {
            policy: TiePolicy::ValueQuantile,
            accounts: 50
        }
    );
    assert_eq!(model.score(&population[49]).recency.get(), 5);
    assert_eq!(model.score(&population[0]).recency.get(), 1);
    // The same through days since the last activity, reversed.
    let ages: Vec<Value> = population
        .iter()
        .map(|a| Value {
            account: a.account,
            value: f64::from(20_000 - a.last_day.0),
        })
        .collect();
    let reversed = Thresholds::of_population(
        &ages,
        TiePolicy::ValueQuantile,
        Direction::LowIsGood,
        [0.0; 4],
    )
    .unwrap();
    for (age, activity) in ages.iter().zip(&population) {
        assert_eq!(reversed.score(age), model.score(activity).recency);
    }
}

#[test]
fn thresholds_survive_storage_and_bad_ones_are_refused() {
    let values = population((0..60).map(|i| f64::from(i * i)));
    for policy in [
        TiePolicy::ValueQuantile,
        TiePolicy::RRfmCompat,
        TiePolicy::PandasRankFirst,
    ] {
        let fresh = thresholds(&values, policy);
        let read_back = Thresholds::stored(
            fresh.source(),
            fresh.direction(),
            *fresh.cuts(),
            fresh.margins().copied(),
        )
        .unwrap();
        assert_eq!(fresh, read_back);
    }
    let descending = [4.0, 3.0, 2.0, 1.0];
    let error = Thresholds::fixed(descending, Direction::HighIsGood).unwrap_err();
    assert_eq!(
        error.to_string(),
        "thresholds [4.0, 3.0, 2.0, 1.0] must be finite and ascending"
    );
    assert!(Thresholds::fixed([0.0, 1.0, 2.0, f64::NAN], Direction::HighIsGood).is_err());
    let mut values = population(vec![1.0; 60]);
    values[3].value = f64::NAN;
    let error = Thresholds::of_population(
        &values,
        TiePolicy::default(),
        Direction::HighIsGood,
        [0.0; 4],
    )
    .unwrap_err();
    assert_eq!(
        error,
        Error::ValueNotFinite {
            account: AccountUid(3)
        }
    );
}

#[test]
fn scores_exist_from_one_to_five() {
    assert_eq!(Score::new(0), None);
    assert_eq!(Score::new(6), None);
    assert_eq!(Score::ALL.map(Score::get), [1, 2, 3, 4, 5]);
    assert_eq!(Score::new(3), Some(Score::ALL[2]));
}

#[test]
fn a_score_is_near_where_less_than_two_percent_of_the_population_lie_between() {
    let hundred_and_one = thresholds(
        &population((0..=100).map(f64::from)),
        TiePolicy::ValueQuantile,
    );
    let near = |at: f64| hundred_and_one.near(&value(1, at)).map(Score::get);
    // The thresholds are 20, 40, 60, 80; a value on one has not passed it.
    assert_eq!(
        [near(18.0), near(18.5), near(20.0)],
        [None, Some(2), Some(2)]
    );
    assert_eq!(
        [near(20.5), near(22.0), near(22.5)],
        [Some(1), Some(1), None]
    );
    assert_eq!([near(50.0), near(81.0), near(1e9)], [None, Some(4), None]);
    let fixed = Thresholds::fixed([1.0, 2.0, 3.0, 4.0], Direction::HighIsGood).unwrap();
    assert_eq!(fixed.near(&value(1, 1.0)), None);
}

#[test]
fn of_equal_values_none_is_near_anything_else_than_the_others_are() {
    // Two thirds bought once: all thresholds up to 60 % are that value, the margin below 60 % as well.
    let once = (0..200).map(|_| 1.0);
    let ones = thresholds(
        &population(once.chain((0..100).map(|i| f64::from(i) + 2.0))),
        TiePolicy::ValueQuantile,
    );
    assert_eq!(ones.score(&value(1, 1.0)).get(), 1);
    assert_eq!(ones.near(&value(1, 1.0)), None);
    assert_eq!(ones.near(&value(1, 2.0)), None);
}

#[test]
fn regularity_is_one_for_a_metronome_and_zero_for_a_burst() {
    assert_eq!(regularity(&[7.0, 7.0, 7.0]), Some(1.0));
    assert_eq!(regularity(&[1.0, 1.0, 1.0, 300.0]), Some(0.0));
    assert_eq!(regularity(&[0.0, 0.0]), None);
    assert_eq!(regularity(&[5.0]), None);
}

proptest! {
    #[test]
    fn no_policy_depends_on_the_order_of_rows(
        (values, shuffled) in prop::collection::vec(0..40_i32, 50..200).prop_flat_map(|values| {
            let values = population(values.into_iter().map(f64::from));
            (Just(values.clone()), Just(values).prop_shuffle())
        }),
    ) {
        for policy in [TiePolicy::ValueQuantile, TiePolicy::RRfmCompat, TiePolicy::PandasRankFirst] {
            prop_assert_eq!(thresholds(&values, policy), thresholds(&shuffled, policy));
        }
    }

    #[test]
    fn a_higher_value_never_scores_lower(values in prop::collection::vec(-1e6..1e6_f64, 50..200), a in -2e6..2e6_f64, b in -2e6..2e6_f64) {
        let values = population(values);
        for policy in [TiePolicy::ValueQuantile, TiePolicy::RRfmCompat, TiePolicy::PandasRankFirst] {
            let thresholds = thresholds(&values, policy);
            let (low, high) = (value(1, a.min(b)), value(1, a.max(b)));
            prop_assert!(thresholds.score(&low) <= thresholds.score(&high));
        }
    }
}
