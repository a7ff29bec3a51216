//! Published figures: Fader, Hardie & Lee 2005 with its spreadsheet, and the BTYD package for the probabilities, all at the
//! published parameters. Other expected values: mpmath 1.4.1 with 60 digits, straight from the formulas of the paper.

use proptest::prelude::*;

use super::*;

fn published() -> Params {
    params([0.243, 4.414, 0.793, 2.426])
}

fn params([r, alpha, a, b]: [f64; 4]) -> Params {
    Params::new(r, Weeks::new(alpha), a, b).unwrap()
}

fn history(repeats: u32, last: f64, observed: f64) -> History {
    History::new(repeats, Weeks::new(last), Weeks::new(observed)).unwrap()
}

fn check(what: &str, got: f64, expected: f64, relative: f64) {
    let error = (got - expected).abs() / expected.abs();
    assert!(
        error <= relative,
        "{what}: got {got:e}, expected {expected:e}, relative error {error:e}"
    );
}

#[test]
fn the_papers_account_is_expected_to_buy_1_226_times_in_39_weeks() {
    let got = published().expected_future_purchases(&history(2, 30.43, 38.86), Weeks::new(39.0));
    assert!((got - 1.226_028).abs() < 1e-6, "{got}");
}

#[test]
fn probabilities_of_purchase_counts_are_those_of_btyd() {
    let params = published();
    check(
        "P(X(39) = 0)",
        params.probability_of(0, Weeks::new(39.0)),
        0.5737864,
        1e-5,
    );
    check(
        "P(X(2) = 10)",
        params.probability_of(10, Weeks::new(2.0)),
        1.07869e-7,
        1e-5,
    );
    let of_30_weeks = [
        0.0019995214,
        0.0015170236,
        0.001163315,
        0.0009003148,
        0.0007023638,
        0.0005517902,
        0.0004361913,
        0.0003467171,
        0.0002769613,
        0.000222226,
    ];
    for (x, expected) in (11..).zip(of_30_weeks) {
        check(
            &format!("P(X(30) = {x})"),
            params.probability_of(x, Weeks::new(30.0)),
            expected,
            1e-5,
        );
    }
}

#[test]
fn small_probabilities_keep_their_digits() {
    let params = published();
    check(
        "P(X(2) = 10)",
        params.probability_of(10, Weeks::new(2.0)),
        1.0786896403691478e-07,
        1e-11,
    );
    check(
        "P(X(5) = 60)",
        params.probability_of(60, Weeks::new(5.0)),
        2.4678618127029882e-20,
        1e-11,
    );
}

#[test]
fn expected_purchases_are_exact_where_the_formula_as_printed_is_singular() {
    let rows = [
        ([0.243, 4.414, 0.793, 2.426], 39.0, 1.196723193320817),
        ([0.243, 4.414, 1.0000001, 2.426], 39.0, 1.0842789630688812), // a beside 1: 0 / 0
        ([0.243, 4.414, 1.0, 2.426], 39.0, 1.0842790105915188),       // the limit at 1
        ([0.5, 2.0, 1.5, 0.25], 10.0, 0.6952598006926647),
        ([0.25, 0.001, 0.5, 0.5000001], 520.0, 274.996790133821), // a + b beside 1: a pole; z = 0.999998
        ([80.0, 20.0, 0.7, 2.0], 52.0, 19.872039164536062),       // alternating terms
        ([0.3, 1.0, 0.4, 0.3], 500.0, 11.084639182185034),        // a + b below 1
        ([5.0, 3.0, 6.0, 40.0], 12.0, 7.215577675871092),
        ([1.0, 0.0484, 52.02, 1.0], 116.24, 1.0191673122652263), // one factor is 10¹⁷², the other its inverse
        ([900.0, 30.0, 905.0, 3.0], 52.0, 1.0033185840707965),
    ];
    for (p, weeks, expected) in rows {
        check(
            &format!("E[X({weeks})] at {p:?}"),
            params(p).expected_purchases(Weeks::new(weeks)),
            expected,
            1e-10,
        );
    }
}

#[test]
fn expected_purchases_are_the_mean_of_the_probabilities() {
    let (params, t) = (params([0.7, 6.0, 1.8, 2.5]), Weeks::new(12.0));
    let mean: f64 = (1..300)
        .map(|x| f64::from(x) * params.probability_of(x, t))
        .sum();
    check("mean", mean, params.expected_purchases(t), 1e-9);
}

#[test]
fn the_likelihood_is_finite_for_hundreds_of_purchases() {
    let rows = [
        (history(2, 30.43, 38.86), -9.45860630706627),
        (history(0, 0.0, 38.86), -0.5547132764381585),
        (history(900, 38.0, 38.86), 1834.965678607944),
    ];
    for (history, expected) in rows {
        check(
            &format!("{history:?}"),
            published().ln_likelihood(&history),
            expected,
            1e-12,
        );
    }
}

#[test]
fn an_account_without_repeat_counts_as_alive_and_the_answer_says_why() {
    let alive = published().alive(&history(0, 0.0, 200.0));
    assert_eq!(alive, Alive::NoRepeatYet);
    assert!((alive.probability() - 1.0).abs() < 1e-15);
    let silent = published().alive(&history(400, 10.0, 300.0));
    assert!(silent.probability() < 1e-100, "{silent:?}");
}

