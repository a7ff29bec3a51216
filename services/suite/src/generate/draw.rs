//! Random draws of one account: seeded by what they are for, so no draw depends on another account or another purpose.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

#[cfg(test)]
mod tests;

/// What a stream of random numbers decides. Each purpose has a stream of its own: dirty and clean data tell the same story.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Who the account is and how its contract goes.
    Life = 1,
    /// Names, titles and other decoration.
    Appearance = 2,
    /// Events.
    Usage = 3,
    /// Flaws of the delivery.
    Dirt = 4,
}

/// A stream of draws: `ChaCha8` keyed by (seed, account index, purpose).
#[derive(Debug, Clone)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: u64, account: u32, purpose: Purpose) -> Self {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = seed.to_le_bytes();
        let [a0, a1, a2, a3] = account.to_le_bytes();
        let mut key = [0; 32];
        key[..13].copy_from_slice(&[
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7,
            a0,
            a1,
            a2,
            a3,
            purpose as u8,
        ]);
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1), with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform whole number below `bound`; 0 for a bound of 0. The bias is below `bound / 2^32`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (u64::from(self.0.next_u32()) * u64::from(bound)) >> 32;
        u32::try_from(scaled).unwrap_or(0)
    }

    /// Uniform number of days from `low` to `high`, both included.
    pub(crate) fn days(&mut self, low: i32, high: i32) -> i32 {
        let span = u32::try_from(high - low + 1).unwrap_or(0);
        low + i32::try_from(self.below(span)).unwrap_or(0)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Poisson; 0 for a mean that is not positive.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        Poisson::new(mean).map_or(0, |poisson| whole(poisson.sample(&mut self.0)))
    }

    /// Negative binomial with dispersion 2, that is variance `mean + mean² / 2`, by inversion from below: one draw, and
    /// about `mean` steps.
    pub(crate) fn negative_binomial(&mut self, mean: f64) -> u32 {
        let mut left = self.unit();
        let miss = 2.0 / (2.0 + mean);
        let hit = 1.0 - miss;
        let mut probability = miss * miss;
        let mut count = 0;
        // Below 1e-14 the tail is lost in the rounding of `left`.
        while left >= probability && (probability > 1e-14 || f64::from(count) < mean) {
            left -= probability;
            count += 1;
            probability *= hit * (f64::from(count) + 1.0) / f64::from(count);
        }
        count
    }

    /// One of the values, each as likely.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, values: &[T; N]) -> T {
        const { assert!(N > 0) };
        let index = self.below(u32::try_from(N).unwrap_or(u32::MAX));
        values[usize::try_from(index).unwrap_or(0)]
    }

    /// Index into a cumulative distribution whose last value is about 1.
    pub(crate) fn index(&mut self, cumulative: &[f64]) -> usize {
        let at = self.unit();
        cumulative
            .partition_point(|&edge| edge <= at)
            .min(cumulative.len().saturating_sub(1))
    }
}

/// The whole part; 0 below 0 and for NaN, `u32::MAX` above it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is the documented meaning"
)]
pub(crate) fn whole(value: f64) -> u32 {
    value as u32
}

/// The nearest whole number, for amounts far below 2^53.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates; amounts are far from the limit"
)]
pub(crate) fn nearest(value: f64) -> i64 {
    value.round() as i64
}

/// Running sums of weights, divided by their total.
pub(crate) fn cumulative<const N: usize>(weights: [f64; N]) -> [f64; N] {
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    weights.map(|weight| {
        sum += weight / total;
        sum
    })
}

/// `1 / (1 + e^-x)`.
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
