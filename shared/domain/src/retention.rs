//! Retention and churn of the accounts that could be lost at the start of a window, and unit metrics beside them.
//!
//! With C the accounts that pay at t0 and a(t) an account's recurring revenue: NRR = Σ_C a(t1) / Σ_C a(t0) and
//! GRR = Σ_C min(a(t1), a(t0)) / Σ_C a(t0), the minimum taken per account. A sum of flows would count twice what
//! leaves and returns; rates from flows are separate, named functions.
//!
//! Logos are counted on a wider set: the accounts that pay at t0 or are paused for less than the policy's limit, of which those
//! are lost that are neither at t1. An account that pauses is lost when its pause reaches the limit, in whichever window that
//! is, so it has to be below the line there; counted on C alone it would leave without ever being lost.

use crate::mrr::{
    Flows, IntraPeriod, LogoDenominator, MetricPolicy, Mrr, NrrReactivation, Waterfall, Window,
};
use crate::subscription::{AccountBilling, Summary};
use crate::time::Instant;

/// A share with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// Above the line.
    pub numerator: i128,
    /// Below the line: never zero.
    pub denominator: i128,
}

impl Ratio {
    /// `None` if there is nothing below the line: a rate of nothing is neither zero nor infinite.
    #[must_use]
    pub fn of(numerator: i128, denominator: i128) -> Option<Self> {
        (denominator != 0).then_some(Self {
            numerator,
            denominator,
        })
    }

    /// The quotient, for people and models to read.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio is read to a few digits"
    )]
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    fn complement(self) -> Self {
        Self {
            numerator: self.denominator - self.numerator,
            denominator: self.denominator,
        }
    }
}

/// An account at one end of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edge {
    /// Its recurring revenue.
    pub mrr: Mrr,
    /// Whole days for which it has been paused; absent if it is not.
    pub days_paused: Option<i64>,
}

impl Edge {
    /// A paying or lost account.
    #[must_use]
    pub const fn with(mrr: Mrr) -> Self {
        Self {
            mrr,
            days_paused: None,
        }
    }

    /// Whether the account is there to be lost: it pays, or its pause is still short.
    fn is_logo(&self, policy: &MetricPolicy) -> bool {
        let limit = i64::from(policy.paused_logo_days);
        self.mrr > Mrr::ZERO || self.days_paused.is_some_and(|days| days < limit)
    }
}

impl From<Summary> for Edge {
    fn from(summary: Summary) -> Self {
        Self {
            mrr: summary.mrr,
            days_paused: summary.days_paused(),
        }
    }
}

/// What the past of an account was before a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It never paid.
    NeverPaid,
    /// It paid at some time.
    Paid,
}

/// One account over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPeriod {
    /// Just before the window.
    pub opening: Edge,
    /// At its end.
    pub closing: Edge,
    /// Before the window.
    pub past: Past,
    /// Highest revenue at any time within.
    pub peak: Mrr,
}

impl AccountPeriod {
    /// An account's window as known at an instant. What happens at the first instant of the window is inside it, as
    /// in a waterfall.
    #[must_use]
    pub fn of(billing: &AccountBilling, window: Window, known_at: Instant) -> Self {
        let points = billing.points(known_at);
        let opening = Summary::of(&points, window.from().plus_us(-1));
        let closing = Summary::of(&points, window.to().plus_us(-1));
        let within = points
            .iter()
            .filter(|point| window.from() <= point.at && point.at < window.to());
        let peak = within
            .map(|point| point.state.mrr)
            .fold(opening.mrr, Mrr::max);
        let past = if opening.ever_paid {
            Past::Paid
        } else {
            Past::NeverPaid
        };
        Self {
            opening: opening.into(),
            closing: closing.into(),
            past,
            peak,
        }
    }
}

/// Sums over accounts from which all rates of a window follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Accounts there at the start: paying, or paused for less than the policy's limit.
    pub n_opening: u64,
    /// Those of them that are not there at the end.
    pub n_lost: u64,
    /// Accounts that were not there at the start and paid within.
    pub n_joined: u64,
    /// Those of them that are gone at the end.
    pub n_joined_and_left: u64,
    /// Accounts that pay at the end.
    pub n_paying: u64,
    /// Σ_C a(t0).
    pub opening: Mrr,
    /// Σ_C a(t1).
    pub retained: Mrr,
    /// Σ_C min(a(t1), a(t0)).
    pub retained_gross: Mrr,
    /// Revenue at the end of accounts that did not pay at the start but before.
    pub returned: Mrr,
    /// Revenue at the end of all accounts.
    pub closing: Mrr,
    intra_period: IntraPeriod,
    nrr_reactivation: NrrReactivation,
    logo_denominator: LogoDenominator,
}

