//! Gamma-Gamma: what an account's purchases are worth on average.
//!
//! Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value". Each purchase of an account is gamma distributed around
//! the account's own mean (shape `p`), and these means differ between accounts (inverse gamma: `q`, `gamma`). Needs purchase
//! values that do not depend on how often an account buys.

use std::fmt;

use crate::optimize::{Agreed, Evaluation, Failure, Settings, minimize_from};
use crate::special::{digamma, ln_gamma};

#[cfg(test)]
mod tests;

/// Fewer accounts with a repeat purchase do not identify three parameters; such a fit is refused. Ours, not published.
pub const MIN_REPEATERS: u64 = 30;

/// From this absolute correlation on, number and value of purchases count as dependent. Ours, not published.
pub const DEPENDENT_FROM: f64 = 0.3;

/// Why a model cannot be built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Error {
    /// The mean value of repeat purchases is not a positive number, or there was none.
    SpendNotPositive {
        /// Repeat purchases.
        repeats: u32,
        /// Their mean value, in minor units.
        mean_minor: f64,
    },
    /// A parameter of the model is not a positive number.
    ParameterNotPositive {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        value: f64,
    },
    /// The mean over all accounts is infinite: q must be above 1.
    MeanInfinite {
        /// The parameter q.
        q: f64,
    },
    /// Too few accounts bought again.
    TooFewRepeaters {
        /// Accounts with at least one repeat purchase.
        repeaters: u64,
    },
    /// The likelihood has no maximum to trust. Parameters are numbered p, q, gamma.
    NotTrusted(Failure),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpendNotPositive {
                repeats,
                mean_minor,
            } => {
                write!(
                    f,
                    "{repeats} repeat purchases of {mean_minor} minor units on average: needs at least one, of a positive value"
                )
            },
            Self::ParameterNotPositive { parameter, value } => {
                write!(
                    f,
                    "parameter {parameter} is {value}, it must be a positive number"
                )
            },
            Self::MeanInfinite { q } => write!(
                f,
                "parameter q is {q}, it must be above 1 for a mean value to exist"
            ),
            Self::TooFewRepeaters { repeaters } => {
                write!(
                    f,
                    "{repeaters} accounts bought again, a fit needs at least {MIN_REPEATERS}"
                )
            },
            Self::NotTrusted(_) => write!(f, "likelihood has no maximum that can be trusted"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotTrusted(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The repeat purchases of one account: how many (x ≥ 1) and their mean value (z > 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spend {
    repeats: u32,
    mean_minor: f64,
}

impl Spend {
    /// `repeats` purchases after the first one, worth `mean_minor` each on average, in minor units of one currency.
    /// An account without a repeat purchase has no `Spend`.
    ///
    /// # Errors
    /// `repeats` is 0, or `mean_minor` is not a positive finite number.
    pub fn new(repeats: u32, mean_minor: f64) -> Result<Self, Error> {
        if repeats == 0 || !mean_minor.is_finite() || mean_minor <= 0.0 {
            return Err(Error::SpendNotPositive {
                repeats,
                mean_minor,
            });
        }
        Ok(Self {
            repeats,
            mean_minor,
        })
    }

    /// Repeat purchases.
    #[must_use]
    pub fn repeats(&self) -> u32 {
        self.repeats
    }

    /// Their mean value, in minor units.
    #[must_use]
    pub fn mean_minor(&self) -> f64 {
        self.mean_minor
    }
}

/// Parameters of the model, all positive, `q` above 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    p: f64,
    q: f64,
    gamma_minor: f64,
}

impl Params {
    /// Parameters that are known already. `p` and `q` have no unit, `gamma_minor` is in minor units of the currency.
    ///
    /// # Errors
    /// One is not a positive finite number, or `q` ≤ 1.
    pub fn new(p: f64, q: f64, gamma_minor: f64) -> Result<Self, Error> {
        for (parameter, value) in [("p", p), ("q", q), ("gamma", gamma_minor)] {
            if !value.is_finite() || value <= 0.0 {
                return Err(Error::ParameterNotPositive { parameter, value });
            }
        }
        if q <= 1.0 {
            return Err(Error::MeanInfinite { q });
        }
        Ok(Self { p, q, gamma_minor })
    }

    /// Shape of the purchases around an account's own mean.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Shape of the accounts' means.
    #[must_use]
    pub fn q(&self) -> f64 {
        self.q
    }

    /// Scale of the accounts' means, in minor units.
    #[must_use]
    pub fn gamma_minor(&self) -> f64 {
        self.gamma_minor
    }

    /// Logarithm of the likelihood of one account's mean value (equation 1a of the paper), values in minor units.
    #[must_use]
    pub fn ln_likelihood(&self, spend: &Spend) -> f64 {
        let (p, q, x, z) = (self.p, self.q, f64::from(spend.repeats), spend.mean_minor);
        ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q)
            + q * self.gamma_minor.ln()
            + (p * x - 1.0) * z.ln()
            + p * x * x.ln()
            - (p * x + q) * (self.gamma_minor + x * z).ln()
    }

    /// E[M | x, z] in minor units: the account's own mean, shrunk towards the mean of all accounts the more the fewer
    /// purchases it is based on (equation 5). Without a repeat purchase, the mean of all accounts, p gamma / (q − 1).
    ///
    /// ```
    /// use sextant_domain::gamma_gamma::{Params, Spend};
    ///
    /// let params = Params::new(6.25, 3.74, 1544.0)?;
    /// let two_purchases = Spend::new(2, 2235.0)?;
    /// assert!((params.expected_value(Some(&two_purchases)) - 2466.4).abs() < 1.0);
    /// assert!((params.expected_value(None) - 3522.0).abs() < 1.0);
    /// # Ok::<(), sextant_domain::gamma_gamma::Error>(())
    /// ```
    #[must_use]
    pub fn expected_value(&self, spend: Option<&Spend>) -> f64 {
        let (x, z) = spend.map_or((0.0, 0.0), |spend| {
            (f64::from(spend.repeats), spend.mean_minor)
        });
        self.p * (self.gamma_minor + x * z) / (self.p * x + self.q - 1.0)
    }
}

/// Something that a reader of a fit must know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// Accounts that buy more often spend another amount per purchase: the model's assumption does not hold.
    CountAndValueDepend {
        /// Correlation of number and mean value of repeat purchases, absolutely at least [`DEPENDENT_FROM`].
        correlation: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountAndValueDepend { correlation } => {
                write!(
                    f,
                    "number and value of purchases correlate by {correlation:.3}, values below {DEPENDENT_FROM} are assumed"
                )
            },
        }
    }
}

