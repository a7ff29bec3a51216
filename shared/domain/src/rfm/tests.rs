use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const USD: Dimension = Dimension::Monetary {
    currency: Currency::USD,
};

fn value(account: &str, value: f64) -> Value<'_> {
    Value { account, value }
}

/// Ids in their own order, as many as a test may need.
fn ids(n: usize) -> Vec<String> {
    (0..n).map(|number| format!("a{number:04}")).collect()
}

fn thresholds_of(values: &[f64], policy: TiePolicy, dimension: Dimension) -> Thresholds {
    let ids = ids(values.len());
    let values = ids.iter().zip(values).map(|(id, v)| value(id, *v));
    let values: Vec<Value<'_>> = values.collect();
    Thresholds::of_population(&values, policy, dimension, [0.0; 4]).unwrap()
}

fn thresholds(values: impl IntoIterator<Item = f64>, policy: TiePolicy) -> Thresholds {
    let values: Vec<f64> = values.into_iter().collect();
    thresholds_of(&values, policy, Dimension::Frequency)
}

#[test]
fn r_rfm_compat_adds_one_of_the_unit_that_r_is_given_to_the_quantiles() {
    let values: Vec<f64> = (1..=101).map(f64::from).collect();
    let yen = Dimension::Monetary {
        currency: Currency::parse("JPY").unwrap(),
    };
    for (dimension, expected) in [
        // One more day since the last one is a day earlier.
        (
            Dimension::Recency,
            Cuts::Exclusive([20.0, 40.0, 60.0, 80.0]),
        ),
        (
            Dimension::Frequency,
            Cuts::Inclusive([22.0, 42.0, 62.0, 82.0]),
        ),
        (USD, Cuts::Inclusive([121.0, 141.0, 161.0, 181.0])),
        (yen, Cuts::Inclusive([22.0, 42.0, 62.0, 82.0])),
    ] {
        let thresholds = thresholds_of(&values, TiePolicy::RRfmCompat, dimension);
        assert_eq!(*thresholds.cuts(), expected, "{dimension:?}");
    }
    // The fault that is kept: a share of active days is below every threshold plus one.
    let shares = || (0..100).map(|i| f64::from(i) / 100.0);
    let compat = thresholds(shares(), TiePolicy::RRfmCompat);
    let default = thresholds(shares(), TiePolicy::ValueQuantile);
    let best = value("a", 0.99);
    assert_eq!(
        (compat.score(&best).get(), default.score(&best).get()),
        (1, 5)
    );
}

/// R's `rfm_prep_bins`, word for word: bins begin at the quantiles plus 1 of days since the last day, and the first is best.
fn score_in_r(days_since: &[f64], days: f64) -> u8 {
    let mut sorted = days_since.to_vec();
    sorted.sort_by(f64::total_cmp);
    let bins = crate::quantile::quintiles(&sorted, 0)
        .unwrap()
        .map(|quantile| quantile + 1.0);
    let lower = [sorted[0], bins[0], bins[1], bins[2], bins[3]];
    let upper = [
        bins[0],
        bins[1],
        bins[2],
        bins[3],
        sorted[sorted.len() - 1] + 1.0,
    ];
    let mut score = 0;
    for (place, best_first) in [5, 4, 3, 2, 1].into_iter().enumerate() {
        if days >= lower[place] && days < upper[place] {
            score = best_first;
        }
    }
    score
}

/// 1 + the number of type-7 quintiles below a value.
fn score_by_value(values: &[f64], value: f64) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cuts = crate::quantile::quintiles(&sorted, 0).unwrap();
    1 + cuts.iter().filter(|cut| **cut < value).count()
}

