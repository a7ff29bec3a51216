//! Quantiles of type 7 (Hyndman & Fan 1996, "Sample Quantiles in Statistical Packages"): the default of R and NumPy.

#[cfg(test)]
mod tests;

/// The type-7 quantile of ascending `sorted` values at probability `p`: linear interpolation between the order
/// statistics around index (n − 1) p, counted from 0. `None` if there are no values or `p` is outside 0 … 1.
///
/// Like R, an index within 4 ulp of a whole number is that whole number, so that 0.2 × 15 hits the fourth value.
///
/// ```
/// use sextant_domain::quantile::type_7;
///
/// assert_eq!(type_7(&[1.0, 2.0, 4.0, 8.0], 0.5), Some(3.0));
/// assert_eq!(type_7(&[], 0.5), None);
/// ```
#[must_use]
pub fn type_7(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    let index = to_f64(last) * p;
    let nearest = index.round();
    let below = if (index - nearest).abs() <= 4.0 * f64::EPSILON * nearest.max(1.0) {
        nearest
    } else {
        index.floor()
    };
    interpolate(sorted, to_index(below), (index - below).max(0.0))
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number between 0 and a slice's length"
)]
fn to_index(whole: f64) -> usize {
    whole as usize
}
