//! BG/NBD: how often an account will buy again, and whether it still buys at all.
//!
//! Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model". While active,
//! an account buys at random times with a rate of its own (gamma distributed: `r`, `alpha`); after each purchase it
//! leaves for ever with a probability of its own (beta distributed: `a`, `b`).

use std::fmt;

use crate::optimize::Failure;
use crate::special::{Hypergeometric, ln_beta, ln_gamma, log_sum_exp};
use crate::time::Day;

mod fit;
#[cfg(test)]
mod tests;

pub use self::fit::{Fit, Start, fit};

/// Weeks in a month as the literature on this model counts them: 4.345.
pub const WEEKS_PER_MONTH: f64 = 4.345;

/// Fewer accounts with a repeat purchase do not identify four parameters; such a fit is refused. Ours, not published.
pub const MIN_REPEATERS: u64 = 30;

/// A duration in weeks: the one time unit of this model and of everything computed from it.
///
/// A bare number is not a duration. Reading weeks as days is the classical error with this model; it does not compile:
///
/// ```compile_fail
/// # let params = sextant_domain::bgnbd::Params::new(0.243, sextant_domain::bgnbd::Weeks::new(4.414), 0.793, 2.426).unwrap();
/// params.expected_purchases(30.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Weeks(f64);

impl Weeks {
    /// A duration that is counted in weeks already.
    #[must_use]
    pub const fn new(weeks: f64) -> Self {
        Self(weeks)
    }

    /// Days / 7.
    #[must_use]
    pub fn from_days(days: f64) -> Self {
        Self(days / 7.0)
    }

    /// Months × [`WEEKS_PER_MONTH`].
    #[must_use]
    pub fn from_months(months: f64) -> Self {
        Self(months * WEEKS_PER_MONTH)
    }

    /// The number of weeks.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Weeks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weeks", self.0)
    }
}

/// Why a model cannot be built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Error {
    /// A purchase history contradicts itself.
    HistoryInconsistent {
        /// Repeat purchases.
        repeats: u32,
        /// Time from the first purchase to the last one.
        last: Weeks,
        /// Time from the first purchase to the end of the observation.
        observed: Weeks,
    },
    /// A parameter of the model is not a positive number.
    ParameterNotPositive {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        value: f64,
    },
    /// Too few accounts bought again.
    TooFewRepeaters {
        /// Accounts with at least one repeat purchase.
        repeaters: u64,
    },
    /// No account was observed for any time after its first purchase.
    NothingObserved,
    /// The likelihood has no maximum to trust. Parameters are numbered r, alpha, a, b.
    NotTrusted(Failure),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HistoryInconsistent {
                repeats,
                last,
                observed,
            } => write!(
                f,
                "{repeats} repeat purchases, the last after {last} of {observed}: needs 0 ≤ last ≤ observed, and last = 0 without repeats"
            ),
            Self::ParameterNotPositive { parameter, value } => {
                write!(
                    f,
                    "parameter {parameter} is {value}, it must be a positive number"
                )
            },
            Self::TooFewRepeaters { repeaters } => {
                write!(
                    f,
                    "{repeaters} accounts bought again, a fit needs at least {MIN_REPEATERS}"
                )
            },
            Self::NothingObserved => write!(f, "no account was observed after its first purchase"),
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

/// All that the model needs of one account's purchases: (x, t_x, T) of the paper. The clock starts at the first purchase,
/// which is not counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct History {
    repeats: u32,
    last: Weeks,
    observed: Weeks,
}

impl History {
    /// `repeats` purchases after the first one, the last of them `last` after it, observed for `observed`.
    ///
    /// # Errors
    /// Not 0 ≤ `last` ≤ `observed`, or `last` is not 0 although there was no repeat.
    pub fn new(repeats: u32, last: Weeks, observed: Weeks) -> Result<Self, Error> {
        let ordered = 0.0 <= last.0 && last.0 <= observed.0 && observed.0.is_finite();
        if !ordered || (repeats == 0 && last.0 > 0.0) {
            return Err(Error::HistoryInconsistent {
                repeats,
                last,
                observed,
            });
        }
        Ok(Self {
            repeats,
            last,
            observed,
        })
    }

    /// The history of an account that bought on `days`, in any order, until `end`. Purchases on one day count once;
    /// days after `end` do not count. `None` without a purchase.
    ///
    /// ```
    /// use sextant_domain::bgnbd::{History, Weeks};
    /// use sextant_domain::time::Day;
    ///
    /// let history = History::from_days(&[Day(0), Day(7), Day(7), Day(21)], Day(70));
    /// assert_eq!(history, History::new(2, Weeks::new(3.0), Weeks::new(10.0)).ok());
    /// ```
    #[must_use]
    pub fn from_days(days: &[Day], end: Day) -> Option<Self> {
        let mut days: Vec<Day> = days.iter().copied().filter(|day| *day <= end).collect();
        days.sort_unstable();
        days.dedup();
        let (first, last) = (*days.first()?, *days.last()?);
        let repeats = u32::try_from(days.len() - 1).ok()?;
        let since_first = |day: Day| Weeks::from_days(f64::from(first.days_until(day)));
        Some(Self {
            repeats,
            last: since_first(last),
            observed: since_first(end),
        })
    }

