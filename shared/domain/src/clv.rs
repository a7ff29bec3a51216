//! Lifetime value of accounts (CLV), by four methods. Every answer says which method, over which horizon, from how many
//! accounts, and how uncertain it is.

use std::fmt;

use crate::money::{Currency, Money};

mod purchases;
#[cfg(test)]
mod tests;

pub use self::purchases::{Outlook, PurchaseModel, Uncertainty};

/// Where no account was lost, a lifetime value is bounded by this horizon instead of being infinite. Ours, not published.
pub const HORIZON_WITHOUT_CHURN: Months = Months(60);

/// Two-sided 95 % of the standard normal distribution.
const Z_95: f64 = 1.959963984540054;

/// A number of months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Months(pub u32);

/// A discount rate per month: 0.01 is 1 % per month.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct MonthlyDiscount(f64);

impl MonthlyDiscount {
    /// No discounting.
    pub const ZERO: Self = Self(0.0);

    /// A rate per month.
    ///
    /// # Errors
    /// Negative or not finite.
    pub fn new(rate: f64) -> Result<Self, Error> {
        if rate.is_finite() && rate >= 0.0 {
            Ok(Self(rate))
        } else {
            Err(Error::DiscountNegative { rate })
        }
    }

    /// The monthly rate that compounds to a yearly one: (1 + yearly)^(1/12) − 1.
    ///
    /// # Errors
    /// Negative or not finite.
    pub fn from_yearly(rate: f64) -> Result<Self, Error> {
        if rate.is_finite() && rate >= 0.0 {
            Ok(Self((rate.ln_1p() / 12.0).exp_m1()))
        } else {
            Err(Error::DiscountNegative { rate })
        }
    }

    /// The rate per month.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Why a lifetime value cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Error {
    /// The discount rate is negative or not a number.
    DiscountNegative {
        /// The rate given.
        rate: f64,
    },
    /// More accounts lost than there were, or none there.
    ChurnImpossible {
        /// Accounts lost in the month.
        lost: u64,
        /// Accounts at its beginning.
        opening: u64,
    },
    /// The margin is above 100 %.
    MarginAboveOne {
        /// The margin given, in basis points.
        bps: u32,
    },
    /// The purchase counts and the purchase values of an account disagree.
    RepeatsDiffer {
        /// Repeat purchases according to the history.
        history: u32,
        /// Repeat purchases according to the spend; 0 if there is none.
        spend: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiscountNegative { rate } => {
                write!(f, "discount is {rate}, it must be 0 or a positive number")
            },
            Self::ChurnImpossible { lost, opening } => {
                write!(
                    f,
                    "{lost} of {opening} accounts lost: needs at least one account, and no more lost than there were"
                )
            },
            Self::MarginAboveOne { bps } => write!(
                f,
                "margin is {bps} basis points, at most 10000 are possible"
            ),
            Self::RepeatsDiffer { history, spend } => {
                write!(
                    f,
                    "history has {history} repeat purchases, spend has {spend}: they must be equal"
                )
            },
        }
    }
}

impl std::error::Error for Error {}

/// How a lifetime value was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// ARPA / churn.
    Simple,
    /// ARPA × margin / churn.
    Margin,
    /// Margin × ARPA × (1 + d) / (1 + d − r), the first payment included.
    DiscountedGeometric,
    /// BG/NBD purchases times Gamma-Gamma value, discounted month by month.
    Purchases,
}

impl Method {
    /// Stable name, as stored and shown.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Margin => "margin",
            Self::DiscountedGeometric => "discounted_geometric",
            Self::Purchases => "bgnbd_gamma_gamma",
        }
    }
}

/// How far a lifetime value looks ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Horizon {
    /// To the end of every account's life.
    Lifetime,
    /// This far.
    Months(Months),
    /// [`HORIZON_WITHOUT_CHURN`], because no account was lost.
    CappedAt(Months),
}

/// 95 % interval, in minor units. It covers the error of the estimated churn or of the fitted parameters, not what one
/// account will happen to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low_minor: f64,
    /// Upper end.
    pub high_minor: f64,
}

/// A lifetime value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clv {
    /// The estimate, in minor units of `currency`; an expectation, so not a whole number.
    pub value_minor: f64,
    /// Currency of the estimate and of its interval.
    pub currency: Currency,
    /// How it was computed.
    pub method: Method,
    /// How far it looks ahead, in months.
    pub horizon: Horizon,
    /// Accounts (or account-months) that the estimate rests on.
    pub n: u64,
    /// `None` where churn was not observed, or the fits came without their uncertainty.
    pub interval: Option<Interval>,
}

impl Clv {
    /// Whether the horizon was cut because no account was lost.
    #[must_use]
    pub fn capped(&self) -> bool {
        matches!(self.horizon, Horizon::CappedAt(_))
    }
}