#[test]
fn nothing_happens_in_no_time() {
    let params = published();
    assert!(params.expected_purchases(Weeks::new(0.0)).abs() < 1e-300);
    assert!((params.probability_of(0, Weeks::new(0.0)) - 1.0).abs() < 1e-15);
    assert!(params.probability_of(3, Weeks::new(0.0)).abs() < 1e-300);
}

#[test]
fn contradictory_histories_and_parameters_are_refused() {
    let refused = |repeats, last, observed| {
        History::new(repeats, Weeks::new(last), Weeks::new(observed)).unwrap_err()
    };
    let error = refused(1, 5.0, 4.0);
    assert_eq!(
        error.to_string(),
        "1 repeat purchases, the last after 5 weeks of 4 weeks: needs 0 ≤ last ≤ observed, and last = 0 without repeats"
    );
    assert!(matches!(
        refused(0, 1.0, 4.0),
        Error::HistoryInconsistent { .. }
    ));
    assert!(matches!(
        refused(1, -1.0, 4.0),
        Error::HistoryInconsistent { .. }
    ));
    assert!(matches!(
        refused(1, 1.0, f64::NAN),
        Error::HistoryInconsistent { .. }
    ));
    let error = Params::new(0.2, Weeks::new(0.0), 1.0, 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter alpha is 0, it must be a positive number"
    );
}

#[test]
fn purchases_after_the_end_do_not_count_and_no_purchase_is_no_history() {
    let days = [Day(100), Day(107), Day(300)];
    assert_eq!(
        History::from_days(&days, Day(114)),
        Some(history(1, 1.0, 2.0))
    );
    assert_eq!(History::from_days(&days, Day(99)), None);
    assert_eq!(History::from_days(&[], Day(99)), None);
}

#[test]
fn a_fit_without_enough_repeaters_or_time_is_refused() {
    let once = vec![history(0, 0.0, 20.0); 500];
    assert_eq!(
        fit(&once, Start::Cold),
        Err(Error::TooFewRepeaters { repeaters: 0 })
    );
    assert_eq!(
        fit(&[], Start::Cold),
        Err(Error::TooFewRepeaters { repeaters: 0 })
    );
    let unobserved = vec![history(1, 0.0, 0.0); 50];
    assert_eq!(fit(&unobserved, Start::Cold), Err(Error::NothingObserved));
}

#[test]
fn identical_accounts_do_not_identify_the_parameters() {
    let same = vec![history(3, 20.0, 30.0); 400];
    let error = fit(&same, Start::Cold).unwrap_err();
    assert!(matches!(error, Error::NotTrusted(_)), "{error:?}");
    assert!(std::error::Error::source(&error).is_some());
}

fn any_params() -> impl Strategy<Value = Params> {
    let positive = || (-4.0..4.0_f64).prop_map(f64::exp);
    (positive(), positive(), positive(), positive())
        .prop_map(|(r, alpha, a, b)| params([r, alpha, a, b]))
}

fn any_history() -> impl Strategy<Value = History> {
    let parts = (0..2000_u32, 0.0..=1.0_f64, 0.0..500.0_f64);
    parts.prop_map(|(x, share, observed)| {
        history(x, if x == 0 { 0.0 } else { share * observed }, observed)
    })
}

proptest! {
    #[test]
    fn likelihood_is_finite_and_the_probability_of_being_alive_is_one(params in any_params(), history in any_history()) {
        prop_assert!(params.ln_likelihood(&history).is_finite());
        let alive = params.alive(&history).probability();
        prop_assert!((0.0..=1.0).contains(&alive), "{alive}");
    }

    #[test]
    fn probabilities_of_all_counts_sum_to_at_most_one(params in any_params(), weeks in 0.0..60.0_f64) {
        let mut sum = 0.0;
        for x in 0..150 {
            let probability = params.probability_of(x, Weeks::new(weeks));
            prop_assert!((0.0..=1.0).contains(&probability), "P({x}) = {probability}");
            sum += probability;
        }
        prop_assert!(sum <= 1.0 + 1e-9, "{sum}");
    }

    #[test]
    fn expected_purchases_grow_with_time_and_stay_below_those_of_accounts_that_never_leave(
        params in any_params(), history in any_history(), weeks in 0.01..200.0_f64,
    ) {
        let (sooner, later) = (Weeks::new(weeks / 2.0), Weeks::new(weeks));
        let (near, far) = (params.expected_purchases(sooner), params.expected_purchases(later));
        let never_leave = params.r() / params.alpha().get() * weeks;
        prop_assert!(0.0 < near && near <= far * (1.0 + 1e-12) && far <= never_leave * (1.0 + 1e-9), "{near} {far} {never_leave}");
        let future = params.expected_future_purchases(&history, later);
        let rate = (params.r() + f64::from(history.repeats())) / (params.alpha().get() + history.observed().get());
        prop_assert!(0.0 <= future && future <= rate * weeks * (1.0 + 1e-9), "{future}");
    }
}
