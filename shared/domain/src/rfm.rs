//! RFM: recency, frequency and monetary value, each scored 1 … 5 (5 is best). The maps from scores to named segments are
//! the segmenter's, `plugins/rfm`.
//!
//! Thresholds are separate from scoring: they are computed once over a population, stored with a version, and then score
//! one account in O(log n). Recency is scored on the absolute day of the last activity, not on its age: ranks then do not
//! change while time passes, and a silent account's score moves only when a threshold moves.

use std::fmt;

use crate::money::Currency;
use crate::time::Day;

#[cfg(test)]
mod tests;
mod threshold;

pub use self::threshold::{Cuts, Last, Margins, Source, Thresholds, Value};

/// A smaller population has no quintiles; it is scored by fixed thresholds. Ours, not published.
pub const MIN_POPULATION: usize = 50;

/// An account closer to a threshold than this share of the population may be left where it was: thresholds move a little
/// with every close, and an account that is passed by one has not changed. Ours, not published.
pub const MARGIN_PERCENT: i8 = 2;

/// How equal values are scored when thresholds come from a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TiePolicy {
    /// Thresholds are the type-7 quantiles at 20, 40, 60, 80 %. Equal values get equal scores, whatever their order.
    ///
    /// Frequency and monetary value v score 1 + #{thresholds < v}. Recency scores 6 − (1 + #{thresholds < d}) by the days d
    /// since the last day, of which the fewest are best; type-7 quantiles are the same from both ends, so by the last day v
    /// itself this is 1 + #{thresholds ≤ v}. The accounts that share the newest day score 5, however many they are.
    #[default]
    ValueQuantile,
    /// As the R package `rfm` 0.3.0 does it with days since the last activity, the count and the amount: the quantiles
    /// **plus 1**; a value on a threshold belongs above it. R's 1 is a day, one more, and a whole unit of the currency
    /// (100 cents of a dollar), for R is given amounts in these. It distorts values between 0 and 1; for compatibility only.
    RRfmCompat,
    /// As `pandas.qcut(values.rank(method="first"), 5)` does it with last days, counts and amounts of rows that are sorted by
    /// account id: equal values get different scores. Ids are ordered by the bytes of their text, so the answer is the same
    /// wherever the same accounts are scored; for compatibility only.
    PandasRankFirst,
}

impl TiePolicy {
    /// All policies.
    pub const ALL: [Self; 3] = [Self::ValueQuantile, Self::RRfmCompat, Self::PandasRankFirst];

    /// The policy of a name.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.key() == key)
    }

    /// Stable name, as stored and shown.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::ValueQuantile => "value_quantile",
            Self::RRfmCompat => "r_rfm_compat",
            Self::PandasRankFirst => "pandas_rank_first",
        }
    }
}

/// What is scored. A high value is good in each: the last day, how often, how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Days.
    Recency,
    /// Counts.
    Frequency,
    /// Minor units of a currency.
    Monetary {
        /// The currency.
        currency: Currency,
    },
}

impl Dimension {
    /// What R's added 1 is in our values. It has days since the last day, of which one more is a day earlier.
    fn one_of_r(self) -> f64 {
        match self {
            Self::Recency => -1.0,
            Self::Frequency => 1.0,
            Self::Monetary { currency } => 10_f64.powi(i32::from(currency.exponent())),
        }
    }
}

/// A score, 1 … 5; 5 is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

impl Score {
    /// All scores, ascending.
    pub const ALL: [Self; 5] = [Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// A score; `None` outside 1 … 5.
    #[must_use]
    pub const fn new(score: u8) -> Option<Self> {
        if 1 <= score && score <= 5 {
            Some(Self(score))
        } else {
            None
        }
    }

    /// The number, 1 … 5.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The three scores of an account. Displayed as three digits, `543`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scores {
    /// Recency.
    pub recency: Score,
    /// Frequency.
    pub frequency: Score,
    /// Monetary value.
    pub monetary: Score,
}

/// For each dimension the score beside the account's own, where a threshold is near; see [`Thresholds::near`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    /// Of recency.
    pub recency: Option<Score>,
    /// Of frequency.
    pub frequency: Option<Score>,
    /// Of monetary value.
    pub monetary: Option<Score>,
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}{}",
            self.recency.0, self.frequency.0, self.monetary.0
        )
    }
}

/// Why thresholds are refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A value is not a finite number.
    ValueNotFinite {
        /// Whose value.
        account: Box<str>,
    },
    /// The thresholds of a stored or fixed set descend, or one is not finite.
    CutsNotAscending {
        /// The thresholds.
        cuts: [f64; 4],
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ValueNotFinite { account } => {
                write!(f, "value of account {account} is not a finite number")
            },
            Self::CutsNotAscending { cuts } => {
                write!(f, "thresholds {cuts:?} must be finite and ascending")
            },
        }
    }
}

