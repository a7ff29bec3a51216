//! Who an account is: what never changes, drawn once.

use crate::generate::draw::{Draw, cumulative, whole};

/// Size class of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Buys by itself, about 2 seats.
    SelfServe,
    /// Small and medium business, about 8 seats.
    Smb,
    /// Middle of the market, about 40 seats.
    Mid,
    /// Large, about 220 seats.
    Enterprise,
}

/// What an account wants the product for. Nothing in the records names it: it shows in the features that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Seeing what happens.
    Reporting,
    /// Doing less by hand.
    Automation,
    /// Working together.
    Collaboration,
    /// Joining systems.
    Integration,
    /// Keeping control.
    Governance,
}

/// How often an account pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// Every month, at the list price.
    Month,
    /// Every year, at 83 % of twelve list prices.
    Year,
}

/// How an account tried the product before it paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrialKind {
    /// Without a payment method: 12 % go on to pay.
    OptIn,
    /// With one: 45 % go on to pay.
    OptOut,
}

/// Share of new accounts that begin with each kind of trial.
const OPT_IN_SHARE: f64 = 0.20;
const OPT_OUT_SHARE: f64 = 0.15;
const OPT_IN_CONVERSION: f64 = 0.12;
const OPT_OUT_CONVERSION: f64 = 0.45;
/// Share of new accounts that come to pay.
pub(crate) const PAYING_SHARE: f64 =
    1.0 - OPT_IN_SHARE * (1.0 - OPT_IN_CONVERSION) - OPT_OUT_SHARE * (1.0 - OPT_OUT_CONVERSION);

/// A currency that accounts pay in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Currency {
    /// The company's base currency.
    Usd,
    Eur,
    Gbp,
}

/// Where an account is.
#[derive(Debug)]
pub(crate) struct Country {
    pub(crate) code: &'static str,
    pub(crate) zone: &'static str,
    pub(crate) currency: Currency,
    share: f64,
}

const fn country(
    code: &'static str,
    zone: &'static str,
    currency: Currency,
    share: f64,
) -> Country {
    Country {
        code,
        zone,
        currency,
        share,
    }
}

/// The countries and zones of the accounts.
pub(crate) const COUNTRIES: [Country; 14] = [
    country("US", "America/New_York", Currency::Usd, 0.24),
    country("US", "America/Chicago", Currency::Usd, 0.13),
    country("US", "America/Los_Angeles", Currency::Usd, 0.15),
    country("CA", "America/Toronto", Currency::Usd, 0.06),
    country("GB", "Europe/London", Currency::Gbp, 0.11),
    country("DE", "Europe/Berlin", Currency::Eur, 0.08),
    country("FR", "Europe/Paris", Currency::Eur, 0.05),
    country("NL", "Europe/Amsterdam", Currency::Eur, 0.03),
    country("ES", "Europe/Madrid", Currency::Eur, 0.03),
    country("PL", "Europe/Warsaw", Currency::Eur, 0.03),
    country("IN", "Asia/Kolkata", Currency::Usd, 0.03),
    country("SG", "Asia/Singapore", Currency::Usd, 0.02),
    country("AU", "Australia/Sydney", Currency::Usd, 0.03),
    country("BR", "America/Sao_Paulo", Currency::Usd, 0.01),
];

/// Parameters of a tier.
#[derive(Debug)]
pub(crate) struct Parameters {
    share: f64,
    /// Mean of the logarithm of seats is the logarithm of this.
    seats_median: f64,
    seats_sigma: f64,
    /// USD cents per seat and month before discounts.
    pub(crate) list_price_cents: f64,
    annual_share: f64,
    /// Constant of the monthly hazard's logit.
    pub(crate) hazard_base: f64,
    /// Probability of leaving by failed payments, per month of a monthly contract.
    pub(crate) involuntary: f64,
    /// Employees per seat, typically.
    employees_per_seat: f64,
    /// Rank of the plan that accounts of this tier begin on; 0 is never reached.
    pub(crate) rank: u32,
}

