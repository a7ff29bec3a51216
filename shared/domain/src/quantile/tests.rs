use proptest::prelude::*;

use super::*;

#[test]
fn quantiles_agree_with_the_default_of_r() {
    // quantile(c(1, 3, 4, 10, 11, 20), c(0, .2, .25, .4, .5, .6, .8, 1)) in R 4.
    let values = [1.0, 3.0, 4.0, 10.0, 11.0, 20.0];
    let rows = [
        (0.0, 1.0),
        (0.2, 3.0),
        (0.25, 3.25),
        (0.4, 4.0),
        (0.5, 7.0),
        (0.6, 10.0),
        (0.8, 11.0),
        (1.0, 20.0),
    ];
    for (p, expected) in rows {
        let got = type_7(&values, p).unwrap();
        assert!(
            (got - expected).abs() < 1e-12,
            "p = {p}: got {got}, expected {expected}"
        );
    }
    assert_eq!(quintiles(&values, 0), Some([3.0, 4.0, 10.0, 11.0]));
}

#[test]
fn one_value_is_every_quantile_and_no_value_has_none() {
    assert_eq!(quintiles(&[7.0], 0), Some([7.0; 4]));
    assert_eq!(type_7(&[7.0], 1.0), Some(7.0));
    assert_eq!(quintiles(&[], 0), None);
    assert_eq!(type_7(&[7.0], 1.5), None);
    assert_eq!(type_7(&[7.0], f64::NAN), None);
}

proptest! {
    #[test]
    fn quintiles_are_the_type_7_quantiles_in_ascending_order(mut values in prop::collection::vec(-1e6..1e6_f64, 1..200)) {
        values.sort_unstable_by(f64::total_cmp);
        let cuts = quintiles(&values, 0).unwrap();
        for (cut, p) in cuts.iter().zip([0.2, 0.4, 0.6, 0.8]) {
            prop_assert!((cut - type_7(&values, p).unwrap()).abs() <= 1e-6);
        }
        prop_assert!(cuts.is_sorted());
    }

    #[test]
    fn a_constant_sample_has_exactly_that_quantile(value in -1e9..1e9_f64, n in 1_usize..100) {
        let cuts = quintiles(&vec![value; n], 0).unwrap();
        prop_assert!(cuts.iter().all(|cut| cut.to_bits() == value.to_bits()));
    }
}

#[test]
fn moved_quintiles_are_the_quantiles_beside_them() {
    let values: Vec<f64> = (0..=100).map(f64::from).collect();
    assert_eq!(quintiles(&values, -2), Some([18.0, 38.0, 58.0, 78.0]));
    assert_eq!(quintiles(&values, 2), Some([22.0, 42.0, 62.0, 82.0]));
    assert_eq!(quintiles(&values, 100), Some([100.0; 4]));
}
