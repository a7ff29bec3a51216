//! Vectors and matrices of a few rows.

/// Inverse by Gauss–Jordan elimination; `None` as soon as a pivot shows that the matrix is not positive definite.
pub(super) fn invert_positive_definite<const N: usize>(
    matrix: &[[f64; N]; N],
) -> Option<[[f64; N]; N]> {
    const SMALLEST_PIVOT: f64 = 1e-10;
    let mut left = *matrix;
    let mut right = identity::<N>();
    for pivot in 0..N {
        let scale = left[pivot][pivot];
        if scale.is_nan() || scale <= SMALLEST_PIVOT {
            return None;
        }
        left[pivot]
            .iter_mut()
            .chain(&mut right[pivot])
            .for_each(|cell| *cell /= scale);
        let (pivot_left, pivot_right) = (left[pivot], right[pivot]);
        for row in (0..N).filter(|row| *row != pivot) {
            let factor = left[row][pivot];
            for column in 0..N {
                left[row][column] -= factor * pivot_left[column];
                right[row][column] -= factor * pivot_right[column];
            }
        }
    }
    Some(right)
}

pub(super) fn identity<const N: usize>() -> [[f64; N]; N] {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }))
}

pub(super) fn dot<const N: usize>(left: &[f64; N], right: &[f64; N]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

pub(super) fn difference<const N: usize>(left: &[f64; N], right: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| left[i] - right[i])
}

pub(super) fn negated_product<const N: usize>(
    matrix: &[[f64; N]; N],
    vector: &[f64; N],
) -> [f64; N] {
    std::array::from_fn(|i| -dot(&matrix[i], vector))
}

pub(super) fn largest_difference<const N: usize>(
    left: &[f64; N],
    right: &[f64; N],
) -> (usize, f64) {
    let gaps = difference(left, right).map(f64::abs);
    gaps.into_iter().enumerate().fold(
        (0, 0.0),
        |most, gap| if gap.1 > most.1 { gap } else { most },
    )
}