    /// Repeat purchases (x).
    #[must_use]
    pub fn repeats(&self) -> u32 {
        self.repeats
    }

    /// Time from the first purchase to the last one (t_x).
    #[must_use]
    pub fn last(&self) -> Weeks {
        self.last
    }

    /// Time from the first purchase to the end of the observation (T).
    #[must_use]
    pub fn observed(&self) -> Weeks {
        self.observed
    }
}

/// Parameters of the model, all positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    r: f64,
    alpha: Weeks,
    a: f64,
    b: f64,
}

/// How likely an account still buys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Alive {
    /// The model's estimate, 0 … 1.
    Estimated(f64),
    /// The account has not bought again. The model lets accounts leave only after a repeat purchase, so its answer is 1
    /// by construction and says nothing about the account.
    NoRepeatYet,
}

impl Alive {
    /// The probability, 0 … 1.
    #[must_use]
    pub fn probability(self) -> f64 {
        match self {
            Self::Estimated(probability) => probability,
            Self::NoRepeatYet => 1.0,
        }
    }
}

impl Params {
    /// Parameters that are known already. `r` and `alpha`: shape and rate of the purchase rates, mean r / alpha per week;
    /// `a` and `b`: of the probabilities to leave, mean a / (a + b).
    ///
    /// # Errors
    /// One is not a positive finite number.
    pub fn new(r: f64, alpha: Weeks, a: f64, b: f64) -> Result<Self, Error> {
        for (parameter, value) in [("r", r), ("alpha", alpha.0), ("a", a), ("b", b)] {
            if !value.is_finite() || value <= 0.0 {
                return Err(Error::ParameterNotPositive { parameter, value });
            }
        }
        Ok(Self { r, alpha, a, b })
    }

    /// Shape of the purchase rates.
    #[must_use]
    pub fn r(&self) -> f64 {
        self.r
    }

    /// Rate parameter of the purchase rates.
    #[must_use]
    pub fn alpha(&self) -> Weeks {
        self.alpha
    }

    /// First shape of the probabilities to leave.
    #[must_use]
    pub fn a(&self) -> f64 {
        self.a
    }

    /// Second shape of the probabilities to leave.
    #[must_use]
    pub fn b(&self) -> f64 {
        self.b
    }

    /// Logarithm of the likelihood of one account's history (equation 6 of the paper, in logarithms throughout: it stays
    /// finite for thousands of purchases). Time in weeks.
    #[must_use]
    pub fn ln_likelihood(&self, history: &History) -> f64 {
        let x = f64::from(history.repeats);
        ln_gamma(self.r + x) - ln_gamma(self.r)
            + self.r * self.alpha.0.ln()
            + ln_beta(self.a, self.b + x)
            - ln_beta(self.a, self.b)
            + self.ln_paths(history)
    }

    /// The two ways to a history, added up: still active at its end, or gone after its last purchase.
    fn ln_paths(&self, history: &History) -> f64 {
        let x = f64::from(history.repeats);
        let active = -(self.r + x) * (self.alpha.0 + history.observed.0).ln();
        if history.repeats == 0 {
            return active;
        }
        let gone = self.a.ln()
            - (self.b + x - 1.0).ln()
            - (self.r + x) * (self.alpha.0 + history.last.0).ln();
        log_sum_exp(active, gone)
    }

    /// Probability that the account has not left at the end of its observation.
    #[must_use]
    pub fn alive(&self, history: &History) -> Alive {
        if history.repeats == 0 {
            return Alive::NoRepeatYet;
        }
        let x = f64::from(history.repeats);
        let silence = (history.observed.0 - history.last.0) / (self.alpha.0 + history.last.0);
        let ln_odds_of_gone =
            self.a.ln() - (self.b + x - 1.0).ln() + (self.r + x) * silence.ln_1p();
        Alive::Estimated(1.0 / (1.0 + ln_odds_of_gone.exp()))
    }

    /// E[X(t)]: purchases expected of a new account within `t` after its first one (equation 9).
    ///
    /// ```
    /// use sextant_domain::bgnbd::{Params, Weeks};
    ///
    /// let params = Params::new(0.243, Weeks::new(4.414), 0.793, 2.426)?;
    /// assert!((params.expected_purchases(Weeks::new(39.0)) - 1.1967).abs() < 1e-4);
    /// # Ok::<(), sextant_domain::bgnbd::Error>(())
    /// ```
    #[must_use]
    pub fn expected_purchases(&self, t: Weeks) -> f64 {
        self.expected_while_active(t)
    }

