//! Names, types and meanings. A name is for ever; a change of meaning is a new feature.

use super::{Type, population};

/// Version of the catalogue: counted up when a feature is added.
pub const CATALOGUE_VERSION: u32 = 3;

/// Number of features.
pub const N_FEATURES: usize = 38;

/// A feature of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// `account.age_days`: days since the account came to the tenant.
    AccountAgeDays,
    /// `firmo.industry`: industry as the tenant names it.
    FirmoIndustry,
    /// `firmo.employee_count`: number of employees.
    FirmoEmployeeCount,
    /// `usage.active_days_28d`: days with at least one event, of the last 28: the day under way, which is whole only at its close, and the 27 before it.
    UsageActiveDays28d,
    /// `usage.active_users_28d`: users with at least one event on the days that usage.active_days_28d counts.
    UsageActiveUsers28d,
    /// `usage.events_28d`: events on the days that usage.active_days_28d counts.
    UsageEvents28d,
    /// `usage.trend_28d`: events on the days that usage.active_days_28d counts over those on the 28 days before, less 1; unknown where there were none before.
    UsageTrend28d,
    /// `usage.product_features_28d`: distinct product features used on the days that usage.active_days_28d counts.
    UsageProductFeatures28d,
    /// `usage.regularity_90d`: how evenly active days lie over 90 days, the day under way and the 89 before it: 1 less the coefficient of variation of the gaps; unknown below three active days.
    UsageRegularity90d,
    /// `usage.days_since_active`: days since the last day with an event.
    UsageDaysSinceActive,
    /// `purchase.count`: payments that came.
    PurchaseCount,
    /// `purchase.total_minor`: payments that came, less what was paid back.
    PurchaseTotalMinor,
    /// `purchase.first_at`: when the first payment came.
    PurchaseFirstAt,
    /// `purchase.last_at`: when the last payment came.
    PurchaseLastAt,
    /// `purchase.days_since_last`: days since the last payment came.
    PurchaseDaysSinceLast,
    /// `revenue.mrr_minor`: monthly recurring revenue.
    RevenueMrrMinor,
    /// `revenue.arr_minor`: twelve times the exact monthly recurring revenue.
    RevenueArrMinor,
    /// `revenue.mrr_change_90d_minor`: monthly recurring revenue less that at the end of the 90th day before.
    RevenueMrrChange90dMinor,
    /// `revenue.seats`: quantity of the plans that may be used.
    RevenueSeats,
    /// `usage.seat_share`: usage.active_users_28d over seats; unknown without seats.
    UsageSeatShare,
    /// `subscription.status`: none, trialing, trial_expired, active, past_due, cancel_scheduled, paused or canceled.
    SubscriptionStatus,
    /// `subscription.paying_days`: days since the present spell of paying began; unknown where the account does not pay.
    SubscriptionPayingDays,
    /// `subscription.days_since_churn`: days since the last spell of paying ended; unknown where it did not.
    SubscriptionDaysSinceChurn,
    /// `subscription.churn_kind`: why the last spell of paying ended: voluntary, involuntary, paused or to_free; unknown where it did not.
    SubscriptionChurnKind,
    /// `contract.days_to_renewal`: days until the next renewal, in the zone of the account's trait timezone, else the tenant's; unknown where none is known.
    ContractDaysToRenewal,
    /// `revenue.mrr_percentile`: share of the accounts paying at the last close with less MRR, in percent, rounded down to a whole percent; unknown where the account does not pay.
    RevenueMrrPercentile,
    /// `revenue.paying_accounts`: accounts of the tenant that paid at the last close, whose percents `revenue.mrr_percentile` counts.
    RevenuePayingAccounts,
    /// `rfm.basis`: what the three scores are computed from: purchases or usage; unknown where no account could be scored at the last close.
    RfmBasis,
    /// `rfm.recency`: recency score, 5 is best.
    RfmRecency,
    /// `rfm.frequency`: frequency score, 5 is best.
    RfmFrequency,
    /// `rfm.monetary`: monetary score, 5 is best.
    RfmMonetary,
    /// `rfm.recency_near`: recency score across a threshold that less than 2 % of the accounts lie away; unknown where none is so close.
    RfmRecencyNear,
    /// `rfm.frequency_near`: the same of frequency.
    RfmFrequencyNear,
    /// `rfm.monetary_near`: the same of monetary value.
    RfmMonetaryNear,
    /// `clv.alive_probability`: probability that the account will ever buy again (BG/NBD); 1 before the first repeat purchase.
    ClvAliveProbability,
    /// `clv.expected_purchases_12m`: expected purchases of the next 12 months (BG/NBD).
    ClvExpectedPurchases12m,
    /// `clv.value_12m_minor`: expected value of the purchases of the next 12 months, discounted (BG/NBD and Gamma-Gamma).
    ClvValue12mMinor,
    /// `clv.expected_spend_minor`: expected amount of a purchase of the account (Gamma-Gamma).
    ClvExpectedSpendMinor,
}

