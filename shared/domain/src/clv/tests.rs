use super::*;
use crate::bgnbd::{self, History, Weeks};
use crate::gamma_gamma::{self, Spend};

/// The parameters of the quick-start of `lifetimes`, fitted to the CDNOW sample; gamma in cents.
fn quick_start() -> PurchaseModel {
    PurchaseModel {
        counts: bgnbd::Params::new(
            0.242_592_89,
            Weeks::new(4.413_531_41),
            0.792_886_02,
            2.425_752_71,
        )
        .unwrap(),
        values: gamma_gamma::Params::new(6.248_802_99, 3.744_588_51, 1_544.774_689).unwrap(),
        currency: Currency::USD,
        n: 2357,
        uncertainty: None,
    }
}

/// First ten rows of the CDNOW sample: repeats, last (weeks), observed (weeks), mean value (dollars).
const FIRST_TEN: [(u32, f64, f64, f64); 10] = [
    (2, 30.43, 38.86, 22.35),
    (1, 1.71, 38.86, 11.77),
    (0, 0.0, 38.86, 0.0),
    (0, 0.0, 38.86, 0.0),
    (0, 0.0, 38.86, 0.0),
    (7, 29.43, 38.86, 73.74),
    (1, 5.0, 38.86, 11.77),
    (0, 0.0, 38.86, 0.0),
    (2, 35.71, 38.86, 25.55),
    (0, 0.0, 38.86, 0.0),
];

fn account((repeats, last, observed, dollars): (u32, f64, f64, f64)) -> (History, Option<Spend>) {
    let history = History::new(repeats, Weeks::new(last), Weeks::new(observed)).unwrap();
    (
        history,
        (repeats > 0).then(|| Spend::new(repeats, dollars * 100.0).unwrap()),
    )
}

fn one_percent() -> MonthlyDiscount {
    MonthlyDiscount::new(0.01).unwrap()
}

#[test]
fn twelve_months_of_the_first_ten_accounts_with_time_in_weeks() {
    // The published quick-start with its unit error corrected; recomputed with SciPy.
    let expected = [
        36.278496, 4.637466, 8.344092, 8.344092, 8.344092, 283.523587, 6.881407, 8.344092,
        43.353642, 8.344092,
    ];
    for (row, expected) in FIRST_TEN.into_iter().zip(expected) {
        let (history, spend) = account(row);
        let clv = quick_start()
            .account(&history, spend.as_ref(), Months(12), one_percent())
            .unwrap();
        let dollars = clv.value_minor / 100.0;
        assert!(
            (dollars - expected).abs() < 5e-4,
            "{row:?}: got {dollars}, expected {expected}"
        );
        assert_eq!(
            (clv.method, clv.horizon, clv.n),
            (Method::Purchases, Horizon::Months(Months(12)), 2357)
        );
        assert_eq!(clv.currency, Currency::USD);
    }
}

#[test]
fn the_published_140_dollars_are_weeks_read_as_days_and_cannot_come_out() {
    let (history, spend) = account(FIRST_TEN[0]);
    let right = quick_start()
        .account(&history, spend.as_ref(), Months(12), one_percent())
        .unwrap();
    assert!((right.value_minor / 100.0 - 140.096_211).abs() > 100.0);
    // How the error arises: 30 units of the data, which are weeks, taken for one month. It must be written out by hand here,
    // because no function accepts a duration without its unit.
    let mut wrong = 0.0;
    for month in 1..=12 {
        let until = |months: i32| {
            quick_start()
                .counts
                .expected_future_purchases(&history, Weeks::new(30.0 * f64::from(months)))
        };
        wrong += (until(month) - until(month - 1)) / 1.01_f64.powi(month);
    }
    wrong *= quick_start().values.expected_value(spend.as_ref());
    assert!((wrong / 100.0 - 140.096_211).abs() < 1e-4, "{wrong}");
}

#[test]
fn a_history_and_a_spend_of_different_accounts_are_refused() {
    let (history, _) = account(FIRST_TEN[0]);
    let error = quick_start()
        .account(&history, None, Months(12), one_percent())
        .unwrap_err();
    assert_eq!(
        error,
        Error::RepeatsDiffer {
            history: 2,
            spend: 0
        }
    );
}

