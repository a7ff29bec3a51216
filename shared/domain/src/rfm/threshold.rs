//! Thresholds of one dimension: from a population or fixed, stored, applied to one account.

use super::{Direction, Error, MARGIN_PERCENT, MIN_POPULATION, Score, TiePolicy};
use crate::id::AccountUid;
use crate::quantile::{quintile_percents, quintiles};
use crate::time::Day;

/// One account's value in one dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// Whose value.
    pub account: AccountUid,
    /// The value: a day number, a count, minor units.
    pub value: f64,
}

impl Value {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.value
            .total_cmp(&other.value)
            .then(self.account.cmp(&other.account))
    }
}

/// Four thresholds, and what happens on one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cuts {
    /// A value passes the thresholds below it.
    Exclusive([f64; 4]),
    /// A value passes the thresholds below it and the one it equals.
    Inclusive([f64; 4]),
    /// The last account of each of the first four fifths in the order of (value, account id); an account passes those
    /// before it.
    Ranked([Value; 4]),
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    source: Source,
    direction: Direction,
    cuts: Cuts,
    margins: Option<Margins>,
}

/// The thresholds as they would be if each lay [`MARGIN_PERCENT`] of the population further down or up.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    pub fn fixed(cuts: [f64; 4], direction: Direction) -> Result<Self, Error> {
        Self::stored(Source::Fixed, direction, Cuts::Exclusive(cuts), None)
    }

    /// Fixed thresholds of recency: active within the last `within_days` (ascending, the first for a 5) before `as_of`.
    ///
    /// ```
    /// use sextant_domain::id::AccountUid;
    /// use sextant_domain::rfm::{Thresholds, Value};
    /// use sextant_domain::time::Day;
    ///
    /// let recency = Thresholds::fixed_recency([7, 30, 90, 180], Day(20_000))?;
    /// let score = |day: i32| recency.score(&Value { account: AccountUid(1), value: f64::from(day) }).get();
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
        Self::fixed([fourth, third, second, first], Direction::HighIsGood)
    }

    /// Thresholds as they were stored.
    ///
    /// # Errors
    /// The thresholds descend, or one is not finite.
    pub fn stored(
        source: Source,
        direction: Direction,
        cuts: Cuts,
        margins: Option<Margins>,
    ) -> Result<Self, Error> {
        cuts.check()?;
        if let Some(Margins { below, above }) = margins {
            below.check()?;
            above.check()?;
        }
        Ok(Self {
            source,
            direction,
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
        values: &[Value],
        policy: TiePolicy,
        direction: Direction,
        fixed: [f64; 4],
    ) -> Result<Self, Error> {
        if let Some(bad) = values.iter().find(|value| !value.value.is_finite()) {
            return Err(Error::ValueNotFinite {
                account: bad.account,
            });
        }
        if values.len() < MIN_POPULATION {
            return Self::fixed(fixed, direction);
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(Value::order);
        Ok(Self {
            source: Source::Population {
                policy,
                accounts: values.len(),
            },
            direction,
            cuts: Cuts::of(&sorted, policy, 0),
            margins: Some(Margins {
                below: Cuts::of(&sorted, policy, -MARGIN_PERCENT),
                above: Cuts::of(&sorted, policy, MARGIN_PERCENT),
            }),
        })
    }

    /// The score of one account. An account outside the population is scored by the same thresholds.
    #[must_use]
    pub fn score(&self, value: &Value) -> Score {
        Score::from_passed(self.cuts.passed(value), self.direction)
    }

    /// The score on the other side of a threshold that less than [`MARGIN_PERCENT`] of the population lie away; `None` where
    /// no threshold is that close, or thresholds are fixed. There is never more than one: thresholds are 20 % apart.
    #[must_use]
    pub fn near(&self, value: &Value) -> Option<Score> {
        let Margins { below, above } = self.margins.as_ref()?;
        let score = self.score(value);
        [below, above]
            .into_iter()
            .map(|cuts| Score::from_passed(cuts.passed(value), self.direction))
            .find(|other| *other != score)
    }

    /// Where the thresholds come from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Which end is good.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
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
    /// Cuts of ascending values, each moved by `shift_percent` of the population.
    fn of(sorted: &[Value], policy: TiePolicy, shift_percent: i8) -> Self {
        let values = || {
            let values: Vec<f64> = sorted.iter().map(|value| value.value).collect();
            quintiles(&values, shift_percent).unwrap_or_default()
        };
        match policy {
            TiePolicy::ValueQuantile => Self::Exclusive(values()),
            TiePolicy::RRfmCompat => Self::Inclusive(values().map(|cut| cut + 1.0)),
            // `qcut` puts rank i = 1 … n into the first fifth k with i ≤ 1 + (n − 1) k / 5; the last of fifth k is at
            // ⌊(n − 1) k / 5⌋, counted from 0.
            TiePolicy::PandasRankFirst => Self::Ranked(
                quintile_percents(shift_percent)
                    .map(|percent| sorted[(sorted.len() - 1) * percent / 100]),
            ),
        }
    }

    fn passed(&self, value: &Value) -> usize {
        match self {
            Self::Exclusive(cuts) => cuts.partition_point(|cut| *cut < value.value),
            Self::Inclusive(cuts) => cuts.partition_point(|cut| *cut <= value.value),
            Self::Ranked(cuts) => cuts.partition_point(|cut| cut.order(value).is_lt()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let (values, sorted) = match self {
            Self::Exclusive(values) | Self::Inclusive(values) => (*values, values.is_sorted()),
            Self::Ranked(last) => (
                last.map(|cut| cut.value),
                last.is_sorted_by(|left, right| left.order(right).is_le()),
            ),
        };
        if sorted && values.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(Error::CutsNotAscending { cuts: values })
        }
    }
}
