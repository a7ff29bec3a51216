//! The feature catalogue: what is known of an account as typed, named values. Absent is unknown, never zero.

mod account;
mod catalogue;
pub mod population;

use std::sync::Arc;

use crate::mrr::Mrr;
use crate::time::Instant;

pub use account::{AccountFacts, Moment};
pub use catalogue::{Basis, CATALOGUE, CATALOGUE_VERSION, Definition, Feature, N_FEATURES};

/// Type of a feature's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Whole number.
    Integer,
    /// Recurring revenue: whole minor units to who reads it, exact to who sums it up.
    Recurring,
    /// Finite number.
    Number,
    /// Text from a small set.
    Text,
    /// Moment.
    Time,
}

/// A value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Whole number.
    Integer(i64),
    /// Recurring revenue, which reads as whole minor units.
    Recurring(Mrr),
    /// Finite number.
    Number(f64),
    /// Text that the tenant chose.
    Text(Arc<str>),
    /// Text of a fixed set.
    Word(&'static str),
    /// Moment.
    Time(Instant),
}

impl Value {
    /// The value as a number, where it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            // Exact up to 2⁵³.
            #[expect(
                clippy::cast_precision_loss,
                reason = "sums and orders for people; exact up to 2^53"
            )]
            _ => self.as_integer().map(|integer| integer as f64),
        }
    }

    /// The value as a whole number, where it is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Recurring(mrr) => Some(saturated(mrr.to_minor())),
            Self::Number(_) | Self::Text(_) | Self::Word(_) | Self::Time(_) => None,
        }
    }

    /// Recurring revenue in the unit of [`Mrr`], where the value is that.
    #[must_use]
    pub fn as_exact(&self) -> Option<i64> {
        match self {
            Self::Recurring(mrr) => Some(saturated(mrr.0)),
            _ => None,
        }
    }

    /// The value as text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Word(word) => Some(word),
            Self::Integer(_) | Self::Recurring(_) | Self::Number(_) | Self::Time(_) => None,
        }
    }
}

/// An amount as features and columns hold it: one beyond 64 bits stays at their end. In ten-thousandths of a minor unit it takes
/// 92 of the largest subscriptions that the door takes to get there.
fn saturated(amount: i128) -> i64 {
    let within = amount.clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(within).unwrap_or_default()
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Recurring(mrr) => write!(f, "{}", mrr.to_minor()),
            Self::Number(number) => write!(f, "{number:.4}"),
            Self::Text(text) => f.write_str(text),
            Self::Word(word) => f.write_str(word),
            Self::Time(at) => write!(f, "{at}"),
        }
    }
}

/// All features of one account, in catalogue order.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    values: [Option<Value>; N_FEATURES],
}

impl Default for Row {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            values: [const { None }; N_FEATURES],
        }
    }
}

impl Row {
    /// The value of a feature; `None`: unknown.
    #[must_use]
    pub fn get(&self, feature: Feature) -> Option<&Value> {
        self.values[feature.index()].as_ref()
    }

    /// All values, in catalogue order.
    #[must_use]
    pub fn values(&self) -> &[Option<Value>; N_FEATURES] {
        &self.values
    }

    pub(crate) fn set(&mut self, feature: Feature, value: Option<Value>) {
        self.values[feature.index()] = value;
    }

    pub(crate) fn integer(&mut self, feature: Feature, value: Option<i64>) {
        self.set(feature, value.map(Value::Integer));
    }

    pub(crate) fn recurring(&mut self, feature: Feature, mrr: Mrr) {
        self.set(feature, Some(Value::Recurring(mrr)));
    }

    pub(crate) fn number(&mut self, feature: Feature, value: Option<f64>) {
        self.set(feature, value.map(Value::Number));
    }

    /// A feature as a number, where it is known and one.
    #[must_use]
    pub fn as_number(&self, feature: Feature) -> Option<f64> {
        self.get(feature).and_then(Value::as_number)
    }

    /// A feature as a whole number, where it is known and one.
    #[must_use]
    pub fn as_integer(&self, feature: Feature) -> Option<i64> {
        self.get(feature).and_then(Value::as_integer)
    }
}

#[cfg(test)]
mod tests;