/// Pearson's correlation of number and mean value of repeat purchases. `None` if one of them does not vary.
#[must_use]
pub fn correlation(spends: &[Spend]) -> Option<f64> {
    let n = spends.len() as f64;
    let mean = |of: fn(&Spend) -> f64| spends.iter().map(of).sum::<f64>() / n;
    let count = |spend: &Spend| f64::from(spend.repeats);
    let (mean_count, mean_value) = (mean(count), mean(Spend::mean_minor));
    let (mut counts, mut values, mut both) = (0.0, 0.0, 0.0);
    for spend in spends {
        let (c, v) = (count(spend) - mean_count, spend.mean_minor - mean_value);
        counts += c * c;
        values += v * v;
        both += c * v;
    }
    let spread = (counts * values).sqrt();
    (spread > 0.0).then(|| both / spread)
}

/// A fit that can be trusted: the gradient vanishes, three starts agree, the parameters are identified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Maximum-likelihood parameters.
    pub params: Params,
    /// Sum of the log-likelihoods at the maximum, values in minor units.
    pub log_likelihood: f64,
    /// Accounts fitted; all have a repeat purchase.
    pub accounts: u64,
    /// Covariance of ln p, ln q, ln gamma.
    pub covariance: [[f64; 3]; 3],
    /// Correlation of number and mean value of purchases, if both vary.
    pub correlation: Option<f64>,
    /// What a reader must know.
    pub warning: Option<Warning>,
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

