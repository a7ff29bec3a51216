use super::{Draw, Purpose, cumulative, nearest, whole};

fn draw() -> Draw {
    Draw::new(7, 3, Purpose::Usage)
}

#[test]
fn streams_depend_on_seed_account_and_purpose() {
    let first = |mut draw: Draw| draw.below(u32::MAX);
    let base = first(draw());
    assert_eq!(base, first(draw()));
    assert_ne!(base, first(Draw::new(8, 3, Purpose::Usage)));
    assert_ne!(base, first(Draw::new(7, 4, Purpose::Usage)));
    assert_ne!(base, first(Draw::new(7, 3, Purpose::Dirt)));
}

#[test]
fn negative_binomial_has_the_mean_and_variance_of_dispersion_two() {
    for mean in [0.2, 3.0, 60.0] {
        let mut draw = draw();
        let n = 20_000;
        let counts: Vec<f64> = (0..n)
            .map(|_| f64::from(draw.negative_binomial(mean)))
            .collect();
        let average = counts.iter().sum::<f64>() / f64::from(n);
        let variance = counts
            .iter()
            .map(|count| (count - average).powi(2))
            .sum::<f64>()
            / f64::from(n);
        let expected = mean + mean * mean / 2.0;
        // Five standard errors of the mean; the variance's own error is below 10 % at this size.
        assert!(
            (average - mean).abs() < 5.0 * (expected / f64::from(n)).sqrt(),
            "mean {average} for {mean}"
        );
        assert!(
            (variance / expected - 1.0).abs() < 0.1,
            "variance {variance} for {expected}"
        );
    }
}

#[test]
fn degenerate_means_draw_nothing() {
    let mut draw = draw();
    assert_eq!(draw.negative_binomial(0.0), 0);
    assert_eq!(draw.poisson(0.0), 0);
    assert_eq!(draw.below(0), 0);
    assert_eq!(draw.days(5, 5), 5);
}

#[test]
fn conversions_saturate() {
    assert_eq!(whole(-1.0), 0);
    assert_eq!(whole(f64::NAN), 0);
    assert_eq!(whole(1e12), u32::MAX);
    assert_eq!(nearest(2.5), 3);
}

#[test]
fn indexes_follow_their_weights_and_never_leave_them() {
    let mut draw = draw();
    let cumulative = cumulative([1.0, 0.0, 3.0]);
    let mut hits = [0; 3];
    for _ in 0..4_000 {
        hits[draw.index(&cumulative)] += 1;
    }
    assert_eq!(hits[1], 0);
    assert!((900..1_100).contains(&hits[0]), "{hits:?}");
}
