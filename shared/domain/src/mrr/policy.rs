//! The points on which definitions of recurring revenue differ, as data: explicit, versioned and hashed.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::mrr::Window;
use crate::time::{Day, Instant, Zone};

/// Under which date lost revenue is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChurnDate {
    /// At the end of the term that was paid.
    ServicePeriodEnd,
    /// When the subscription ends, even if its term was paid for longer.
    SubscriptionEnd,
    /// When the cancellation becomes known, even if service goes on.
    CancellationNotice,
}

/// Accounts that join and leave within one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntraPeriod {
    /// In the ledger, not among the lost accounts of the churn rate.
    ExcludedFromRate,
    /// Among the lost accounts of the churn rate as well.
    Counted,
}

/// Discounts that end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FiniteCoupon {
    /// They reduce revenue while they last.
    Subtract,
    /// Only discounts that last forever reduce revenue.
    Ignore,
}

/// How long unpaid revenue counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PastDueGrace {
    /// For so many days from the start of the unpaid period.
    Days(u16),
    /// Until the billing system gives up.
    UntilUnpaidOrCanceled,
}

/// Paused subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PauseRule {
    /// No revenue.
    Zero,
    /// Revenue as before.
    KeepsCounting,
}

/// From paid to free of charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToFreeRule {
    /// Churn; paying again is a reactivation.
    Churn,
    /// Contraction to nothing; paying again is an expansion.
    Contraction,
}

/// How long a returning account is a reactivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReactivationWindow {
    /// For ever.
    AnyTime,
    /// For so many days; after them it is new.
    Days(u16),
}

/// Revenue of returned accounts in net revenue retention and net revenue churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NrrReactivation {
    /// Left out.
    Excluded,
    /// Added.
    Included,
}

/// What lost accounts are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogoDenominator {
    /// The accounts at the start of the period.
    StartOfPeriod,
    /// Those and the ones that joined in the period.
    StartPlusNew,
}

/// A point of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyPoint {
    /// [`MetricPolicy::churn_date`].
    ChurnDate,
    /// [`MetricPolicy::intra_period`].
    IntraPeriod,
    /// [`MetricPolicy::finite_coupon`].
    FiniteCoupon,
    /// [`MetricPolicy::past_due_grace`].
    PastDueGrace,
    /// [`MetricPolicy::pause`].
    Pause,
    /// [`MetricPolicy::to_free`].
    ToFree,
    /// [`MetricPolicy::reactivation_window`].
    ReactivationWindow,
    /// [`MetricPolicy::nrr_reactivation`].
    NrrReactivation,
    /// [`MetricPolicy::logo_denominator`].
    LogoDenominator,
}

impl PolicyPoint {
    /// The key of the point.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChurnDate => "churn_date",
            Self::IntraPeriod => "intra_period",
            Self::FiniteCoupon => "finite_coupon",
            Self::PastDueGrace => "past_due_grace_d",
            Self::Pause => "pause",
            Self::ToFree => "to_free",
            Self::ReactivationWindow => "reactivation_window_d",
            Self::NrrReactivation => "nrr_reactivation",
            Self::LogoDenominator => "logo_denominator",
        }
    }
}

