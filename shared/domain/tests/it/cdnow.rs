//! The CDNOW sample (`tests/data/cdnow/README.md`), fitted.
//!
//! Published figures: Fader, Hardie & Lee 2005 with its spreadsheet; the test suites of lifetimes 0.11.3 and of CLVTools;
//! Fader & Hardie 2013 for values. Figures to more digits than these print are from an independent fit with SciPy.

use sextant_domain::bgnbd::{self, History, Weeks};
use sextant_domain::clv::{MonthlyDiscount, Months, PurchaseModel};
use sextant_domain::gamma_gamma::{self, Spend};
use sextant_domain::money::Currency;

const SAMPLE: &str = include_str!("../data/cdnow/sample_summary.csv");

struct Row {
    history: History,
    spend: Option<Spend>,
}

fn sample() -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(SAMPLE.as_bytes());
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let number = |column: usize| record[column].parse::<f64>().unwrap();
        let repeats = record[1].parse::<u32>().unwrap();
        Row {
            history: History::new(repeats, Weeks::new(number(2)), Weeks::new(number(3))).unwrap(),
            spend: (repeats > 0).then(|| Spend::new(repeats, number(4) * 100.0).unwrap()),
        }
    });
    rows.collect()
}

fn histories() -> Vec<History> {
    sample().iter().map(|row| row.history).collect()
}

fn spends() -> Vec<Spend> {
    sample().iter().filter_map(|row| row.spend).collect()
}

fn check(what: &str, got: f64, expected: f64, absolute: f64) {
    assert!(
        (got - expected).abs() <= absolute,
        "{what}: got {got}, expected {expected} ± {absolute}"
    );
}

#[test]
fn the_sample_is_the_published_one() {
    let histories = histories();
    assert_eq!(histories.len(), 2357);
    assert_eq!(histories.iter().map(History::repeats).sum::<u32>(), 2457);
    assert_eq!(spends().len(), 946);
}

#[test]
fn purchase_counts_fit_to_the_published_parameters() {
    let histories = histories();
    let fit = bgnbd::fit(&histories, bgnbd::Start::Cold).unwrap();
    let params = fit.params;
    let rows = [
        ("r", params.r(), 0.2425929),
        ("alpha", params.alpha().get(), 4.4135314),
        ("a", params.a(), 0.792886),
        ("b", params.b(), 2.4257527),
    ];
    for (name, got, expected) in rows {
        check(name, got, expected, expected * 1e-5);
    }
    check("log-likelihood", fit.log_likelihood, -9582.42556, 1e-5);
    assert_eq!((fit.accounts, fit.repeaters), (2357, 946));
    assert!(fit.gradient_norm <= 1e-8, "{fit:?}");

    let sum: f64 = histories
        .iter()
        .map(|history| params.ln_likelihood(history))
        .sum();
    check("sum of the accounts", sum, fit.log_likelihood, 1e-8);
    let published = bgnbd::Params::new(0.243, Weeks::new(4.414), 0.793, 2.426).unwrap();
    let at_published: f64 = histories
        .iter()
        .map(|history| published.ln_likelihood(history))
        .sum();
    check(
        "log-likelihood at the published parameters",
        at_published,
        -9582.4268,
        1e-4,
    );
}

#[test]
fn expected_purchases_at_the_fit_are_the_published_ones() {
    let fit = bgnbd::fit(&histories(), bgnbd::Start::Cold).unwrap();
    let published = [
        (0.1429, 0.0078),
        (1.0, 0.0532),
        (3.0, 0.1506),
        (31.8571, 1.0405),
        (32.0, 1.0437),
        (78.0, 1.8576),
    ];
    for (weeks, expected) in published {
        let got = fit.params.expected_purchases(Weeks::new(weeks));
        check(&format!("E[X({weeks})]"), got, expected, 1e-3);
    }
    let account = History::new(2, Weeks::new(30.43), Weeks::new(38.86)).unwrap();
    let got = fit
        .params
        .expected_future_purchases(&account, Weeks::new(39.0));
    check("E[Y(39)]", got, 1.22591, 1e-5);
}

#[test]
fn no_neighbour_of_the_fit_is_more_likely() {
    let histories = histories();
    let fit = bgnbd::fit(&histories, bgnbd::Start::Cold).unwrap();
    let at = [
        fit.params.r(),
        fit.params.alpha().get(),
        fit.params.a(),
        fit.params.b(),
    ];
    for i in 0..4 {
        for factor in [0.999, 1.001] {
            let mut near = at;
            near[i] *= factor;
            let params =
                bgnbd::Params::new(near[0], Weeks::new(near[1]), near[2], near[3]).unwrap();
            let neighbour: f64 = histories
                .iter()
                .map(|history| params.ln_likelihood(history))
                .sum();
            assert!(neighbour < fit.log_likelihood, "parameter {i} × {factor}");
        }
    }
}

