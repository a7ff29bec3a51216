//! Subscriptions as the billing system states them, and what they say about an account at any instant.
//!
//! Names and statuses are Stripe's. A [`SubscriptionVersion`] is one state of one subscription, valid from an instant
//! and known from an instant; [`AccountBilling`] answers from all versions of all subscriptions of one account.

use std::num::NonZeroU32;

use crate::id::ExternalId;
use crate::money::{Currency, Rate};
use crate::time::Instant;

mod billing;
mod standing;
mod summary;
mod view;

pub use billing::AccountBilling;
pub use summary::{AccountStatus, Churned, Summary};

pub(crate) use standing::Standing;
pub(crate) use view::{Held, Point, Priced, Segment, State, View};

/// Status of a subscription, with Stripe's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The first payment has not succeeded yet.
    Incomplete,
    /// The first payment never succeeded.
    IncompleteExpired,
    /// In its trial window.
    Trialing,
    /// Paid up.
    Active,
    /// The latest invoice is unpaid and dunning runs.
    PastDue,
    /// Dunning ended without payment.
    Unpaid,
    /// Stopped without being ended.
    Paused,
    /// Ended.
    Canceled,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::Incomplete,
        Self::IncompleteExpired,
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Unpaid,
        Self::Paused,
        Self::Canceled,
    ];

    /// Stripe's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    /// Reads Stripe's name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Unit of a billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// One day: 365/12 of it make a month.
    Day,
    /// Seven days: 52/12 of it make a month.
    Week,
    /// One month.
    Month,
    /// Twelve months.
    Year,
}

impl Interval {
    /// All intervals.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// Stripe's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Reads Stripe's name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|interval| interval.as_str() == text)
    }
}

/// How a price is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageType {
    /// A fixed quantity per period: recurring revenue.
    Licensed,
    /// By measured use: never part of MRR under any policy.
    Metered,
}

/// What an item sells, which decides the cause of a movement and whether its quantity counts as seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemRole {
    /// The plan itself; its quantity is the number of seats.
    Plan,
    /// A recurring service.
    Services,
    /// An integration.
    Integration,
    /// Any further product.
    ExtraProduct,
}

/// How much a discount takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscountOff {
    /// A share of the amount in millionths: 500 000 is 50 %. At most 1 000 000.
    Percent {
        /// Millionths taken off.
        ppm: u32,
    },
    /// An amount per billing period, in minor units of the subscription's currency. Never takes more than there is.
    Amount {
        /// Minor units taken off.
        minor: u64,
    },
}

/// How long a discount lasts. One on a single invoice is none on recurring revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscountDuration {
    /// For the life of the subscription.
    Forever,
    /// For several periods.
    Repeating {
        /// First instant without the discount.
        ends_at: Instant,
    },
}

impl DiscountDuration {
    /// First instant without the discount; `None` if it lasts forever.
    #[must_use]
    pub const fn ends_at(self) -> Option<Instant> {
        match self {
            Self::Forever => None,
            Self::Repeating { ends_at } => Some(ends_at),
        }
    }
}

/// A recurring discount on an item or on a whole subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Discount {
    /// How much.
    pub off: DiscountOff,
    /// How long.
    pub duration: DiscountDuration,
}

/// One priced line of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// Id of the line, stable while its price and quantity change.
    pub id: ExternalId,
    /// Id of the price.
    pub price_id: ExternalId,
    /// What it sells.
    pub role: ItemRole,
    /// Order of the plan among plans, dearer is higher; absent means that up- and downgrade cannot be told apart.
    pub plan_rank: Option<u32>,
    /// Units, such as seats.
    pub quantity: u64,
    /// Price of one unit for one period, in minor units. Never negative.
    pub unit_amount_minor: i64,
    /// Currency of the price; the same for all items of a subscription.
    pub currency: Currency,
    /// Unit of the billing period.
    pub interval: Interval,
    /// Intervals in one billing period: 3 months, 2 weeks.
    pub interval_count: NonZeroU32,
    /// How it is charged.
    pub usage_type: UsageType,
    /// Discounts on this line, applied in order, before those of the subscription.
    pub discounts: Vec<Discount>,
    /// Rate into the reporting currency, locked on the day on which the price was set; absent if the price is in the reporting
    /// currency.
    pub rate: Option<Rate>,
}

/// Trial window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trial {
    /// First instant.
    pub start: Instant,
    /// First instant after it.
    pub end: Instant,
}

/// Why recurring revenue stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChurnKind {
    /// The account decided to leave.
    Voluntary,
    /// A payment failed for good.
    Involuntary,
    /// The subscription is paused.
    Paused,
    /// The account uses a free plan or a full discount.
    ToFree,
}

impl ChurnKind {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voluntary => "voluntary",
            Self::Involuntary => "involuntary",
            Self::Paused => "paused",
            Self::ToFree => "to_free",
        }
    }
}

/// Who ended a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancellationKind {
    /// The account.
    Voluntary,
    /// A payment that failed for good.
    Involuntary,
}

/// What happened to the term that was already paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaidTerm {
    /// It is served until its end.
    Served,
    /// It was paid back: service and revenue end at once.
    Refunded,
}

/// How a subscription was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cancellation {
    /// Who ended it.
    pub kind: CancellationKind,
    /// What happened to the rest of the term.
    pub paid_term: PaidTerm,
}

/// A pause of collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pause {
    /// When it ends by itself; absent if it lasts until somebody resumes it.
    pub resumes_at: Option<Instant>,
}

/// The state of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription {
    /// Id in the billing system.
    pub id: ExternalId,
    /// Its status.
    pub status: Status,
    /// Its lines.
    pub items: Vec<Item>,
    /// Discounts on the whole subscription, applied in order. A fixed amount is taken from the items in order of
    /// their ids, among those billed at the first item's interval.
    pub discounts: Vec<Discount>,
    /// Trial window, if there is one.
    pub trial: Option<Trial>,
    /// End of the paid period: the next renewal.
    pub current_period_end: Option<Instant>,
    /// Whether it ends with the current period.
    pub cancel_at_period_end: bool,
    /// When it will end, if that was scheduled for an instant.
    pub cancel_at: Option<Instant>,
    /// When the cancellation was asked for.
    pub canceled_at: Option<Instant>,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// How it was ended; absent means voluntary, unless it was ended during dunning.
    pub cancellation: Option<Cancellation>,
    /// Pause of collection, if there is one.
    pub pause: Option<Pause>,
    /// Start of the unpaid period; absent means the instant at which it became past due.
    pub unpaid_since: Option<Instant>,
}

/// A subscription's state from an instant on, known from an instant on.
///
/// Of several versions valid at an instant, the one with the latest `valid_from` holds; of several with the same
/// `valid_from`, the one known last (a correction), and of those that became known at one instant, the last one in the feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionVersion {
    /// First instant at which the state holds.
    pub valid_from: Instant,
    /// When this became known.
    pub known_from: Instant,
    /// The state.
    pub subscription: Subscription,
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
