//! Thresholds of one dimension: from a population or fixed, stored, applied to one account.

use std::cmp::Ordering;

use super::{Dimension, Error, MARGIN_PERCENT, MIN_POPULATION, Score, TiePolicy};
use crate::quantile::{quintile_percents, quintiles};
use crate::time::Day;

/// One account's value in one dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value<'a> {
    /// Whose value: the id by which the tenant knows the account, so that equal data give equal answers everywhere.
    pub account: &'a str,
    /// The value: a day number, a count, minor units. A high one is good.
    pub value: f64,
}

impl Value<'_> {
    fn order(&self, other: &Value<'_>) -> Ordering {
        self.value
            .total_cmp(&other.value)
            .then_with(|| self.account.cmp(other.account))
    }
}

/// The last account of a fifth in the order of (value, account id).
#[derive(Debug, Clone, PartialEq)]
pub struct Last {
    /// Its id; ids are ordered by the bytes of their text.
    pub account: Box<str>,
    /// Its value.
    pub value: f64,
}

impl Last {
    fn as_value(&self) -> Value<'_> {
        Value {
            account: &self.account,
            value: self.value,
        }
    }
}

/// Four thresholds, and what happens on one.
#[derive(Debug, Clone, PartialEq)]
pub enum Cuts {
    /// A value passes the thresholds below it.
    Exclusive([f64; 4]),
    /// A value passes the thresholds below it and the one it equals.
    Inclusive([f64; 4]),
    /// The last account of each of the first four fifths; an account passes those before it.
    Ranked([Last; 4]),
}

/// Where thresholds come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// From the values of a population.
    Population {
        /// How ties are treated.
        policy: TiePolicy,
        /// Accounts in the population, at least [`MIN_POPULATION`].
        accounts: usize,
    },
    /// Set by a person, because the population is smaller than [`MIN_POPULATION`] or because they want to.
    Fixed,
}

/// Thresholds of one dimension. Everything in it can be stored and read back with [`Thresholds::stored`].
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    source: Source,
    cuts: Cuts,
    margins: Option<Margins>,
}

/// The thresholds as they would be if each lay [`MARGIN_PERCENT`] of the population further down or up.
#[derive(Debug, Clone, PartialEq)]
pub struct Margins {
    /// Further down.
    pub below: Cuts,
    /// Further up.
    pub above: Cuts,
}

impl Thresholds {
    /// Thresholds that a person set: a value passes the ones below it.
    ///
    /// # Errors
    /// The thresholds descend, or one is not finite.
    pub fn fixed(cuts: [f64; 4]) -> Result<Self, Error> {
        Self::stored(Source::Fixed, Cuts::Exclusive(cuts), None)
    }

    /// Fixed thresholds of recency: active within the last `within_days` (ascending, the first for a 5) before `as_of`.
    ///
    /// ```
    /// use sextant_domain::rfm::{Thresholds, Value};
    /// use sextant_domain::time::Day;
    ///
    /// let recency = Thresholds::fixed_recency([7, 30, 90, 180], Day(20_000))?;
    /// let score = |day: i32| recency.score(&Value { account: "acme", value: f64::from(day) }).get();
    /// assert_eq!([score(20_000), score(19_993), score(19_992), score(19_000)], [5, 5, 4, 1]);
    /// # Ok::<(), sextant_domain::rfm::Error>(())
    /// ```
    ///
    /// # Errors
    /// The numbers of days descend.
    pub fn fixed_recency(within_days: [u16; 4], as_of: Day) -> Result<Self, Error> {
        // Half a day before the first day that counts: no day lies on a threshold.
        let cut = |days: u16| f64::from(as_of.0) - f64::from(days) - 0.5;
        let [first, second, third, fourth] = within_days.map(cut);
        Self::fixed([fourth, third, second, first])
    }

    /// Thresholds as they were stored.
    ///
    /// # Errors
    /// The thresholds descend, or one is not finite.
    pub fn stored(source: Source, cuts: Cuts, margins: Option<Margins>) -> Result<Self, Error> {
        cuts.check()?;
        if let Some(Margins { below, above }) = &margins {
            below.check()?;
            above.check()?;
        }
        Ok(Self {
            source,
            cuts,
            margins,
        })
    }