impl Retention {
    /// Sums up accounts over the same window.
    #[must_use]
    pub fn of<'a>(
        accounts: impl IntoIterator<Item = &'a AccountPeriod>,
        policy: &MetricPolicy,
    ) -> Self {
        let mut sums = Self {
            n_opening: 0,
            n_lost: 0,
            n_joined: 0,
            n_joined_and_left: 0,
            n_paying: 0,
            opening: Mrr(0),
            retained: Mrr(0),
            retained_gross: Mrr(0),
            returned: Mrr(0),
            closing: Mrr(0),
            intra_period: policy.intra_period,
            nrr_reactivation: policy.nrr_reactivation,
            logo_denominator: policy.logo_denominator,
        };
        for account in accounts {
            sums.add_logo(account, policy);
            sums.add_revenue(account);
        }
        sums
    }

    fn add_logo(&mut self, account: &AccountPeriod, policy: &MetricPolicy) {
        let stays = account.closing.is_logo(policy);
        if account.opening.is_logo(policy) {
            self.n_opening += 1;
            self.n_lost += u64::from(!stays);
        } else if account.peak > Mrr::ZERO {
            self.n_joined += 1;
            self.n_joined_and_left += u64::from(!stays);
        }
        self.n_paying += u64::from(account.closing.mrr > Mrr::ZERO);
    }

    fn add_revenue(&mut self, account: &AccountPeriod) {
        let (opening, closing) = (account.opening.mrr.0, account.closing.mrr.0);
        self.closing.0 += closing;
        if opening > 0 {
            self.opening.0 += opening;
            self.retained.0 += closing;
            self.retained_gross.0 += closing.min(opening);
        } else if account.past == Past::Paid {
            self.returned.0 += closing;
        }
    }

    /// Net revenue retention, with or without returned accounts as the policy says; `None` without opening revenue.
    #[must_use]
    pub fn nrr(&self) -> Option<Ratio> {
        match self.nrr_reactivation {
            NrrReactivation::Excluded => Ratio::of(self.retained.0, self.opening.0),
            NrrReactivation::Included => self.nrr_with_reactivation(),
        }
    }

    /// Net revenue retention with the revenue of accounts that returned in the window.
    #[must_use]
    pub fn nrr_with_reactivation(&self) -> Option<Ratio> {
        Ratio::of(self.retained.0 + self.returned.0, self.opening.0)
    }

    /// Gross revenue retention: from 0 to 1, never above NRR.
    #[must_use]
    pub fn grr(&self) -> Option<Ratio> {
        Ratio::of(self.retained_gross.0, self.opening.0)
    }

    /// Gross revenue churn, `1 − GRR`: cancellations and downgrades.
    #[must_use]
    pub fn gross_revenue_churn(&self) -> Option<Ratio> {
        self.grr().map(Ratio::complement)
    }

    /// Net revenue churn, `1 − NRR`: negative if the accounts that stayed grew more than others cost.
    #[must_use]
    pub fn net_revenue_churn(&self) -> Option<Ratio> {
        self.nrr().map(Ratio::complement)
    }

    /// Share of the opening accounts that are lost. A paused account is not lost before the policy's limit; whether
    /// accounts that join and leave in the window count, above and below the line, is the policy's choice.
    /// Example: 100 at the start, 11 cancelled, of which one joined in the window → 10 / 100.
    #[must_use]
    pub fn logo_churn(&self) -> Option<Ratio> {
        let lost = match self.intra_period {
            IntraPeriod::ExcludedFromRate => self.n_lost,
            IntraPeriod::Counted => self.n_lost + self.n_joined_and_left,
        };
        let base = match self.logo_denominator {
            LogoDenominator::StartOfPeriod => self.n_opening,
            LogoDenominator::StartPlusNew => self.n_opening + self.n_joined,
        };
        Ratio::of(lost.into(), base.into())
    }

    /// Average revenue per paying account at the end of the window, in [`Mrr`] units; `None` without paying accounts.
    #[must_use]
    pub fn arpa(&self) -> Option<Ratio> {
        Ratio::of(self.closing.0, self.n_paying.into())
    }
}

/// Gross churn rate from flows, `(churn + contraction) / start`: a metric of its own that counts twice what leaves and
/// returns. `None` without opening revenue.
#[must_use]
pub fn gross_mrr_churn_of_flows(waterfall: &Waterfall) -> Option<Ratio> {
    let flows = waterfall.flows();
    Ratio::of(flows.churn.0 + flows.contraction.0, waterfall.start().0)
}

/// Net churn rate from flows, `(churn + contraction − expansion) / start`, reactivation subtracted as well if included
/// (ChartMogul). `None` without opening revenue.
/// Example: start 100, churn 10, contraction 10, expansion 10 → 10 / 100.
#[must_use]
pub fn net_mrr_churn_of_flows(
    waterfall: &Waterfall,
    reactivation: NrrReactivation,
) -> Option<Ratio> {
    let flows = waterfall.flows();
    let returned = match reactivation {
        NrrReactivation::Excluded => 0,
        NrrReactivation::Included => flows.reactivation.0,
    };
    let lost = flows.churn.0 + flows.contraction.0 - flows.expansion.0 - returned;
    Ratio::of(lost, waterfall.start().0)
}

/// Gains over losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuickRatio {
    /// `(new + reactivation + expansion) / (contraction + churn)`; `None` if nothing was lost.
    pub with_reactivation: Option<Ratio>,
    /// The same without reactivation, as Baremetrics states it.
    pub without_reactivation: Option<Ratio>,
    /// Nothing was lost, so there is no ratio.
    pub no_losses: bool,
}

impl QuickRatio {
    /// The quick ratio of a window's flows.
    #[must_use]
    pub fn of(flows: &Flows) -> Self {
        let lost = flows.contraction.0 + flows.churn.0;
        let gained = flows.new.0 + flows.expansion.0;
        Self {
            with_reactivation: Ratio::of(gained + flows.reactivation.0, lost),
            without_reactivation: Ratio::of(gained, lost),
            no_losses: lost == 0,
        }
    }
}

#[cfg(test)]
mod tests;
