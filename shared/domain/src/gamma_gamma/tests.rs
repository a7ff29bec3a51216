use proptest::prelude::*;

use super::*;

fn spend(repeats: u32, mean_minor: f64) -> Spend {
    Spend::new(repeats, mean_minor).unwrap()
}

#[test]
fn published_expected_values_of_the_first_ten_accounts() {
    // lifetimes documentation, at the parameters of its fit to the CDNOW sample; dollars there, cents here.
    let params = Params::new(6.248_802_99, 3.744_588_51, 1_544.774_689).unwrap();
    let rows = [
        (2, 22.35, 24.6586),
        (1, 11.77, 18.9115),
        (0, 0.0, 35.171),
        (7, 73.74, 71.4628),
        (2, 25.55, 27.2824),
    ];
    for (repeats, dollars, expected) in rows {
        let spend = (repeats > 0).then(|| spend(repeats, dollars * 100.0));
        let got = params.expected_value(spend.as_ref()) / 100.0;
        assert!(
            (got - expected).abs() < 5e-4,
            "{repeats} × {dollars}: got {got}, expected {expected}"
        );
    }
}

#[test]
fn an_account_with_many_purchases_is_worth_its_own_mean() {
    let params = Params::new(6.25, 3.74, 1544.0).unwrap();
    let got = params.expected_value(Some(&spend(1_000_000, 9_000.0)));
    assert!((got - 9_000.0).abs() < 0.05, "{got}");
}

#[test]
fn spends_and_parameters_outside_the_model_are_refused() {
    assert_eq!(
        Spend::new(0, 10.0),
        Err(Error::SpendNotPositive {
            repeats: 0,
            mean_minor: 10.0
        })
    );
    assert_eq!(
        Spend::new(1, 0.0),
        Err(Error::SpendNotPositive {
            repeats: 1,
            mean_minor: 0.0
        })
    );
    assert!(Spend::new(1, f64::INFINITY).is_err());
    assert_eq!(
        Params::new(1.0, 1.0, 1.0),
        Err(Error::MeanInfinite { q: 1.0 })
    );
    let text = Params::new(1.0, -2.0, 1.0).unwrap_err().to_string();
    assert_eq!(text, "parameter q is -2, it must be a positive number");
}

#[test]
fn a_fit_without_enough_repeaters_or_variation_is_refused() {
    assert_eq!(
        fit(&[spend(1, 5.0); 29], Start::Cold),
        Err(Error::TooFewRepeaters { repeaters: 29 })
    );
    let error = fit(&[spend(2, 1_000.0); 200], Start::Cold).unwrap_err();
    assert!(matches!(error, Error::NotTrusted(_)), "{error:?}");
}

#[test]
fn correlation_is_pearsons_and_absent_without_variation() {
    let rising = [spend(1, 10.0), spend(2, 20.0), spend(3, 30.0)];
    assert!((correlation(&rising).unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(correlation(&[spend(1, 10.0), spend(1, 20.0)]), None);
    assert_eq!(correlation(&[]), None);
}

#[test]
fn dependent_counts_and_values_are_fitted_with_a_warning() {
    // Value grows with the count, with a spread of its own so that the fit exists.
    let spread = [0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2];
    let spends: Vec<Spend> = (1..=8)
        .flat_map(|x| spread.map(|factor| spend(x, 500.0 * f64::from(x) * factor)))
        .collect();
    let fit = fit(&spends, Start::Cold).unwrap();
    let Some(Warning::CountAndValueDepend { correlation }) = fit.warning else {
        panic!("{fit:?}")
    };
    assert!(correlation > DEPENDENT_FROM);
    assert!(
        fit.warning
            .unwrap()
            .to_string()
            .starts_with("number and value of purchases correlate by 0.")
    );
}

proptest! {
    #[test]
    fn likelihood_is_finite_and_the_expected_value_lies_between_the_account_and_all_accounts(
        p in 0.05..50.0_f64, q in 1.05..50.0_f64, gamma in 1.0..1e6_f64, repeats in 1..5000_u32, mean in 0.01..1e8_f64,
    ) {
        let params = Params::new(p, q, gamma).unwrap();
        let spend = spend(repeats, mean);
        prop_assert!(params.ln_likelihood(&spend).is_finite());
        let (own, all) = (mean, params.expected_value(None));
        let got = params.expected_value(Some(&spend));
        prop_assert!(own.min(all) * (1.0 - 1e-9) <= got && got <= own.max(all) * (1.0 + 1e-9), "{got} not in {own}, {all}");
    }
}
