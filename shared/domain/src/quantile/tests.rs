use proptest::prelude::*;

use super::*;

/// 1, 3, 4, 10, 11, 20: the quantiles below are those of `quantile` in R 4.
const VALUES: [f64; 6] = [1.0, 3.0, 4.0, 10.0, 11.0, 20.0];

#[test]
fn quintiles_agree_with_the_default_of_r() {
    // quantile(c(1, 3, 4, 10, 11, 20), c(.2, .4, .6, .8)); moved by 5, c(.25, .45, .65, .85).
    assert_eq!(quintiles(&VALUES, 0), Some([3.0, 4.0, 10.0, 11.0]));
    assert_eq!(quintiles(&VALUES, 5), Some([3.25, 5.5, 10.25, 13.25]));
}

#[test]
fn percentiles_agree_with_type_1_of_r() {
    // quantile(c(1, 3, 4, 10, 11, 20), p, type = 1)
    let cuts = percentiles(&VALUES);
    assert_eq!(cuts.len(), 100);
    for (percent, expected) in [
        (1, 1.0),
        (16, 1.0),
        (17, 3.0),
        (33, 3.0),
        (34, 4.0),
        (50, 4.0),
        (51, 10.0),
        (83, 11.0),
        (84, 20.0),
        (100, 20.0),
    ] {
        assert_eq!(
            cuts[percent - 1].to_bits(),
            f64::to_bits(expected),
            "{percent} %"
        );
    }
}

#[test]
fn one_value_is_every_quantile_and_no_value_has_none() {
    assert_eq!(quintiles(&[7.0], 0), Some([7.0; 4]));
    assert_eq!(percentiles(&[7.0]), [7.0; 100]);
    assert_eq!(quintiles(&[], 0), None);
    assert_eq!(percentiles(&[]), [0.0; 0]);
}

/// Type 7 as it is defined: linear interpolation through the points (i / (n − 1), i-th value), i counted from 0.
fn type_7(sorted: &[f64], p: f64) -> f64 {
    let last = sorted.len() - 1;
    let below = (1..=last).filter(|i| *i as f64 / last as f64 <= p).count();
    let upper = sorted[(below + 1).min(last)];
    sorted[below] + (last as f64 * p - below as f64) * (upper - sorted[below])
}

proptest! {
    #[test]
    fn quintiles_are_the_type_7_quantiles_in_ascending_order(mut values in prop::collection::vec(-1e6..1e6_f64, 1..200)) {
        values.sort_unstable_by(f64::total_cmp);
        let cuts = quintiles(&values, 0).unwrap();
        for (cut, p) in cuts.iter().zip([0.2, 0.4, 0.6, 0.8]) {
            prop_assert!((cut - type_7(&values, p)).abs() <= 1e-6);
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