    /// E[Y(t) | x, t_x, T]: purchases expected of this account within `t` after the end of its observation (equation 10).
    ///
    /// ```
    /// use sextant_domain::bgnbd::{History, Params, Weeks};
    ///
    /// let params = Params::new(0.243, Weeks::new(4.414), 0.793, 2.426)?;
    /// let account = History::new(2, Weeks::new(30.43), Weeks::new(38.86))?;
    /// assert!((params.expected_future_purchases(&account, Weeks::new(39.0)) - 1.226).abs() < 1e-3);
    /// # Ok::<(), sextant_domain::bgnbd::Error>(())
    /// ```
    #[must_use]
    pub fn expected_future_purchases(&self, history: &History, t: Weeks) -> f64 {
        let x = f64::from(history.repeats);
        let after = Self {
            r: self.r + x,
            alpha: Weeks(self.alpha.0 + history.observed.0),
            a: self.a,
            b: self.b + x,
        };
        after.expected_while_active(t) * self.alive(history).probability()
    }

    /// (c / ε) [1 − (1 − z)ʳ ₂F₁(r, b; c; z)] with c = a + b − 1, ε = a − 1, z = t / (alpha + t).
    ///
    /// As printed it divides 0 by 0 at a = 1, has poles where c is 0, and overflows for large r. Then Euler's transform helps:
    /// the bracket becomes 1 − (1 − z)^ε ₂F₁(c − r, ε; c; z), the 1 of the series and the factor ε of all its other terms
    /// cancel on paper, and the rest of the series is the integral of another one:
    /// c (1 − (1 − z)^ε) / ε − (1 − z)^ε (c − r) ∫₀ᶻ ₂F₁(c − r + 1, a; c + 1; u) du.
    fn expected_while_active(&self, t: Weeks) -> f64 {
        if t.0.is_nan() || t.0 <= 0.0 {
            return 0.0;
        }
        let (c, epsilon) = (self.a + self.b - 1.0, self.a - 1.0);
        let z = t.0 / (self.alpha.0 + t.0);
        let ln_rest = -(t.0 / self.alpha.0).ln_1p();
        if epsilon >= self.r + 1.0 {
            let printed = Hypergeometric {
                a: self.r,
                b: self.b,
                c,
            };
            return c / epsilon * (1.0 - (self.r * ln_rest).exp() * printed.value(z));
        }
        let exponent = epsilon * ln_rest;
        let leaving = if exponent.abs() < f64::MIN_POSITIVE {
            -ln_rest
        } else {
            -exponent.exp_m1() / epsilon
        };
        let tail = Hypergeometric {
            a: c - self.r + 1.0,
            b: self.a,
            c: c + 1.0,
        };
        c * leaving - exponent.exp() * (c - self.r) * tail.integral(z)
    }

    /// P(X(t) = x): probability of exactly `x` purchases of a new account within `t` after its first one (equation 8).
    #[must_use]
    pub fn probability_of(&self, x: u32, t: Weeks) -> f64 {
        if t.0.is_nan() || t.0 <= 0.0 {
            return if x == 0 { 1.0 } else { 0.0 };
        }
        let counts = Counts {
            r: self.r,
            ln_stay: -(t.0 / self.alpha.0).ln_1p(),
            z: t.0 / (self.alpha.0 + t.0),
        };
        let n = f64::from(x);
        let ln_b = ln_beta(self.a, self.b);
        let still_active = (ln_beta(self.a, self.b + n) - ln_b + counts.ln_probability(x)).exp();
        if x == 0 {
            return still_active;
        }
        let left_at_x = (ln_beta(self.a + 1.0, self.b + n - 1.0) - ln_b).exp() * counts.at_least(x);
        still_active + left_at_x
    }
}

/// The negative binomial distribution of purchases of accounts that never leave.
struct Counts {
    r: f64,
    /// ln(alpha / (alpha + t)).
    ln_stay: f64,
    z: f64,
}

impl Counts {
    fn ln_probability(&self, x: u32) -> f64 {
        let n = f64::from(x);
        ln_gamma(self.r + n) - ln_gamma(self.r) - ln_gamma(n + 1.0)
            + self.r * self.ln_stay
            + n * self.z.ln()
    }

    /// Probability of `x` or more. A small one is summed from `x` upwards: 1 minus the rest would lose its digits.
    fn at_least(&self, x: u32) -> f64 {
        const SMALL: f64 = 0.1;
        let mut below = 0.0;
        let mut ln_term = self.r * self.ln_stay;
        for j in 0..x {
            below += ln_term.exp();
            ln_term += self.ln_ratio(f64::from(j));
        }
        if below < 1.0 - SMALL {
            return 1.0 - below;
        }
        let (mut sum, mut term, mut j) = (0.0, ln_term.exp(), f64::from(x));
        while term > sum * f64::EPSILON {
            sum += term;
            term *= self.ln_ratio(j).exp();
            j += 1.0;
        }
        sum
    }

    /// ln of P(j + 1) / P(j).
    fn ln_ratio(&self, j: f64) -> f64 {
        ((self.r + j) / (j + 1.0) * self.z).ln()
    }
}