/// Whose definitions a policy follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// Ours.
    Sextant,
    /// Stripe Billing's glossary.
    Stripe,
    /// ChartMogul's help centre.
    ChartMogul,
    /// Baremetrics' changelog.
    Baremetrics,
    /// ProfitWell's learning pages.
    ProfitWell,
    /// Maxio, as described by ProfitWell's comparison page.
    Maxio,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 6] = [
        Self::Sextant,
        Self::Stripe,
        Self::ChartMogul,
        Self::Baremetrics,
        Self::ProfitWell,
        Self::Maxio,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sextant => "sextant",
            Self::Stripe => "stripe",
            Self::ChartMogul => "chartmogul",
            Self::Baremetrics => "baremetrics",
            Self::ProfitWell => "profitwell",
            Self::Maxio => "maxio",
        }
    }

    /// Reads the stable name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == text)
    }

    /// The points on which this vendor has published nothing usable: there the policy takes our default.
    #[must_use]
    pub const fn unpublished(self) -> &'static [PolicyPoint] {
        use PolicyPoint as P;
        match self {
            Self::Sextant => &[],
            Self::Stripe => &[
                P::Pause,
                P::ToFree,
                P::ReactivationWindow,
                P::NrrReactivation,
            ],
            // ChartMogul leaves the handling of past-due revenue to a setting of the user.
            Self::ChartMogul => &[P::PastDueGrace, P::Pause, P::ToFree],
            // Baremetrics' formula of net retention forgets contraction, and reactivation is shown in some views only.
            Self::Baremetrics => &[
                P::ChurnDate,
                P::FiniteCoupon,
                P::PastDueGrace,
                P::Pause,
                P::ToFree,
                P::ReactivationWindow,
                P::NrrReactivation,
            ],
            Self::ProfitWell => &[P::ToFree, P::NrrReactivation, P::LogoDenominator],
            Self::Maxio => &[
                P::PastDueGrace,
                P::ToFree,
                P::NrrReactivation,
                P::LogoDenominator,
            ],
        }
    }
}

/// How recurring revenue, movements and retention are defined. Trials and metered use never count under any preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricPolicy {
    /// Version, stored with every movement.
    pub version: u32,
    /// Whose definitions it started from.
    pub preset: Preset,
    /// Date of lost revenue.
    pub churn_date: ChurnDate,
    /// Accounts that join and leave within one period.
    pub intra_period: IntraPeriod,
    /// Discounts that end.
    pub finite_coupon: FiniteCoupon,
    /// How long unpaid revenue counts.
    pub past_due_grace: PastDueGrace,
    /// Paused subscriptions.
    pub pause: PauseRule,
    /// From paid to free of charge.
    pub to_free: ToFreeRule,
    /// How long a returning account is a reactivation.
    pub reactivation_window: ReactivationWindow,
    /// Returned accounts in net retention.
    pub nrr_reactivation: NrrReactivation,
    /// What lost accounts are divided by.
    pub logo_denominator: LogoDenominator,
    /// Days of a pause after which the account counts as lost.
    pub paused_logo_days: u16,
    /// Days after the end of a month at which its books close.
    pub books_close_after_days: u16,
    /// Zone in which months begin: the tenant's.
    pub zone: Zone,
}

impl MetricPolicy {
    /// Version 1 of a preset. Unpublished points take our default: see [`Preset::unpublished`].
    #[must_use]
    pub fn preset(preset: Preset, zone: Zone) -> Self {
        let ours = Self {
            version: 1,
            preset,
            churn_date: ChurnDate::ServicePeriodEnd,
            intra_period: IntraPeriod::ExcludedFromRate,
            finite_coupon: FiniteCoupon::Subtract,
            past_due_grace: PastDueGrace::Days(28),
            pause: PauseRule::Zero,
            to_free: ToFreeRule::Churn,
            reactivation_window: ReactivationWindow::AnyTime,
            nrr_reactivation: NrrReactivation::Excluded,
            logo_denominator: LogoDenominator::StartOfPeriod,
            paused_logo_days: 90,
            books_close_after_days: 5,
            zone,
        };
        match preset {
            Preset::Sextant => ours,
            Preset::Stripe => Self {
                churn_date: ChurnDate::CancellationNotice,
                intra_period: IntraPeriod::Counted,
                finite_coupon: FiniteCoupon::Ignore,
                past_due_grace: PastDueGrace::UntilUnpaidOrCanceled,
                logo_denominator: LogoDenominator::StartPlusNew,
                ..ours
            },
            Preset::ChartMogul => Self {
                churn_date: ChurnDate::SubscriptionEnd,
                nrr_reactivation: NrrReactivation::Included,
                ..ours
            },
            Preset::Baremetrics => Self {
                intra_period: IntraPeriod::Counted,
                ..ours
            },
            Preset::ProfitWell => Self {
                past_due_grace: PastDueGrace::Days(15),
                ..ours
            },
            Preset::Maxio => Self {
                churn_date: ChurnDate::CancellationNotice,
                intra_period: IntraPeriod::Counted,
                pause: PauseRule::KeepsCounting,
                reactivation_window: ReactivationWindow::Days(90),
                ..ours
            },
        }
    }