#[test]
fn a_fit_depends_neither_on_the_order_of_accounts_nor_on_its_start() {
    let mut histories = histories();
    let cold = bgnbd::fit(&histories, bgnbd::Start::Cold).unwrap();
    histories.reverse();
    assert_eq!(bgnbd::fit(&histories, bgnbd::Start::Cold), Ok(cold));
    let warm = bgnbd::fit(&histories, bgnbd::Start::Warm(cold.params)).unwrap();
    check(
        "log-likelihood of a warm start",
        warm.log_likelihood,
        cold.log_likelihood,
        1e-8,
    );

    let mut spends = spends();
    let cold = gamma_gamma::fit(&spends, gamma_gamma::Start::Cold).unwrap();
    spends.reverse();
    assert_eq!(
        gamma_gamma::fit(&spends, gamma_gamma::Start::Cold),
        Ok(cold)
    );
    let warm = gamma_gamma::fit(&spends, gamma_gamma::Start::Warm(cold.params)).unwrap();
    check(
        "log-likelihood of a warm start",
        warm.log_likelihood,
        cold.log_likelihood,
        1e-8,
    );
}

#[test]
fn purchase_values_fit_to_the_published_parameters() {
    let fit = gamma_gamma::fit(&spends(), gamma_gamma::Start::Cold).unwrap();
    let params = fit.params;
    check("p", params.p(), 6.248803, 6.2e-5);
    check("q", params.q(), 3.744589, 3.7e-5);
    check(
        "gamma in dollars",
        params.gamma_minor() / 100.0,
        15.447747,
        1.5e-4,
    );
    // The density of a value in cents is a hundredth of that in dollars.
    let in_dollars = fit.log_likelihood + 946.0 * 100.0_f64.ln();
    check("log-likelihood", in_dollars, -4055.9232, 1e-4);
    check("correlation", fit.correlation.unwrap(), 0.1138839, 1e-6);
    assert_eq!(fit.warning, None);
}

#[test]
fn expected_values_at_the_fit_are_the_published_ones() {
    let rows = sample();
    let params = gamma_gamma::fit(&spends(), gamma_gamma::Start::Cold)
        .unwrap()
        .params;
    let dollars = |row: &Row| params.expected_value(row.spend.as_ref()) / 100.0;
    let first_ten = [
        24.6586, 18.9115, 35.171, 35.171, 35.171, 71.4628, 18.9115, 35.171, 27.2824, 35.171,
    ];
    for (row, expected) in rows.iter().zip(first_ten) {
        check("E[M | x, z]", dollars(row), expected, 5e-4);
    }
    let all: f64 = rows.iter().map(dollars).sum();
    check("mean over all accounts", all / 2357.0, 35.25296, 1e-3);
    let repeaters: f64 = rows
        .iter()
        .filter(|row| row.spend.is_some())
        .map(dollars)
        .sum();
    check("mean over repeaters", repeaters / 946.0, 35.375198, 1e-3);
    let observed: f64 = rows
        .iter()
        .filter_map(|row| row.spend)
        .map(|spend| spend.mean_minor() / 100.0)
        .sum();
    check(
        "observed mean over repeaters",
        observed / 946.0,
        35.07855,
        1e-3,
    );
}

#[test]
fn a_fitted_model_values_an_account_with_an_interval_around_it() {
    let rows = sample();
    let counts = bgnbd::fit(&histories(), bgnbd::Start::Cold).unwrap();
    let values = gamma_gamma::fit(&spends(), gamma_gamma::Start::Cold).unwrap();
    let model = PurchaseModel::from_fits(&counts, &values, Currency::USD);
    let discount = MonthlyDiscount::new(0.01).unwrap();
    let clv = model
        .account(
            &rows[0].history,
            rows[0].spend.as_ref(),
            Months(12),
            discount,
        )
        .unwrap();
    check(
        "CLV of the first account in dollars",
        clv.value_minor / 100.0,
        36.278496,
        5e-4,
    );
    let interval = clv.interval.unwrap();
    // 2,357 accounts: the parameters leave an uncertainty of some percent.
    assert!(
        0.7 * clv.value_minor < interval.low_minor && interval.low_minor < 0.99 * clv.value_minor,
        "{clv:?}"
    );
    assert!(
        1.01 * clv.value_minor < interval.high_minor && interval.high_minor < 1.4 * clv.value_minor,
        "{clv:?}"
    );
}
