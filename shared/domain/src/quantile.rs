//! Quintiles of type 7, the default of R and NumPy, and percentiles of type 1, which are values that occur (Hyndman & Fan
//! 1996, "Sample Quantiles in Statistical Packages").

#[cfg(test)]
mod tests;

/// The type-1 quantiles at 1 … 100 % of ascending `sorted` values: at p %, the least value that at least p % of the values
/// do not exceed. None if there are no values.
///
/// Of any number, as many of them lie below it as whole percents of the values do: p % of n values lie below a number if
/// and only if the ⌈p n / 100⌉-th value does, which is the quantile at p %. The ranks are computed in whole numbers.
///
/// ```
/// use sextant_domain::quantile::percentiles;
///
/// let cuts = percentiles(&[1.0, 2.0, 2.0, 5.0, 9.0]);
/// let below = |number: f64| cuts.partition_point(|cut| *cut < number);
/// assert_eq!([0.5, 1.0, 2.0, 4.0, 9.0, 9.5].map(below), [0, 0, 20, 60, 80, 100]);
/// ```
#[must_use]
pub fn percentiles(sorted: &[f64]) -> Vec<f64> {
    (1..=100)
        .filter_map(|percent| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.checked_sub(1)?).copied()
        })
        .collect()
}

/// The type-7 quantiles at 20, 40, 60 and 80 % of ascending `sorted` values, each moved by `shift_percent`; `None` if there
/// are none. The indices are computed in whole numbers: no rounding decides which value is a threshold.
#[must_use]
pub fn quintiles(sorted: &[f64], shift_percent: i8) -> Option<[f64; 4]> {
    let last = sorted.len().checked_sub(1)?;
    let mut cuts = [0.0; 4];
    for (cut, percent) in cuts.iter_mut().zip(quintile_percents(shift_percent)) {
        let position = last * percent;
        *cut = interpolate(sorted, position / 100, to_f64(position % 100) / 100.0)?;
    }
    Some(cuts)
}

/// 20, 40, 60 and 80 percent, each moved by `shift_percent`, within 0 … 100.
#[must_use]
pub fn quintile_percents(shift_percent: i8) -> [usize; 4] {
    [20_i16, 40, 60, 80].map(|percent| {
        let moved = (percent + i16::from(shift_percent)).clamp(0, 100);
        usize::from(moved.unsigned_abs())
    })
}

/// `lower + share × (upper − lower)`, which is exactly the common value if both are equal.
fn interpolate(sorted: &[f64], below: usize, share: f64) -> Option<f64> {
    let lower = *sorted.get(below)?;
    let upper = *sorted.get(below + 1).unwrap_or(&lower);
    Some(lower + share * (upper - lower))
}

fn to_f64(index: usize) -> f64 {
    index as f64
}