/// Fits the model by maximum likelihood. Order of the accounts has no influence on the answer, bit by bit.
///
/// # Errors
/// Fewer than [`MIN_REPEATERS`] accounts, a mean that does not exist, or a maximum that cannot be trusted.
pub fn fit(spends: &[Spend], start: Start) -> Result<Fit, Error> {
    let sample = Sample::group(spends);
    let repeaters = sample.spends.len() as u64;
    if repeaters < MIN_REPEATERS {
        return Err(Error::TooFewRepeaters { repeaters });
    }
    let mut starts = [[1.0, 1.0, 0.0], [0.0, 0.7, 0.5], [2.0, 1.5, -0.5]];
    if let Start::Warm(params) = start {
        starts[0] = [params.p, params.q, params.gamma_minor / sample.scale].map(f64::ln);
    }
    let agreed = minimize_from(
        |point| sample.evaluate(point),
        &starts,
        &Settings::default(),
    )
    .map_err(Error::NotTrusted)?;
    sample.accept(&agreed)
}

/// Values are divided by their mean, which brings all parameters to order 1 before the optimiser sees them.
struct Sample {
    /// Ascending.
    spends: Vec<Spend>,
    /// Number of accounts by repeat purchases, ascending.
    counts: Vec<(f64, f64)>,
    scale: f64,
}

impl Sample {
    fn group(spends: &[Spend]) -> Self {
        let mut spends = spends.to_vec();
        spends.sort_unstable_by_key(|spend| (spend.repeats, spend.mean_minor.to_bits()));
        let scale = spends.iter().map(Spend::mean_minor).sum::<f64>() / spends.len().max(1) as f64;
        let by_count = spends.chunk_by(|left, right| left.repeats == right.repeats);
        let counts = by_count
            .map(|equal| (f64::from(equal[0].repeats), equal.len() as f64))
            .collect();
        Self {
            spends,
            counts,
            scale,
        }
    }

    /// Mean negative log-likelihood in scaled values, and its derivatives with respect to ln p, ln q, ln gamma.
    fn evaluate(&self, point: &[f64; 3]) -> Evaluation<3> {
        let [p, q, gamma] = point.map(f64::exp);
        let (ln_gamma_q, digamma_q) = (ln_gamma(q), digamma(q));
        let mut value = 0.0;
        let mut slope = [0.0; 3];
        for (x, accounts) in &self.counts {
            let digamma_both = digamma(p * x + q);
            value += accounts * (ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma_q);
            slope[0] += accounts * x * (digamma_both - digamma(p * x));
            slope[1] += accounts * (digamma_both - digamma_q);
        }
        for spend in &self.spends {
            let (x, z) = (f64::from(spend.repeats), spend.mean_minor / self.scale);
            let (ln_z, ln_x, total) = (z.ln(), x.ln(), gamma + x * z);
            let ln_total = total.ln();
            value += q * point[2] + (p * x - 1.0) * ln_z + p * x * ln_x - (p * x + q) * ln_total;
            slope[0] += x * (ln_z + ln_x - ln_total);
            slope[1] += point[2] - ln_total;
            slope[2] += q / gamma - (p * x + q) / total;
        }
        let n = -(self.spends.len() as f64);
        Evaluation {
            value: value / n,
            gradient: [slope[0] * p / n, slope[1] * q / n, slope[2] * gamma / n],
        }
    }

    fn accept(&self, agreed: &Agreed<3>) -> Result<Fit, Error> {
        let [p, q, gamma] = agreed.minimum.at.map(f64::exp);
        let n = self.spends.len() as f64;
        let correlation = correlation(&self.spends);
        let warning = correlation
            .filter(|correlation| correlation.abs() >= DEPENDENT_FROM)
            .map(|correlation| Warning::CountAndValueDepend { correlation });
        Ok(Fit {
            params: Params::new(p, q, gamma * self.scale)?,
            // A density per unit of value: each account contributes a factor 1 / scale.
            log_likelihood: -n * (agreed.minimum.value + self.scale.ln()),
            accounts: self.spends.len() as u64,
            covariance: agreed.inverse_hessian.map(|row| row.map(|cell| cell / n)),
            correlation,
            warning,
            gradient_norm: agreed.minimum.gradient_norm,
            iterations: agreed.minimum.iterations,
        })
    }
}