    /// Thresholds over a population. One smaller than [`MIN_POPULATION`] gets `fixed` instead, and says so in its source.
    /// The order of `values` has no influence.
    ///
    /// # Errors
    /// A value is not finite, or `fixed` is needed and descends.
    pub fn of_population(
        values: &[Value<'_>],
        policy: TiePolicy,
        dimension: Dimension,
        fixed: [f64; 4],
    ) -> Result<Self, Error> {
        if let Some(bad) = values.iter().find(|value| !value.value.is_finite()) {
            return Err(Error::ValueNotFinite {
                account: bad.account.into(),
            });
        }
        if values.len() < MIN_POPULATION {
            return Self::fixed(fixed);
        }
        let source = Source::Population {
            policy,
            accounts: values.len(),
        };
        let [below, at, above] = Cuts::of(values, policy, dimension);
        Ok(Self {
            source,
            cuts: at,
            margins: Some(Margins { below, above }),
        })
    }

    /// The score of one account. An account outside the population is scored by the same thresholds.
    #[must_use]
    pub fn score(&self, value: &Value<'_>) -> Score {
        self.cuts.score(value)
    }

    /// The score on the other side of a threshold that less than [`MARGIN_PERCENT`] of the population lie away; `None` where
    /// no threshold is that close, or thresholds are fixed. There is never more than one: thresholds are 20 % apart.
    #[must_use]
    pub fn near(&self, value: &Value<'_>) -> Option<Score> {
        let Margins { below, above } = self.margins.as_ref()?;
        let score = self.score(value);
        [below, above]
            .into_iter()
            .map(|cuts| cuts.score(value))
            .find(|other| *other != score)
    }

    /// Where the thresholds come from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The thresholds.
    #[must_use]
    pub fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    /// The thresholds moved by the margin; `None` for fixed ones.
    #[must_use]
    pub fn margins(&self) -> Option<&Margins> {
        self.margins.as_ref()
    }
}

impl Cuts {
    /// Cuts by value alone, at the quantiles.
    #[must_use]
    pub fn by_value(dimension: Dimension, values: [f64; 4]) -> Self {
        match dimension {
            // Days since the last day do not pass a threshold that they equal, and the fewest are best. Seen from the other
            // end a day on a threshold is in the better fifth.
            Dimension::Recency => Self::Inclusive(values),
            Dimension::Frequency | Dimension::Monetary { .. } => Self::Exclusive(values),
        }
    }

    /// Cuts as R's package has them, from the quantiles plus or less R's 1.
    #[must_use]
    pub fn as_in_r(dimension: Dimension, values: [f64; 4]) -> Self {
        match dimension {
            // R has days since the last day, low is good, and its bins begin at a threshold. Seen from the other end a day
            // on a threshold is still in the worse bin.
            Dimension::Recency => Self::Exclusive(values),
            Dimension::Frequency | Dimension::Monetary { .. } => Self::Inclusive(values),
        }
    }

    /// Cuts of a population: moved down by [`MARGIN_PERCENT`] of it, as they are, and moved up.
    fn of(values: &[Value<'_>], policy: TiePolicy, dimension: Dimension) -> [Self; 3] {
        let shifts = [-MARGIN_PERCENT, 0, MARGIN_PERCENT];
        let quantiles = || {
            let mut sorted: Vec<f64> = values.iter().map(|value| value.value).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            shifts.map(|shift| quintiles(&sorted, shift).unwrap_or_default())
        };
        match policy {
            TiePolicy::ValueQuantile => quantiles().map(|cuts| Self::by_value(dimension, cuts)),
            TiePolicy::RRfmCompat => quantiles().map(|cuts| {
                let moved = cuts.map(|cut| cut + dimension.one_of_r());
                Self::as_in_r(dimension, moved)
            }),
            // `qcut` puts rank i = 1 … n into the first fifth k with i ≤ 1 + (n − 1) k / 5; the last of fifth k is at
            // ⌊(n − 1) k / 5⌋, counted from 0.
            TiePolicy::PandasRankFirst => {
                let mut sorted = values.to_vec();
                sorted.sort_unstable_by(Value::order);
                let last = |percent: usize| {
                    let value: &Value<'_> = &sorted[(sorted.len() - 1) * percent / 100];
                    Last {
                        account: value.account.into(),
                        value: value.value,
                    }
                };
                shifts.map(|shift| Self::Ranked(quintile_percents(shift).map(last)))
            },
        }
    }

    fn score(&self, value: &Value<'_>) -> Score {
        let passed = match self {
            Self::Exclusive(cuts) => cuts.partition_point(|cut| *cut < value.value),
            Self::Inclusive(cuts) => cuts.partition_point(|cut| *cut <= value.value),
            Self::Ranked(cuts) => cuts.partition_point(|cut| cut.as_value().order(value).is_lt()),
        };
        Score::ALL[passed.min(4)]
    }

    fn check(&self) -> Result<(), Error> {
        let (values, sorted) = match self {
            Self::Exclusive(values) | Self::Inclusive(values) => (*values, values.is_sorted()),
            Self::Ranked(last) => (
                last.each_ref().map(|cut| cut.value),
                last.is_sorted_by(|left, right| left.as_value().order(&right.as_value()).is_le()),
            ),
        };
        if sorted && values.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(Error::CutsNotAscending { cuts: values })
        }
    }
}