    /// First 64 bits of the SHA-256 of all points in one canonical text. The version is not part of it: equal
    /// definitions have equal hashes.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let digest = Sha256::digest(self.canonical().as_bytes());
        let mut head = [0_u8; 8];
        head.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(head)
    }

    /// The month that holds an instant, in months since 1970-01.
    #[must_use]
    pub fn month_of(&self, at: Instant) -> i32 {
        self.zone.day_of(at).month()
    }

    /// A calendar month, in months since 1970-01.
    #[must_use]
    pub fn month(&self, month: i32) -> Window {
        let start_of = |month| self.zone.start_of(Day::first_of_month(month));
        Window::spanning(start_of(month), start_of(month + 1))
    }

    /// Start of the first month whose books are still open at an instant.
    #[must_use]
    pub fn books_open_from(&self, at: Instant) -> Instant {
        let closing = self
            .zone
            .day_of(at)
            .plus(-i32::from(self.books_close_after_days));
        self.zone.start_of(Day::first_of_month(closing.month()))
    }

    fn canonical(&self) -> String {
        let churn_date = match self.churn_date {
            ChurnDate::ServicePeriodEnd => "service_period_end",
            ChurnDate::SubscriptionEnd => "subscription_end",
            ChurnDate::CancellationNotice => "cancellation_notice",
        };
        let intra_period = match self.intra_period {
            IntraPeriod::ExcludedFromRate => "excluded_from_rate",
            IntraPeriod::Counted => "counted",
        };
        let finite_coupon = match self.finite_coupon {
            FiniteCoupon::Subtract => "subtract",
            FiniteCoupon::Ignore => "ignore",
        };
        let past_due_grace = match self.past_due_grace {
            PastDueGrace::Days(days) => days.to_string(),
            PastDueGrace::UntilUnpaidOrCanceled => "until_unpaid_or_canceled".to_owned(),
        };
        let pause = match self.pause {
            PauseRule::Zero => "zero",
            PauseRule::KeepsCounting => "keeps_counting",
        };
        let to_free = match self.to_free {
            ToFreeRule::Churn => "churn",
            ToFreeRule::Contraction => "contraction",
        };
        let reactivation_window = match self.reactivation_window {
            ReactivationWindow::AnyTime => "any_time".to_owned(),
            ReactivationWindow::Days(days) => days.to_string(),
        };
        let nrr_reactivation = match self.nrr_reactivation {
            NrrReactivation::Excluded => "excluded",
            NrrReactivation::Included => "included",
        };
        let logo_denominator = match self.logo_denominator {
            LogoDenominator::StartOfPeriod => "start_of_period",
            LogoDenominator::StartPlusNew => "start_plus_new",
        };
        let points = [
            (PolicyPoint::ChurnDate.as_str(), churn_date),
            (PolicyPoint::IntraPeriod.as_str(), intra_period),
            (PolicyPoint::FiniteCoupon.as_str(), finite_coupon),
            (PolicyPoint::PastDueGrace.as_str(), &past_due_grace),
            (PolicyPoint::Pause.as_str(), pause),
            (PolicyPoint::ToFree.as_str(), to_free),
            (
                PolicyPoint::ReactivationWindow.as_str(),
                &reactivation_window,
            ),
            (PolicyPoint::NrrReactivation.as_str(), nrr_reactivation),
            (PolicyPoint::LogoDenominator.as_str(), logo_denominator),
            ("paused_logo_days", &self.paused_logo_days.to_string()),
            (
                "books_close_after_days",
                &self.books_close_after_days.to_string(),
            ),
            ("zone", self.zone.name()),
        ];
        points.iter().fold(String::new(), |mut text, (key, value)| {
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "{key}={value}");
            text
        })
    }
}
