//! Monthly recurring revenue: exact normalisation, movements with their causes, and waterfalls that close.

use std::fmt;

use crate::exact::divide_half_even;
use crate::id::ExternalId;
use crate::money::Currency;

mod cause;
pub(crate) mod ledger;
mod movement;
mod policy;
pub(crate) mod price;
mod waterfall;

pub use ledger::Books;
pub use movement::{Cause, CausePart, Movement, MovementKind};
pub use policy::{
    ChurnDate, FiniteCoupon, IntraPeriod, LogoDenominator, MetricPolicy, NrrReactivation,
    PastDueGrace, PauseRule, PolicyPoint, Preset, ReactivationWindow, ToFreeRule,
};
pub use price::monthly_list_minor;
pub use waterfall::{Flows, Granularity, Waterfall, WaterfallError, Window};

pub(crate) use price::Line;

/// Monthly recurring revenue in 10⁻⁴ minor units of the reporting currency: 1 USD is 1 000 000.
///
/// Each item version is rounded once, half to even, to this unit; from there on everything is integer addition. One item
/// fits 64 bits, so a sum of any number of items, subscriptions and accounts fits 128.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mrr(pub i128);

impl Mrr {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Units in one minor unit of the currency.
    pub const UNITS_PER_MINOR: i128 = 10_000;

    /// A whole number of minor units.
    #[must_use]
    pub fn from_minor(minor: i64) -> Self {
        Self(i128::from(minor) * Self::UNITS_PER_MINOR)
    }

    /// Rounded half to even to minor units, for people to read: never for further sums.
    #[must_use]
    pub fn to_minor(self) -> i128 {
        divide_half_even(self.0, Self::UNITS_PER_MINOR)
    }
}

impl std::iter::Sum for Mrr {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|mrr| mrr.0).sum())
    }
}

/// Why subscriptions cannot be turned into recurring revenue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A price is below zero.
    AmountNegative {
        /// The subscription.
        subscription: ExternalId,
        /// The item.
        item: ExternalId,
        /// Its price in minor units.
        unit_amount_minor: i64,
    },
    /// A discount takes more than everything.
    DiscountTooLarge {
        /// The subscription.
        subscription: ExternalId,
        /// Millionths taken off.
        ppm: u32,
    },
    /// The items of one subscription have different currencies.
    CurrencyMixed {
        /// The subscription.
        subscription: ExternalId,
        /// Currency of one item.
        left: Currency,
        /// Currency of another.
        right: Currency,
    },
    /// Items of one account end up in different reporting currencies.
    BaseMixed {
        /// The subscription of the second.
        subscription: ExternalId,
        /// Reporting currency of the first.
        left: Currency,
        /// Reporting currency of the second.
        right: Currency,
    },
    /// An item's amount does not fit 64 bits, or its discounts are too fine for an exact fraction.
    AmountTooLarge {
        /// The subscription.
        subscription: ExternalId,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmountNegative {
                subscription,
                item,
                unit_amount_minor,
            } => write!(
                f,
                "unit_amount_minor of item \"{item}\" of subscription \"{subscription}\" is {unit_amount_minor}, it must not be negative; use a discount"
            ),
            Self::DiscountTooLarge { subscription, ppm } => write!(
                f,
                "discount of subscription \"{subscription}\" takes {ppm} millionths, at most 1000000 (all) are possible"
            ),
            Self::CurrencyMixed {
                subscription,
                left,
                right,
            } => write!(
                f,
                "items of subscription \"{subscription}\" are priced in {left} and {right}, use one currency per subscription"
            ),
            Self::BaseMixed {
                subscription,
                left,
                right,
            } => write!(
                f,
                "subscription \"{subscription}\" reports in {right}, others of its account in {left}; give its items a rate into {left}"
            ),
            Self::AmountTooLarge { subscription } => write!(
                f,
                "recurring revenue of subscription \"{subscription}\" cannot be computed exactly; check its amounts, and merge its discounts into fewer"
            ),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