/// Which accounts a feature is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The account's own facts.
    Account,
    /// All accounts of the tenant, at the day close.
    Population,
}

/// What a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The feature.
    pub feature: Feature,
    /// Its name.
    pub name: &'static str,
    /// Type of its values.
    pub r#type: Type,
    /// Unit; empty where it has none.
    pub unit: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// What it is computed from.
    pub basis: Basis,
}

impl Definition {
    /// True: values can be summed up and ordered by.
    #[must_use]
    pub const fn is_numeric(&self) -> bool {
        matches!(self.r#type, Type::Integer | Type::Recurring | Type::Number)
    }
}

const fn own(
    feature: Feature,
    name: &'static str,
    r#type: Type,
    unit: &'static str,
    meaning: &'static str,
) -> Definition {
    Definition {
        feature,
        name,
        r#type,
        unit,
        meaning,
        basis: Basis::Account,
    }
}

const fn population(
    feature: Feature,
    name: &'static str,
    r#type: Type,
    unit: &'static str,
    meaning: &'static str,
) -> Definition {
    Definition {
        feature,
        name,
        r#type,
        unit,
        meaning,
        basis: Basis::Population,
    }
}

/// All features, in the order of columns.
pub const CATALOGUE: [Definition; N_FEATURES] = [
    own(
        Feature::AccountAgeDays,
        "account.age_days",
        Type::Integer,
        "days",
        "days since the account came to the tenant",
    ),
    own(
        Feature::FirmoIndustry,
        "firmo.industry",
        Type::Text,
        "",
        "industry as the tenant names it",
    ),
    own(
        Feature::FirmoEmployeeCount,
        "firmo.employee_count",
        Type::Integer,
        "people",
        "number of employees",
    ),
    own(
        Feature::UsageActiveDays28d,
        "usage.active_days_28d",
        Type::Integer,
        "days",
        "days with at least one event, of the last 28: the day under way, which is whole only at its close, and the 27 before it",
    ),
    own(
        Feature::UsageActiveUsers28d,
        "usage.active_users_28d",
        Type::Integer,
        "users",
        "users with at least one event on the days that usage.active_days_28d counts",
    ),
    own(
        Feature::UsageEvents28d,
        "usage.events_28d",
        Type::Integer,
        "events",
        "events on the days that usage.active_days_28d counts",
    ),
    own(
        Feature::UsageTrend28d,
        "usage.trend_28d",
        Type::Number,
        "ratio",
        "events on the days that usage.active_days_28d counts over those on the 28 days before, less 1; unknown where there were none before",
    ),
    own(
        Feature::UsageProductFeatures28d,
        "usage.product_features_28d",
        Type::Integer,
        "product features",
        "distinct product features used on the days that usage.active_days_28d counts",
    ),
    own(
        Feature::UsageRegularity90d,
        "usage.regularity_90d",
        Type::Number,
        "0 to 1",
        "how evenly active days lie over 90 days, the day under way and the 89 before it: 1 less the coefficient of variation of the gaps; unknown below three active days",
    ),
    own(
        Feature::UsageDaysSinceActive,
        "usage.days_since_active",
        Type::Integer,
        "days",
        "days since the last day with an event",
    ),
    own(
        Feature::PurchaseCount,
        "purchase.count",
        Type::Integer,
        "payments",
        "payments that came",
    ),
    own(
        Feature::PurchaseTotalMinor,
        "purchase.total_minor",
        Type::Integer,
        "minor units of the base currency",
        "payments that came, less what was paid back",
    ),
    own(
        Feature::PurchaseFirstAt,
        "purchase.first_at",
        Type::Time,
        "",
        "when the first payment came",
    ),
    own(
        Feature::PurchaseLastAt,
        "purchase.last_at",
        Type::Time,
        "",
        "when the last payment came",
    ),
    own(
        Feature::PurchaseDaysSinceLast,
        "purchase.days_since_last",
        Type::Integer,
        "days",
        "days since the last payment came",
    ),
    own(
        Feature::RevenueMrrMinor,
        "revenue.mrr_minor",
        Type::Recurring,
        "minor units of the base currency",
        "monthly recurring revenue",
    ),
    own(
        Feature::RevenueArrMinor,
        "revenue.arr_minor",
        Type::Recurring,
        "minor units of the base currency",
        "twelve times the exact monthly recurring revenue",
    ),
    own(
        Feature::RevenueMrrChange90dMinor,
        "revenue.mrr_change_90d_minor",
        Type::Recurring,
        "minor units of the base currency",
        "monthly recurring revenue less that at the end of the 90th day before",
    ),
    own(
        Feature::RevenueSeats,
        "revenue.seats",
        Type::Integer,
        "seats",
        "quantity of the plans that may be used",
    ),
    own(
        Feature::UsageSeatShare,
        "usage.seat_share",
        Type::Number,
        "ratio",
        "usage.active_users_28d over seats; unknown without seats",
    ),
    own(
        Feature::SubscriptionStatus,
        "subscription.status",
        Type::Text,
        "",
        "none, trialing, trial_expired, active, past_due, cancel_scheduled, paused or canceled",
    ),
    own(
        Feature::SubscriptionPayingDays,
        "subscription.paying_days",
        Type::Integer,
        "days",
        "days since the present spell of paying began; unknown where the account does not pay",
    ),
    own(
        Feature::SubscriptionDaysSinceChurn,
        "subscription.days_since_churn",
        Type::Integer,
        "days",
        "days since the last spell of paying ended; unknown where it did not",
    ),
    own(
        Feature::SubscriptionChurnKind,
        "subscription.churn_kind",
        Type::Text,
        "",
        "why the last spell of paying ended: voluntary, involuntary, paused or to_free; unknown where it did not",
    ),
    own(
        Feature::ContractDaysToRenewal,
        "contract.days_to_renewal",
        Type::Integer,
        "days",
        "days until the next renewal, in the zone of the account's trait timezone, else the tenant's; unknown where none is known",
    ),
    population(
        Feature::RevenueMrrPercentile,
        "revenue.mrr_percentile",
        Type::Number,
        "0 to 100",
        "share of the accounts paying at the last close with less MRR, in percent, rounded down to a whole percent; unknown where the account does not pay",
    ),
    population(
        Feature::RevenuePayingAccounts,
        "revenue.paying_accounts",
        Type::Integer,
        "accounts",
        "accounts of the tenant that paid at the last close, whose percents revenue.mrr_percentile counts",
    ),
    population(
        Feature::RfmBasis,
        "rfm.basis",
        Type::Text,
        "",
        "what the three scores are computed from: purchases or usage; unknown where no account could be scored at the last close",
    ),
    population(
        Feature::RfmRecency,
        "rfm.recency",
        Type::Integer,
        "1 to 5",
        "recency score, 5 is best",
    ),
    population(
        Feature::RfmFrequency,
        "rfm.frequency",
        Type::Integer,
        "1 to 5",
        "frequency score, 5 is best",
    ),
    population(
        Feature::RfmMonetary,
        "rfm.monetary",
        Type::Integer,
        "1 to 5",
        "monetary score, 5 is best",
    ),
    population(
        Feature::RfmRecencyNear,
        "rfm.recency_near",
        Type::Integer,
        "1 to 5",
        "recency score across a threshold that less than 2 % of the accounts lie away; unknown where none is so close",
    ),
    population(
        Feature::RfmFrequencyNear,
        "rfm.frequency_near",
        Type::Integer,
        "1 to 5",
        "frequency score across a threshold that less than 2 % of the accounts lie away; unknown where none is so close",
    ),
    population(
        Feature::RfmMonetaryNear,
        "rfm.monetary_near",
        Type::Integer,
        "1 to 5",
        "monetary score across a threshold that less than 2 % of the accounts lie away; unknown where none is so close",
    ),
    population(
        Feature::ClvAliveProbability,
        "clv.alive_probability",
        Type::Number,
        "0 to 1",
        "probability that the account will ever buy again (BG/NBD); 1 for every account that bought on one day only, however long ago, for by the model accounts leave only after a repeat purchase",
    ),
    population(
        Feature::ClvExpectedPurchases12m,
        "clv.expected_purchases_12m",
        Type::Number,
        "purchases",
        "expected purchases of the next 12 months (BG/NBD)",
    ),
    population(
        Feature::ClvValue12mMinor,
        "clv.value_12m_minor",
        Type::Integer,
        "minor units of the base currency",
        "expected value of the purchases of the next 12 months, discounted (BG/NBD and Gamma-Gamma)",
    ),
    population(
        Feature::ClvExpectedSpendMinor,
        "clv.expected_spend_minor",
        Type::Integer,
        "minor units of the base currency",
        "expected amount of a purchase of the account (Gamma-Gamma)",
    ),
];

impl Feature {
    /// Place in the catalogue.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its definition.
    #[must_use]
    pub const fn definition(self) -> &'static Definition {
        &CATALOGUE[self.index()]
    }

