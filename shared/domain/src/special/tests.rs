//! Expected values: closed forms where a test says so, otherwise mpmath 1.4.1 (`loggamma`, `digamma`, `beta`, `hyp2f1`,
//! `quad`) evaluated with 50 digits at exactly the binary value of the argument.

use proptest::prelude::*;

use super::*;

fn check(what: &str, got: f64, expected: f64, relative: f64) {
    let error = (got - expected).abs() / expected.abs();
    assert!(
        error <= relative,
        "{what}: got {got:e}, expected {expected:e}, relative error {error:e}"
    );
}

#[test]
fn ln_gamma_and_digamma_agree_with_fifty_digit_values() {
    let rows = [
        (0.001, 6.907178885383853, -1000.5755719318103),
        (0.0078125, 4.847570775881665, -128.56443747297672),
        (0.25, 1.2880225246980774, -4.2274535333762655),
        (0.5, 0.5723649429247001, -1.9635100260214235),
        (0.9990234375, 0.0005644719118551234, -0.5788231932059208),
        (1.0009765625, -0.0005629031799912047, -0.5756104293406219),
        (1.5, -0.12078223763524522, 0.03648997397857652),
        (1.75, -0.08440112102048555, 0.24747245354686118),
        (1.9990234375, -0.0004125677359714894, 0.42215432390062857),
        (2.0009765625, 0.00041318279306425424, 0.42341396090328054),
        (2.5, 0.2846828704729192, 0.7031566406452432),
        (3.5, 1.2009736023470743, 1.103156640645243),
        (7.25, 7.0521854507385395, 1.910453526883736),
        (9.99, 12.779315214350193, 2.250700372831201),
        (10.01, 12.824350262448247, 2.2528037003181356),
        (42.5, 115.90007047041453, 3.7376932365000934),
        (171.5, 709.1431630309282, 5.141664981433999),
        (1234.5, 7550.550901077895, 7.118016231827998),
        (1_000_000.0, 12815504.569147611, 13.815510057964191),
    ];
    for (x, ln_gamma_x, digamma_x) in rows {
        check(&format!("ln_gamma({x})"), ln_gamma(x), ln_gamma_x, 1e-13);
        check(&format!("digamma({x})"), digamma(x), digamma_x, 2e-13);
    }
}

#[test]
fn ln_gamma_is_exactly_zero_at_one_and_two_and_undefined_left_of_zero() {
    assert!(ln_gamma(1.0).abs() == 0.0 && ln_gamma(2.0).abs() == 0.0);
    assert!(ln_gamma(0.0).is_nan() && ln_gamma(-0.5).is_nan() && ln_gamma(f64::NAN).is_nan());
}

#[test]
fn ln_gamma_gives_factorials_and_the_root_of_pi() {
    let mut factorial = 1.0_f64;
    for n in 1..=20_u32 {
        factorial *= f64::from(n);
        let got = ln_gamma(f64::from(n) + 1.0);
        assert!(
            (got - factorial.ln()).abs() <= 1e-13 * factorial.ln().max(1e-300),
            "ln {n}!"
        );
    }
    check(
        "Γ(1/2)",
        ln_gamma(0.5),
        0.5 * std::f64::consts::PI.ln(),
        1e-15,
    );
}

#[test]
fn ln_beta_agrees_with_fifty_digit_values() {
    let rows = [
        (0.5, 0.5, 1.1447298858494002),
        (0.793, 2.426, -0.5115692885937033),
        (0.001, 1_000_000.0, 6.893363375325389),
        (0.793, 500.0, -4.76914877284454),
        (12.5, 30.25, -25.99668406637252),
        (3.0, 1_000_000.0, -40.75338749333038),
        (100_000.0, 200_000.0, -190958.88527911686),
    ];
    for (p, q, expected) in rows {
        check(
            &format!("ln_beta({p}, {q})"),
            ln_beta(p, q),
            expected,
            1e-13,
        );
        check(
            &format!("ln_beta({q}, {p})"),
            ln_beta(q, p),
            expected,
            1e-13,
        );
    }
}