#[test]
fn value_quantile_gives_equal_values_equal_scores() {
    let thresholds = thresholds((0..100).map(|i| f64::from(i / 30)), TiePolicy::default());
    assert_eq!(*thresholds.cuts(), Cuts::Exclusive([0.0, 1.0, 1.4, 2.0]));
    let scores: Vec<u8> = [0.0, 1.0, 2.0, 3.0]
        .map(|v| thresholds.score(&value("a", v)).get())
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
fn who_shares_the_newest_day_has_the_best_recency() {
    // Of each ten accounts seven are active on the newest day.
    let day = |account: i32| f64::from(20_000 - (account % 10 - 6).max(0));
    let days: Vec<f64> = (0..50).map(day).collect();
    let recency = thresholds_of(&days, TiePolicy::ValueQuantile, Dimension::Recency);
    // The thresholds are 19 998.8 and three times the newest day: a day passes the one that it equals.
    let score = |day| recency.score(&value("a", day)).get();
    assert_eq!(
        [19_997.0, 19_998.0, 19_999.0, 20_000.0].map(score),
        [1, 1, 2, 5]
    );
    assert_eq!(recency.near(&value("a", 20_000.0)), None);
}

#[test]
fn pandas_rank_first_cuts_a_constant_into_fifths_by_account_id() {
    // pandas: pd.qcut(pd.Series([7.0] * 50).rank(method="first"), 5, labels=False) + 1 gives ten of each score.
    let constant = thresholds([7.0; 50], TiePolicy::PandasRankFirst);
    for (i, id) in ids(50).iter().enumerate() {
        let score = constant.score(&value(id, 7.0));
        assert_eq!(usize::from(score.get()), 1 + i / 10, "account {i}");
    }
    // The bytes of the text decide: "a1" is after "a0009", before "a2", and "B" is before all of them.
    let score = |id| constant.score(&value(id, 7.0)).get();
    assert_eq!(
        [score("B"), score("a0010"), score("a1"), score("é")],
        [1, 2, 5, 5]
    );
    // 52 is no multiple of 5: ranks up to 11.2, 21.4, 31.6, 41.8 give fifths of 11, 10, 10, 10, 11.
    let thresholds = thresholds((0..52).map(f64::from), TiePolicy::PandasRankFirst);
    let mut sizes = BTreeMap::new();
    for v in 0..52 {
        let score = thresholds.score(&value("a", f64::from(v)));
        *sizes.entry(score.get()).or_insert(0) += 1;
    }
    assert_eq!(
        sizes.into_values().collect::<Vec<_>>(),
        [11, 10, 10, 10, 11]
    );
}

/// Accounts of these last days.
fn activities(ids: &[String], last_days: impl Iterator<Item = i32>) -> Vec<Activity<'_>> {
    let rows = ids.iter().zip(last_days);
    rows.map(|(id, last_day)| Activity {
        account: id,
        last_day: Day(last_day),
        frequency: f64::from(last_day % 28),
        monetary_minor: i64::from(last_day) * 100,
    })
    .collect()
}

