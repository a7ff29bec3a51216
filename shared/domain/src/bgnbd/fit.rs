//! Maximum likelihood for [`Params`].

use super::{Error, History, MIN_REPEATERS, Params, Weeks};
use crate::optimize::{Agreed, Evaluation, Settings, minimize_from};
use crate::special::{digamma, ln_beta, ln_gamma, log_sum_exp};

/// A fit that can be trusted: the gradient vanishes, three starts agree, the parameters are identified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Maximum-likelihood parameters.
    pub params: Params,
    /// Sum of the log-likelihoods at the maximum, time in weeks.
    pub log_likelihood: f64,
    /// Accounts fitted.
    pub accounts: u64,
    /// Of these, accounts with a repeat purchase.
    pub repeaters: u64,
    /// Covariance of ln r, ln alpha, ln a, ln b.
    pub covariance: [[f64; 4]; 4],
    /// Largest absolute derivative of the mean log-likelihood with respect to a logarithm of a parameter.
    pub gradient_norm: f64,
    /// Steps of the descent.
    pub iterations: u32,
}

/// Where a fit begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Three points spread over the usual range of parameters.
    Cold,
    /// The parameters of an earlier fit, and two of the three points: a warm start must still agree with cold ones.
    Warm(Params),
}

/// Fits the model by maximum likelihood. Order of the histories has no influence on the answer, bit by bit.
///
/// # Errors
/// Fewer than [`MIN_REPEATERS`] accounts bought again, nothing was observed, or the maximum cannot be trusted.
pub fn fit(histories: &[History], start: Start) -> Result<Fit, Error> {
    let sample = Sample::group(histories);
    if sample.repeaters < MIN_REPEATERS {
        return Err(Error::TooFewRepeaters {
            repeaters: sample.repeaters,
        });
    }
    if sample.scale <= 0.0 {
        return Err(Error::NothingObserved);
    }
    let mut starts = [
        [0.0, 0.0, 0.0, 0.0],
        [-1.5, -2.0, -0.5, 1.0],
        [0.5, 0.5, -1.5, 0.5],
    ];
    if let Start::Warm(params) = start {
        starts[0] = [params.r, params.alpha.0 / sample.scale, params.a, params.b].map(f64::ln);
    }
    let agreed = minimize_from(
        |point| sample.evaluate(point),
        &starts,
        &Settings::default(),
    )
    .map_err(Error::NotTrusted)?;
    sample.accept(&agreed)
}

/// Histories that are equal are computed once. Times are divided by the mean observation, which brings all parameters to
/// order 1 before the optimiser sees them.
struct Sample {
    patterns: Vec<Pattern>,
    /// Number of accounts by repeat purchases, ascending.
    counts: Vec<(f64, f64)>,
    scale: f64,
    accounts: u64,
    repeaters: u64,
}

struct Pattern {
    weight: f64,
    x: f64,
    last: f64,
    observed: f64,
}

impl Sample {
    fn group(histories: &[History]) -> Self {
        let mut sorted = histories.to_vec();
        let key = |h: &History| (h.repeats, h.last.0.to_bits(), h.observed.0.to_bits());
        sorted.sort_unstable_by_key(key);
        let total: f64 = sorted.iter().map(|history| history.observed.0).sum();
        let scale = total / sorted.len().max(1) as f64;
        let mut sample = Self {
            patterns: Vec::new(),
            counts: Vec::new(),
            scale,
            accounts: sorted.len() as u64,
            repeaters: 0,
        };
        for equal in sorted.chunk_by(|left, right| key(left) == key(right)) {
            let (history, weight) = (equal[0], equal.len() as f64);
            let x = f64::from(history.repeats);
            let (last, observed) = (history.last.0 / scale, history.observed.0 / scale);
            sample.patterns.push(Pattern {
                weight,
                x,
                last,
                observed,
            });
            match sample.counts.last_mut() {
                Some((repeats, accounts)) if (*repeats - x).abs() < 0.5 => *accounts += weight,
                _ => sample.counts.push((x, weight)),
            }
            if history.repeats > 0 {
                sample.repeaters += equal.len() as u64;
            }
        }
        sample
    }

    /// Mean negative log-likelihood in scaled time, and its derivatives with respect to ln r, ln alpha, ln a, ln b.
    fn evaluate(&self, point: &[f64; 4]) -> Evaluation<4> {
        let [r, alpha, a, b] = point.map(f64::exp);
        let mut value = 0.0;
        let mut slope = [0.0; 4];
        self.add_counts([r, a, b], &mut value, &mut slope);
        for pattern in &self.patterns {
            let Pattern { weight, x, .. } = *pattern;
            let (ln_end, ln_last) = ((alpha + pattern.observed).ln(), (alpha + pattern.last).ln());
            let active = -(r + x) * ln_end;
            let (both, gone_share) = if x > 0.0 {
                let gone = a.ln() - (b + x - 1.0).ln() - (r + x) * ln_last;
                let both = log_sum_exp(active, gone);
                (both, (gone - both).exp())
            } else {
                (active, 0.0)
            };
            let active_share = 1.0 - gone_share;
            value += weight * (both + r * point[1]);
            slope[0] += weight * (point[1] - active_share * ln_end - gone_share * ln_last);
            let decay =
                active_share / (alpha + pattern.observed) + gone_share / (alpha + pattern.last);
            slope[1] += weight * (r / alpha - (r + x) * decay);
            if x > 0.0 {
                slope[2] += weight * gone_share / a;
                slope[3] -= weight * gone_share / (b + x - 1.0);
            }
        }
        let n = -(self.accounts as f64);
        Evaluation {
            value: value / n,
            gradient: [
                slope[0] * r / n,
                slope[1] * alpha / n,
                slope[2] * a / n,
                slope[3] * b / n,
            ],
        }
    }

    /// The part of the log-likelihood that depends on the number of purchases only.
    fn add_counts(&self, [r, a, b]: [f64; 3], value: &mut f64, slope: &mut [f64; 4]) {
        let (ln_gamma_r, ln_beta_ab) = (ln_gamma(r), ln_beta(a, b));
        let (digamma_r, digamma_b, digamma_ab) = (digamma(r), digamma(b), digamma(a + b));
        for (x, accounts) in &self.counts {
            let digamma_abx = digamma(a + b + x);
            *value += accounts * (ln_gamma(r + x) - ln_gamma_r + ln_beta(a, b + x) - ln_beta_ab);
            slope[0] += accounts * (digamma(r + x) - digamma_r);
            slope[2] += accounts * (digamma_ab - digamma_abx);
            slope[3] += accounts * (digamma(b + x) - digamma_b + digamma_ab - digamma_abx);
        }
    }

    fn accept(&self, agreed: &Agreed<4>) -> Result<Fit, Error> {
        let [r, alpha, a, b] = agreed.minimum.at.map(f64::exp);
        let n = self.accounts as f64;
        // A density per unit of time: in weeks each purchase contributes a factor 1 / scale.
        let purchases: f64 = self.counts.iter().map(|(x, accounts)| x * accounts).sum();
        Ok(Fit {
            params: Params::new(r, Weeks(alpha * self.scale), a, b)?,
            log_likelihood: -agreed.minimum.value * n - purchases * self.scale.ln(),
            accounts: self.accounts,
            repeaters: self.repeaters,
            covariance: agreed.inverse_hessian.map(|row| row.map(|cell| cell / n)),
            gradient_norm: agreed.minimum.gradient_norm,
            iterations: agreed.minimum.iterations,
        })
    }
}