const SELF_SERVE: Parameters = Parameters {
    share: 0.62,
    seats_median: 2.0,
    seats_sigma: 0.6,
    list_price_cents: 1500.0,
    annual_share: 0.15,
    hazard_base: -3.55,
    involuntary: 0.009,
    employees_per_seat: 4.0,
    rank: 10,
};
const SMB: Parameters = Parameters {
    share: 0.28,
    seats_median: 8.0,
    seats_sigma: 0.7,
    list_price_cents: 2900.0,
    annual_share: 0.35,
    hazard_base: -4.25,
    involuntary: 0.006,
    employees_per_seat: 5.0,
    rank: 20,
};
const MID: Parameters = Parameters {
    share: 0.085,
    seats_median: 40.0,
    seats_sigma: 0.8,
    list_price_cents: 4900.0,
    annual_share: 0.65,
    hazard_base: -4.95,
    involuntary: 0.0035,
    employees_per_seat: 8.0,
    rank: 30,
};
const ENTERPRISE: Parameters = Parameters {
    share: 0.015,
    seats_median: 220.0,
    seats_sigma: 0.9,
    list_price_cents: 7900.0,
    annual_share: 0.92,
    hazard_base: -5.60,
    involuntary: 0.001,
    employees_per_seat: 15.0,
    rank: 40,
};

impl Tier {
    /// All tiers, smallest first.
    pub const ALL: [Self; 4] = [Self::SelfServe, Self::Smb, Self::Mid, Self::Enterprise];

    /// Name as it stands in ids of plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SelfServe => "starter",
            Self::Smb => "team",
            Self::Mid => "business",
            Self::Enterprise => "enterprise",
        }
    }

    pub(crate) fn parameters(self) -> &'static Parameters {
        match self {
            Self::SelfServe => &SELF_SERVE,
            Self::Smb => &SMB,
            Self::Mid => &MID,
            Self::Enterprise => &ENTERPRISE,
        }
    }
}

impl Need {
    /// All needs.
    pub const ALL: [Self; 5] = [
        Self::Reporting,
        Self::Automation,
        Self::Collaboration,
        Self::Integration,
        Self::Governance,
    ];
}

/// What an account is, from its first day to its last.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) tier: Tier,
    pub(crate) need: Need,
    /// How well the product fits, standard normal; it drives usage and with it growth and loss.
    pub(crate) fit: f64,
    /// How much more this account does than others of its size and usage, a factor.
    pub(crate) intensity: f64,
    pub(crate) seats: u32,
    pub(crate) interval: Interval,
    pub(crate) country: usize,
    pub(crate) employees: u32,
}

impl Profile {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let tier =
            Tier::ALL[draw.index(&cumulative(Tier::ALL.map(|tier| tier.parameters().share)))];
        let parameters = tier.parameters();
        let seats = (parameters.seats_median.ln() + parameters.seats_sigma * draw.normal()).exp();
        let seats = whole(seats.round()).max(1);
        let people = f64::from(seats) * parameters.employees_per_seat * (0.5 * draw.normal()).exp();
        Self {
            tier,
            need: draw.pick(&Need::ALL),
            fit: draw.normal(),
            intensity: (0.8 * draw.normal() - 0.32).exp(),
            seats,
            interval: if draw.chance(parameters.annual_share) {
                Interval::Year
            } else {
                Interval::Month
            },
            country: draw.index(&cumulative(COUNTRIES.map(|country| country.share))),
            employees: whole(people).max(seats),
        }
    }
}

impl TrialKind {
    /// How a new account begins; `None`: it pays at once.
    pub(crate) fn draw(draw: &mut Draw) -> Option<Self> {
        match draw.unit() {
            ..OPT_IN_SHARE => Some(Self::OptIn),
            part if part < OPT_IN_SHARE + OPT_OUT_SHARE => Some(Self::OptOut),
            _ => None,
        }
    }

    pub(crate) fn conversion(self) -> f64 {
        match self {
            Self::OptIn => OPT_IN_CONVERSION,
            Self::OptOut => OPT_OUT_CONVERSION,
        }
    }
}