#[test]
fn the_interval_of_an_account_widens_with_the_error_of_the_parameters() {
    let (history, spend) = account(FIRST_TEN[0]);
    let interval = |deviation: f64| {
        let model = PurchaseModel {
            uncertainty: Some(Uncertainty {
                counts: diagonal(deviation),
                values: diagonal(deviation),
            }),
            ..quick_start()
        };
        let clv = model
            .account(&history, spend.as_ref(), Months(12), one_percent())
            .unwrap();
        let Some(Interval {
            low_minor,
            high_minor,
        }) = clv.interval
        else {
            panic!("{clv:?}")
        };
        assert!(low_minor <= clv.value_minor && clv.value_minor <= high_minor);
        high_minor - low_minor
    };
    assert!(interval(0.0) < 1e-9 && interval(0.02) > 1.0 && interval(0.1) > 4.0 * interval(0.02));
}

fn diagonal<const N: usize>(deviation: f64) -> [[f64; N]; N] {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| if i == j { deviation * deviation } else { 0.0 })
    })
}

#[test]
fn no_horizon_is_no_value_and_has_no_interval() {
    let (history, spend) = account(FIRST_TEN[0]);
    let model = PurchaseModel {
        uncertainty: Some(Uncertainty {
            counts: diagonal(0.1),
            values: diagonal(0.1),
        }),
        ..quick_start()
    };
    let clv = model
        .account(&history, spend.as_ref(), Months(0), one_percent())
        .unwrap();
    assert!(clv.value_minor.abs() < 1e-300 && clv.interval.is_none());
}

fn fifty_dollars() -> Money {
    Money::new(5_000, Currency::USD)
}

#[test]
fn formulas_give_their_worked_examples() {
    let churn = MonthlyChurn::new(4, 200).unwrap();
    let eighty_percent = Margin::from_bps(8_000).unwrap();
    let rows = [
        (simple(fifty_dollars(), churn), 250_000.0, Method::Simple),
        (
            margin(fifty_dollars(), eighty_percent, churn),
            200_000.0,
            Method::Margin,
        ),
        (
            discounted_geometric(fifty_dollars(), eighty_percent, churn, one_percent()),
            134_666.666_667,
            Method::DiscountedGeometric,
        ),
    ];
    for (clv, expected, method) in rows {
        assert!((clv.value_minor - expected).abs() < 1e-5, "{clv:?}");
        assert_eq!(
            (clv.method, clv.horizon, clv.n, clv.capped()),
            (method, Horizon::Lifetime, 200, false)
        );
        let interval = clv.interval.unwrap();
        assert!(
            0.0 < interval.low_minor
                && interval.low_minor < clv.value_minor
                && clv.value_minor < interval.high_minor
        );
    }
}

#[test]
fn without_churn_the_value_is_capped_at_sixty_months_and_says_so() {
    let nobody_left = MonthlyChurn::new(0, 40).unwrap();
    let clv = simple(fifty_dollars(), nobody_left);
    assert!((clv.value_minor - 300_000.0).abs() < 1e-6);
    assert!(clv.capped() && clv.interval.is_none());
    assert_eq!(clv.horizon, Horizon::CappedAt(Months(60)));
    // 50 (1 − 1.01⁻⁶⁰) / (1 − 1.01⁻¹) = $2,270.23: sixty payments, the first at once.
    let discounted = discounted_geometric(
        fifty_dollars(),
        Margin::from_bps(10_000).unwrap(),
        nobody_left,
        one_percent(),
    );
    assert!(
        (discounted.value_minor - 227_022.94).abs() < 0.01,
        "{discounted:?}"
    );
}

#[test]
fn wilson_interval_of_a_churn_rate() {
    // Wilson 1927 for 4 of 200: 0.0078 … 0.0503.
    let (low, high) = MonthlyChurn::new(4, 200).unwrap().rate_interval();
    assert!(
        (low - 0.007_81).abs() < 1e-5 && (high - 0.050_28).abs() < 1e-5,
        "{low} {high}"
    );
    let (low, high) = MonthlyChurn::new(5, 5).unwrap().rate_interval();
    assert!(low > 0.5 && high <= 1.0, "{low} {high}");
}

#[test]
fn impossible_inputs_are_named() {
    assert_eq!(
        MonthlyChurn::new(3, 2).unwrap_err().to_string(),
        "3 of 2 accounts lost: needs at least one account, and no more lost than there were"
    );
    assert_eq!(
        MonthlyChurn::new(0, 0),
        Err(Error::ChurnImpossible {
            lost: 0,
            opening: 0
        })
    );
    assert_eq!(
        Margin::from_bps(10_001),
        Err(Error::MarginAboveOne { bps: 10_001 })
    );
    assert!(MonthlyDiscount::new(-0.1).is_err() && MonthlyDiscount::new(f64::NAN).is_err());
    assert!((MonthlyDiscount::from_yearly(0.1).unwrap().get() - 0.007_974_140_4).abs() < 1e-9);
}
