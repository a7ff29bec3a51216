use super::*;

const STARTS: [[f64; 2]; 3] = [[-1.2, 1.0], [0.0, 0.0], [2.0, -1.0]];

/// Rosenbrock's valley: minimum 0 at (1, 1).
fn rosenbrock(p: &[f64; 2]) -> Evaluation<2> {
    let [x, y] = *p;
    let bend = y - x * x;
    Evaluation {
        value: 100.0 * bend * bend + (1.0 - x).powi(2),
        gradient: [-400.0 * x * bend - 2.0 * (1.0 - x), 200.0 * bend],
    }
}

#[test]
fn a_curved_valley_is_followed_to_its_end() {
    let agreed = minimize_from(rosenbrock, &STARTS, &Settings::default()).unwrap();
    let minimum = agreed.minimum;
    assert!(
        (minimum.at[0] - 1.0).abs() < 1e-7 && (minimum.at[1] - 1.0).abs() < 1e-7,
        "{minimum:?}"
    );
    assert!(
        minimum.gradient_norm <= 1e-8 && minimum.iterations < 60,
        "{minimum:?}"
    );
    // The Hessian at (1, 1) is [[802, −400], [−400, 200]], its inverse [[0.5, 1], [1, 2.005]].
    let expected = [[0.5, 1.0], [1.0, 2.005]];
    for (got, expected) in agreed
        .inverse_hessian
        .iter()
        .flatten()
        .zip(expected.iter().flatten())
    {
        assert!(
            (got - expected).abs() < 1e-3 * expected,
            "got {got}, expected {expected}"
        );
    }
}

#[test]
fn two_valleys_are_a_disagreement() {
    // (x² − 1)² has minima at −1 and 1.
    let wells = |p: &[f64; 1]| Evaluation {
        value: (p[0] * p[0] - 1.0).powi(2),
        gradient: [4.0 * p[0] * (p[0] * p[0] - 1.0)],
    };
    let failure = minimize_from(wells, &[[-1.7], [0.5], [1.7]], &Settings::default()).unwrap_err();
    let Failure::StartsDisagree {
        parameter: 0,
        spread,
    } = failure
    else {
        panic!("{failure:?}")
    };
    assert!((spread - 2.0).abs() < 1e-6);
}

#[test]
fn a_minimum_at_infinity_is_never_an_answer() {
    let slope = |p: &[f64; 1]| Evaluation {
        value: -p[0],
        gradient: [-1.0],
    };
    assert_eq!(
        minimize(slope, [0.0], &Settings::default()),
        Err(Failure::RanAway { parameter: 0 })
    );
    // e⁻ˣ: the gradient becomes small, but every start stops somewhere else.
    let vanishing = |p: &[f64; 1]| Evaluation {
        value: (-p[0]).exp(),
        gradient: [-(-p[0]).exp()],
    };
    let failure =
        minimize_from(vanishing, &[[0.0], [1.0], [-3.0]], &Settings::default()).unwrap_err();
    assert!(
        matches!(
            failure,
            Failure::StartsDisagree { .. } | Failure::RanAway { .. }
        ),
        "{failure:?}"
    );
}

#[test]
fn a_direction_without_curvature_is_not_identified() {
    let trough = |p: &[f64; 2]| Evaluation {
        value: p[0] * p[0],
        gradient: [2.0 * p[0], 0.0],
    };
    let failure = minimize_from(
        trough,
        &[[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]],
        &Settings::default(),
    )
    .unwrap_err();
    assert_eq!(failure, Failure::Flat);
}

#[test]
fn an_undefined_start_is_refused_and_an_undefined_region_avoided() {
    // x − ln x, defined right of 0 only: minimum 1 at 1.
    let barrier = |p: &[f64; 1]| Evaluation {
        value: p[0] - p[0].ln(),
        gradient: [1.0 - 1.0 / p[0]],
    };
    assert_eq!(
        minimize(barrier, [-1.0], &Settings::default()),
        Err(Failure::StartNotFinite)
    );
    let minimum = minimize(barrier, [3.0], &Settings::default()).unwrap();
    assert!((minimum.at[0] - 1.0).abs() < 1e-8);
}

#[test]
fn a_gradient_that_contradicts_the_values_is_reported() {
    let lying = |p: &[f64; 1]| Evaluation {
        value: p[0] * p[0],
        gradient: [1.0],
    };
    let failure = minimize(lying, [0.3], &Settings::default()).unwrap_err();
    let Failure::NotConverged { gradient_norm, .. } = failure else {
        panic!("{failure:?}")
    };
    assert!((gradient_norm - 1.0).abs() < 1e-12);
}

#[test]
fn the_simplex_alone_comes_close_to_the_minimum() {
    let found = simplex_search(|p| rosenbrock(p).value, [-1.2, 1.0]);
    assert!(
        (found[0] - 1.0).abs() < 1e-4 && (found[1] - 1.0).abs() < 1e-4,
        "{found:?}"
    );
}

#[test]
fn running_out_of_steps_is_told_with_the_gradient_that_remains() {
    let settings = Settings {
        max_iterations: 1,
        ..Settings::default()
    };
    // Raised by 1, the simplex cannot resolve the minimum to the last bit.
    let raised = |p: &[f64; 2]| Evaluation {
        value: 1.0 + rosenbrock(p).value,
        ..rosenbrock(p)
    };
    let failure = minimize(raised, [-1.2, 1.0], &settings).unwrap_err();
    let Failure::NotConverged {
        gradient_norm,
        iterations: 1,
    } = failure
    else {
        panic!("{failure:?}")
    };
    assert!(gradient_norm > settings.gradient_tolerance);
}

#[test]
fn failures_read_as_sentences_without_the_cause_of_the_caller() {
    let text = Failure::NotConverged {
        gradient_norm: 0.25,
        iterations: 7,
    }
    .to_string();
    assert_eq!(text, "gradient is still 2.5e-1 after 7 steps");
}

#[test]
fn a_minimum_below_the_rounding_of_the_function_is_still_reached() {
    // Values rounded to 1e-12, as a sum over many accounts is; the gradient is exact.
    let rough = |p: &[f64; 2]| Evaluation {
        value: (rosenbrock(p).value * 1e12).round() / 1e12 + 1.0,
        ..rosenbrock(p)
    };
    let agreed = minimize_from(rough, &STARTS, &Settings::default()).unwrap();
    assert!((agreed.minimum.at[0] - 1.0).abs() < 1e-7, "{agreed:?}");
}