fn model(population: &[Activity<'_>]) -> Model {
    Model::of_population(population, TiePolicy::ValueQuantile, &FIXED, Currency::USD).unwrap()
}

const FIXED: Fixed = Fixed {
    within_days: [7, 30, 90, 180],
    as_of: Day(20_000),
    frequency: [1.5, 4.5, 9.5, 19.5],
    monetary_minor: [1_000, 5_000, 20_000, 100_000],
};

#[test]
fn fewer_than_fifty_accounts_are_scored_by_fixed_thresholds() {
    let ids = ids(49);
    let model = model(&activities(&ids, 19_900..));
    for thresholds in [&model.recency, &model.frequency, &model.monetary] {
        assert_eq!(thresholds.source(), Source::Fixed);
    }
    let sample = Activity {
        account: "a",
        last_day: Day(19_980),
        frequency: 20.0,
        monetary_minor: 1_000,
    };
    assert_eq!(model.score(&sample).to_string(), "451");
}

#[test]
fn fifty_accounts_have_quintiles() {
    let ids = ids(50);
    let population = activities(&ids, 19_900..);
    let model = model(&population);
    assert_eq!(
        model.recency.source(),
        Source::Population {
            policy: TiePolicy::ValueQuantile,
            accounts: 50
        }
    );
    assert_eq!(model.score(&population[49]).recency.get(), 5);
    assert_eq!(model.score(&population[0]).recency.get(), 1);
}

#[test]
fn thresholds_survive_storage_and_bad_ones_are_refused() {
    for policy in TiePolicy::ALL {
        let fresh = thresholds((0..60).map(|i| f64::from(i * i)), policy);
        let read_back = Thresholds::stored(
            fresh.source(),
            fresh.cuts().clone(),
            fresh.margins().cloned(),
        )
        .unwrap();
        assert_eq!(fresh, read_back);
    }
    let descending = [4.0, 3.0, 2.0, 1.0];
    let error = Thresholds::fixed(descending).unwrap_err();
    assert_eq!(
        error.to_string(),
        "thresholds [4.0, 3.0, 2.0, 1.0] must be finite and ascending"
    );
    assert!(Thresholds::fixed([0.0, 1.0, 2.0, f64::NAN]).is_err());
    let values = [value("acme", f64::NAN); 60];
    let error = Thresholds::of_population(&values, TiePolicy::default(), USD, [0.0; 4]);
    let message = error.unwrap_err().to_string();
    assert_eq!(message, "value of account acme is not a finite number");
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
    let hundred_and_one = thresholds((0..=100).map(f64::from), TiePolicy::ValueQuantile);
    let near = |at: f64| hundred_and_one.near(&value("a", at)).map(Score::get);
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
    let fixed = Thresholds::fixed([1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(fixed.near(&value("a", 1.0)), None);
}

#[test]
fn of_equal_values_none_is_near_anything_else_than_the_others_are() {
    // Two thirds bought once: all thresholds up to 60 % are that value, the margin below 60 % as well.
    let once = (0..200).map(|_| 1.0);
    let ones = thresholds(
        once.chain((0..100).map(|i| f64::from(i) + 2.0)),
        TiePolicy::ValueQuantile,
    );
    assert_eq!(ones.score(&value("a", 1.0)).get(), 1);
    assert_eq!(ones.near(&value("a", 1.0)), None);
    assert_eq!(ones.near(&value("a", 2.0)), None);
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
        (numbers, shuffled) in prop::collection::vec(0..40_i32, 50..200).prop_flat_map(|values| {
            let rows: Vec<(usize, i32)> = values.into_iter().enumerate().collect();
            (Just(rows.clone()), Just(rows).prop_shuffle())
        }),
    ) {
        let ids = ids(numbers.len());
        for policy in TiePolicy::ALL {
            let of = |rows: &[(usize, i32)]| {
                let values: Vec<Value<'_>> =
                    rows.iter().map(|(id, v)| value(&ids[*id], f64::from(*v))).collect();
                Thresholds::of_population(&values, policy, USD, [0.0; 4]).unwrap()
            };
            prop_assert_eq!(of(&numbers), of(&shuffled));
        }
    }

    #[test]
    fn a_higher_value_never_scores_lower(values in prop::collection::vec(-1e6..1e6_f64, 50..200), a in -2e6..2e6_f64, b in -2e6..2e6_f64) {
        for policy in TiePolicy::ALL {
            let thresholds = thresholds(values.iter().copied(), policy);
            let (low, high) = (value("a", a.min(b)), value("a", a.max(b)));
            prop_assert!(thresholds.score(&low) <= thresholds.score(&high));
        }
    }

    #[test]
    fn recency_by_value_is_six_less_the_score_of_the_days_since(days in prop::collection::vec(0..60_i32, 50..200)) {
        let days_since: Vec<f64> = days.iter().map(|day| f64::from(100 - day)).collect();
        let days: Vec<f64> = days.into_iter().map(f64::from).collect();
        let thresholds = thresholds_of(&days, TiePolicy::ValueQuantile, Dimension::Recency);
        for (day, since) in days.iter().zip(&days_since) {
            let score = thresholds.score(&value("a", *day)).get();
            prop_assert_eq!(usize::from(score), 6 - score_by_value(&days_since, *since), "{} days", since);
        }
    }

    #[test]
    fn last_days_are_scored_as_r_scores_the_days_since_them(days in prop::collection::vec(0..60_i32, 50..200)) {
        let days_since: Vec<f64> = days.iter().map(|day| f64::from(100 - day)).collect();
        let days: Vec<f64> = days.into_iter().map(f64::from).collect();
        let thresholds = thresholds_of(&days, TiePolicy::RRfmCompat, Dimension::Recency);
        for (day, since) in days.iter().zip(&days_since) {
            let score = thresholds.score(&value("a", *day)).get();
            prop_assert_eq!(score, score_in_r(&days_since, *since), "{} days", since);
        }
    }
}
