//! The Nelder–Mead simplex: slow, but it needs no gradient and walks out of places where the line search is stuck.

/// Nelder–Mead with the usual coefficients (reflection 1, expansion 2, contraction and shrinking ½). `N + 1` corners,
/// the best of which is the answer.
pub(super) fn simplex_search<const N: usize>(
    value: impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
) -> [f64; N] {
    const ITERATIONS: usize = 1000;
    let measured = |point: [f64; N]| {
        let height = value(&point);
        (
            if height.is_nan() {
                f64::INFINITY
            } else {
                height
            },
            point,
        )
    };
    let mut corners: Vec<(f64, [f64; N])> = Vec::with_capacity(N + 1);
    corners.push(measured(start));
    for i in 0..N {
        let mut corner = start;
        corner[i] += 0.5;
        corners.push(measured(corner));
    }
    for _ in 0..ITERATIONS {
        corners.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (best, second_worst, worst) = (corners[0], corners[N - 1], corners[N]);
        if worst.0 - best.0 <= f64::EPSILON * best.0.abs() {
            break;
        }
        let centre: [f64; N] = std::array::from_fn(|i| {
            corners[..N].iter().map(|corner| corner.1[i]).sum::<f64>() / count(N)
        });
        let along = |share: f64| {
            measured(std::array::from_fn(|i| {
                centre[i] + share * (worst.1[i] - centre[i])
            }))
        };
        let reflected = along(-1.0);
        let candidate = if reflected.0 < best.0 {
            let expanded = along(-2.0);
            if expanded.0 < reflected.0 {
                expanded
            } else {
                reflected
            }
        } else if reflected.0 < second_worst.0 {
            reflected
        } else {
            along(if reflected.0 < worst.0 { -0.5 } else { 0.5 })
        };
        if candidate.0 < worst.0 {
            corners[N] = candidate;
            continue;
        }
        for corner in &mut corners[1..] {
            *corner = measured(std::array::from_fn(|i| {
                f64::midpoint(best.1[i], corner.1[i])
            }));
        }
    }
    corners
        .iter()
        .min_by(|left, right| left.0.total_cmp(&right.0))
        .map_or(start, |corner| corner.1)
}

fn count(n: usize) -> f64 {
    n as f64
}