    /// Its name, such as "usage.active_days_28d".
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// The model that it comes from; `None`: the account's own facts.
    #[must_use]
    pub const fn model(self) -> Option<&'static str> {
        match self {
            Self::RfmBasis
            | Self::RfmRecency
            | Self::RfmFrequency
            | Self::RfmMonetary
            | Self::RfmRecencyNear
            | Self::RfmFrequencyNear
            | Self::RfmMonetaryNear => Some(population::RFM),
            Self::RevenueMrrPercentile | Self::RevenuePayingAccounts => {
                Some(population::MRR_PERCENTILE)
            },
            Self::ClvAliveProbability
            | Self::ClvExpectedPurchases12m
            | Self::ClvValue12mMinor
            | Self::ClvExpectedSpendMinor => Some(population::CLV),
            Self::AccountAgeDays
            | Self::FirmoIndustry
            | Self::FirmoEmployeeCount
            | Self::UsageActiveDays28d
            | Self::UsageActiveUsers28d
            | Self::UsageEvents28d
            | Self::UsageTrend28d
            | Self::UsageProductFeatures28d
            | Self::UsageRegularity90d
            | Self::UsageDaysSinceActive
            | Self::PurchaseCount
            | Self::PurchaseTotalMinor
            | Self::PurchaseFirstAt
            | Self::PurchaseLastAt
            | Self::PurchaseDaysSinceLast
            | Self::RevenueMrrMinor
            | Self::RevenueArrMinor
            | Self::RevenueMrrChange90dMinor
            | Self::RevenueSeats
            | Self::UsageSeatShare
            | Self::SubscriptionStatus
            | Self::SubscriptionPayingDays
            | Self::SubscriptionDaysSinceChurn
            | Self::SubscriptionChurnKind
            | Self::ContractDaysToRenewal => None,
        }
    }

    /// The feature of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        CATALOGUE
            .iter()
            .find(|definition| definition.name == name)
            .map(|definition| definition.feature)
    }
}