/// Accounts lost in a month, and accounts at its beginning. Several months may be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthlyChurn {
    lost: u64,
    opening: u64,
}

impl MonthlyChurn {
    /// `lost` of `opening` accounts in a month.
    ///
    /// # Errors
    /// No account at the beginning, or more lost than there were.
    pub fn new(lost: u64, opening: u64) -> Result<Self, Error> {
        if opening == 0 || lost > opening {
            return Err(Error::ChurnImpossible { lost, opening });
        }
        Ok(Self { lost, opening })
    }

    /// Share lost per month, 0 … 1.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.lost as f64 / self.opening as f64
    }

    /// 95 % interval of the share (Wilson 1927, score interval).
    #[must_use]
    pub fn rate_interval(&self) -> (f64, f64) {
        let (n, share) = (self.opening as f64, self.rate());
        let z2_by_n = Z_95 * Z_95 / n;
        let centre = share + z2_by_n / 2.0;
        let spread = Z_95 * (share * (1.0 - share) / n + z2_by_n / (4.0 * n)).sqrt();
        (
            ((centre - spread) / (1.0 + z2_by_n)).max(0.0),
            ((centre + spread) / (1.0 + z2_by_n)).min(1.0),
        )
    }
}

/// Share of revenue that is left after the cost of serving an account, in basis points, 0 … 10 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Margin(u32);

impl Margin {
    /// A margin in basis points: 8000 is 80 %.
    ///
    /// # Errors
    /// Above 10 000.
    pub fn from_bps(bps: u32) -> Result<Self, Error> {
        if bps <= 10_000 {
            Ok(Self(bps))
        } else {
            Err(Error::MarginAboveOne { bps })
        }
    }

    fn share(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// ARPA / churn: monthly revenue per account, times the mean lifetime in months.
///
/// ```
/// use sextant_domain::clv::{self, MonthlyChurn};
/// use sextant_domain::money::{Currency, Money};
///
/// // $50 a month, 4 of 200 accounts lost: 50 / 0.02 = $2,500.
/// let clv = clv::simple(Money::new(5_000, Currency::USD), MonthlyChurn::new(4, 200)?);
/// assert!((clv.value_minor - 250_000.0).abs() < 1e-6);
/// # Ok::<(), clv::Error>(())
/// ```
#[must_use]
pub fn simple(arpa: Money, churn: MonthlyChurn) -> Clv {
    perpetuity(Method::Simple, arpa, 1.0, churn, MonthlyDiscount::ZERO)
}

/// ARPA × margin / churn.
///
/// Example: $50 a month, 80 % margin, 4 of 200 lost → 50 × 0.8 / 0.02 = $2,000.
#[must_use]
pub fn margin(arpa: Money, margin: Margin, churn: MonthlyChurn) -> Clv {
    perpetuity(
        Method::Margin,
        arpa,
        margin.share(),
        churn,
        MonthlyDiscount::ZERO,
    )
}

/// margin × ARPA × (1 + d) / (1 + d − r), with retention r = 1 − churn, all per month, the first payment included.
///
/// Example: $50 a month, 80 % margin, churn 2 %, discount 1 % → 40 × 1.01 / 0.03 = $1,346.67.
#[must_use]
pub fn discounted_geometric(
    arpa: Money,
    margin: Margin,
    churn: MonthlyChurn,
    discount: MonthlyDiscount,
) -> Clv {
    perpetuity(
        Method::DiscountedGeometric,
        arpa,
        margin.share(),
        churn,
        discount,
    )
}

/// Payments at the beginning of each month: Σ rᵏ / (1 + d)ᵏ, k = 0, 1 …, of which `simple` and `margin` are the case d = 0.
fn perpetuity(
    method: Method,
    arpa: Money,
    share: f64,
    churn: MonthlyChurn,
    discount: MonthlyDiscount,
) -> Clv {
    let payment = arpa.minor as f64 * share;
    let at_churn = |rate: f64| payment * (1.0 + discount.0) / (discount.0 + rate);
    let base = Clv {
        value_minor: at_churn(churn.rate()),
        currency: arpa.currency,
        method,
        horizon: Horizon::Lifetime,
        n: churn.opening,
        interval: None,
    };
    if churn.lost == 0 {
        let payments =
            (0..HORIZON_WITHOUT_CHURN.0).map(|month| payment * discount_factor(discount, month));
        return Clv {
            value_minor: payments.sum(),
            horizon: Horizon::CappedAt(HORIZON_WITHOUT_CHURN),
            ..base
        };
    }
    let (low, high) = churn.rate_interval();
    let (one, other) = (at_churn(high), at_churn(low));
    Clv {
        interval: Some(Interval {
            low_minor: one.min(other),
            high_minor: one.max(other),
        }),
        ..base
    }
}

fn discount_factor(discount: MonthlyDiscount, months: u32) -> f64 {
    (-f64::from(months) * discount.0.ln_1p()).exp()
}