#[test]
fn hypergeometric_values_agree_with_fifty_digit_values() {
    let rows = [
        (0.243, 2.426, 2.219, 0.5, 1.2070970070440423),
        (0.243, 2.426, 2.219, 0.9464, 2.389387434408587),
        (2.243, 4.426, 4.219, 0.474, 4.574781444616262),
        (1.0, 2.0, 3.5, 0.9091, 2.696198047967105),
        (1.0, 1.281, 1.949, 0.995, 14.199824434317643),
        (0.5, 0.5, 1.0, 0.999999, 5.280157154762713), // c − a − b = 0: the logarithmic case
        (0.25, 1.75, 2.0, 0.9999, 3.612160360649929),
        (0.3, -0.2, 1.7, 0.99, 0.952304581509202),
        (-45.25, 1.5, 2.75, 0.97, 0.0058094729774442085), // alternating terms of 10¹¹
        (-0.6, 1.3, 301.5, 0.9999, 0.9974092406408572),
        (301.0, 2.5, 1.25, 0.3, 1.2702876547303592e+49),
        (1.0, 0.5, -0.4, 0.6, -4.837268959859154),
        (2.0, 3.0, 4.0, -5.0, 0.05399554547705336),
        (0.7, 1.2, 2.9, -0.4, 0.9022103688265698),
    ];
    for (a, b, c, z, expected) in rows {
        let f = Hypergeometric { a, b, c };
        check(&format!("{f:?} at {z}"), f.value(z), expected, 2e-12);
    }
}

#[test]
fn hypergeometric_integrals_agree_with_fifty_digit_quadrature() {
    let rows = [
        (0.9, 1.3, 2.2, 0.5, 0.5880859387892082),
        (2.976, 0.793, 3.219, 0.9464, 1.9511559379982442),
        (2.976, 0.793, 3.219, 0.99999, 2.8853125701648543),
        (-60.5, 0.8, 3.0, 0.9, 0.16857602594534468),
        (1.4, 1.0, 4.0, 0.8, 0.9579986711875823),
    ];
    for (a, b, c, z, expected) in rows {
        let f = Hypergeometric { a, b, c };
        check(
            &format!("integral of {f:?} to {z}"),
            f.integral(z),
            expected,
            1e-12,
        );
    }
}

#[test]
fn hypergeometric_function_is_undefined_from_one_on_and_at_poles_of_c() {
    let f = Hypergeometric {
        a: 1.0,
        b: 2.0,
        c: 3.0,
    };
    assert!(f.value(1.0).is_nan() && f.value(2.0).is_nan() && f.integral(-0.1).is_nan());
    assert!(Hypergeometric { c: -2.0, ..f }.value(0.5).is_nan());
    assert!((f.value(0.0) - 1.0).abs() < 1e-15 && f.integral(0.0).abs() < 1e-15);
}

#[test]
fn log_sum_exp_treats_minus_infinity_as_the_logarithm_of_zero() {
    check(
        "equal terms",
        log_sum_exp(-1e4, -1e4),
        2.0_f64.ln() - 1e4,
        1e-15,
    );
    check("far terms", log_sum_exp(700.0, -700.0), 700.0, 1e-15);
    check("one term", log_sum_exp(f64::NEG_INFINITY, 3.0), 3.0, 1e-15);
    assert!(log_sum_exp(f64::NEG_INFINITY, f64::NEG_INFINITY) < f64::MIN);
}

proptest! {
    /// Γ(x + 1) = x Γ(x), DLMF 5.5.1.
    #[test]
    fn ln_gamma_obeys_its_recurrence(x in 1e-3..1e4_f64) {
        let scale = ln_gamma(x + 1.0).abs().max(x.ln().abs()).max(1.0);
        prop_assert!((ln_gamma(x + 1.0) - ln_gamma(x) - x.ln()).abs() <= 1e-13 * scale);
    }

    /// 2F1(a, b; b; z) = (1 − z)^−a, DLMF 15.4.6: across the hand-over from series to steps. The error is relative to 1
    /// where the terms of a negative `a` cancel.
    #[test]
    fn hypergeometric_function_reduces_to_a_power(a in -20.0..20.0_f64, b in 0.1..40.0_f64, z in -3.0..0.9999_f64) {
        let got = Hypergeometric { a, b, c: b }.value(z);
        let expected = (-a * (-z).ln_1p()).exp();
        prop_assert!((got - expected).abs() <= 1e-10 * expected.max(1.0), "got {got:e}, expected {expected:e}");
    }

    /// Euler's transform, DLMF 15.8.1.
    #[test]
    fn hypergeometric_function_obeys_eulers_transform(a in 0.01..5.0_f64, b in 0.01..5.0_f64, c in 0.05..9.0_f64, z in 0.0..0.9999_f64) {
        let direct = Hypergeometric { a, b, c }.value(z);
        let factor = ((c - a - b) * (-z).ln_1p()).exp();
        let transformed = factor * Hypergeometric { a: c - a, b: c - b, c }.value(z);
        prop_assert!((direct - transformed).abs() <= 1e-8 * direct.abs().max(1e-3), "{direct:e} against {transformed:e}");
    }
}