impl std::error::Error for Error {}

/// What RFM needs of one account in a stated period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity<'a> {
    /// Whose activity: the account's id.
    pub account: &'a str,
    /// Day of the last qualifying activity.
    pub last_day: Day,
    /// How often: purchases, or the share of active days. Not negative.
    pub frequency: f64,
    /// Paid, or monthly recurring revenue, in minor units of the reporting currency.
    pub monetary_minor: i64,
}

impl<'a> Activity<'a> {
    fn recency(&self) -> Value<'a> {
        Value {
            account: self.account,
            value: f64::from(self.last_day.0),
        }
    }

    fn frequency(&self) -> Value<'a> {
        Value {
            account: self.account,
            value: self.frequency,
        }
    }

    fn monetary(&self) -> Value<'a> {
        // Exact up to 2⁵³ minor units.
        Value {
            account: self.account,
            value: self.monetary_minor as f64,
        }
    }
}

/// Fixed thresholds for a population without quintiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fixed {
    /// Active within so many days before `as_of`, ascending, the first for a 5.
    pub within_days: [u16; 4],
    /// The day that `within_days` counts back from.
    pub as_of: Day,
    /// Thresholds of frequency.
    pub frequency: [f64; 4],
    /// Thresholds of monetary value, in minor units.
    pub monetary_minor: [i64; 4],
}

/// The thresholds of all three dimensions, each over the whole population ("independent" scoring).
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Of the last day.
    pub recency: Thresholds,
    /// Of the frequency.
    pub frequency: Thresholds,
    /// Of the monetary value.
    pub monetary: Thresholds,
}

impl Model {
    /// Thresholds over a population, or the fixed ones if it is smaller than [`MIN_POPULATION`].
    ///
    /// # Errors
    /// A frequency is not finite, or fixed thresholds are needed and descend.
    pub fn of_population(
        population: &[Activity<'_>],
        policy: TiePolicy,
        fixed: &Fixed,
        currency: Currency,
    ) -> Result<Self, Error> {
        let thresholds = |values: Vec<Value<'_>>, dimension: Dimension, fixed: [f64; 4]| {
            Thresholds::of_population(&values, policy, dimension, fixed)
        };
        let recency = if population.len() < MIN_POPULATION {
            Thresholds::fixed_recency(fixed.within_days, fixed.as_of)?
        } else {
            let days = population.iter().map(Activity::recency).collect();
            thresholds(days, Dimension::Recency, [0.0; 4])?
        };
        let counts = population.iter().map(Activity::frequency).collect();
        let amounts = population.iter().map(Activity::monetary).collect();
        let fixed_minor = fixed.monetary_minor.map(|minor| minor as f64);
        Ok(Self {
            recency,
            frequency: thresholds(counts, Dimension::Frequency, fixed.frequency)?,
            monetary: thresholds(amounts, Dimension::Monetary { currency }, fixed_minor)?,
        })
    }

    /// The three scores of one account.
    #[must_use]
    pub fn score(&self, activity: &Activity<'_>) -> Scores {
        Scores {
            recency: self.recency.score(&activity.recency()),
            frequency: self.frequency.score(&activity.frequency()),
            monetary: self.monetary.score(&activity.monetary()),
        }
    }

    /// The scores that the account could have as well.
    #[must_use]
    pub fn near(&self, activity: &Activity<'_>) -> Near {
        Near {
            recency: self.recency.near(&activity.recency()),
            frequency: self.frequency.near(&activity.frequency()),
            monetary: self.monetary.near(&activity.monetary()),
        }
    }
}

/// How evenly activity is spread: 1 − (standard deviation / mean) of the gaps between active days, within 0 … 1. `None`
/// with fewer than two gaps, which say nothing about regularity, or without any time between them.
///
/// ```
/// use sextant_domain::rfm::regularity;
///
/// assert_eq!(regularity(&[7.0, 7.0, 7.0]), Some(1.0));
/// assert_eq!(regularity(&[7.0]), None);
/// ```
#[must_use]
pub fn regularity(gaps_in_days: &[f64]) -> Option<f64> {
    let n = gaps_in_days.len() as f64;
    let mean = gaps_in_days.iter().sum::<f64>() / n;
    if gaps_in_days.len() < 2 || !mean.is_finite() || mean <= 0.0 {
        return None;
    }
    let variance = gaps_in_days
        .iter()
        .map(|gap| (gap - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0);
    Some((1.0 - variance.sqrt() / mean).clamp(0.0, 1.0))
}
