//! What the subscriptions of an account say about it at an instant.

use crate::mrr::Mrr;
use crate::subscription::{ChurnKind, Point, Standing, State};
use crate::time::{DAY_US, Instant, Zone};

/// An account's billing status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountStatus {
    /// No subscription ever started.
    None,
    /// In a trial.
    Trialing,
    /// The trial ended without a paid subscription.
    TrialExpired,
    /// A subscription is served, paid or free of charge.
    Active,
    /// A served subscription has an unpaid invoice, within grace.
    PastDue,
    /// Every served subscription is cancelled and runs out.
    CancelScheduled,
    /// Paused.
    Paused,
    /// All subscriptions are over.
    Canceled,
}

impl AccountStatus {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Trialing,
        Self::TrialExpired,
        Self::Active,
        Self::PastDue,
        Self::CancelScheduled,
        Self::Paused,
        Self::Canceled,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Trialing => "trialing",
            Self::TrialExpired => "trial_expired",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::CancelScheduled => "cancel_scheduled",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    /// Reads the stable name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The status that most needs to be known wins: past due, active, cancel scheduled, trialing, paused; then what
    /// is left of an account without service.
    fn of(state: &State<'_>, ever_paid: bool) -> Self {
        let any = |wanted: Standing| state.subscriptions().any(|held| held.standing == wanted);
        let ended = state
            .subscriptions()
            .any(|held| matches!(held.standing, Standing::Ended(_)));
        if any(Standing::PastDue) {
            Self::PastDue
        } else if any(Standing::Active) {
            Self::Active
        } else if any(Standing::CancelScheduled) {
            Self::CancelScheduled
        } else if any(Standing::Trialing) {
            Self::Trialing
        } else if any(Standing::Paused) {
            Self::Paused
        } else if ended || ever_paid {
            Self::Canceled
        } else if any(Standing::TrialExpired) {
            Self::TrialExpired
        } else {
            Self::None
        }
    }
}

/// The end of the last paying spell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Churned {
    /// First instant without recurring revenue.
    pub at: Instant,
    /// Why there is none now.
    pub kind: ChurnKind,
}

/// An account's billing at an instant, as known at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The instant described.
    pub at: Instant,
    /// Recurring revenue in the reporting currency.
    pub mrr: Mrr,
    /// Quantity of the plans that may be used: trialing, active, past due within grace, or running out.
    pub seats: u64,
    /// Status of the account.
    pub status: AccountStatus,
    /// Start of the current spell with recurring revenue; absent if there is none now.
    pub paying_since: Option<Instant>,
    /// End of the last paying spell; absent if the account pays now or never paid.
    pub churned: Option<Churned>,
    /// Earliest coming renewal of a subscription that counts and is not cancelled; absent if unknown.
    pub renews_at: Option<Instant>,
    /// Latest end of the subscriptions that are cancelled and run out.
    pub ends_at: Option<Instant>,
    /// Latest notice of cancellation among the subscriptions that run out.
    pub cancel_notice_at: Option<Instant>,
    /// Whether there was ever recurring revenue up to now.
    pub ever_paid: bool,
}

impl Summary {
    /// The summary at `at`, from the account's points in order.
    pub(crate) fn of(points: &[Point<'_>], at: Instant) -> Self {
        let past = &points[..points.partition_point(|point| point.at <= at)];
        let nothing = State::default();
        let now = past.last().map_or(&nothing, |point| &point.state);
        let spells = Spells::of(past);
        let churned = match (now.mrr == Mrr::ZERO, spells.last_loss) {
            (true, Some(index)) => Some(Churned {
                at: past[index].at,
                kind: now.churn_kind_since(&past[index - 1].state),
            }),
            (true, None) | (false, _) => None,
        };
        let renewals = now
            .subscriptions()
            .filter(|held| held.counts && held.service_end.is_none());
        let leaving = || {
            now.subscriptions()
                .filter(|held| held.standing == Standing::CancelScheduled)
        };
        Self {
            at,
            mrr: now.mrr,
            seats: now.seats(),
            status: AccountStatus::of(now, spells.ever_paid),
            paying_since: spells
                .last_gain
                .filter(|_| now.mrr > Mrr::ZERO)
                .map(|index| past[index].at),
            churned,
            renews_at: renewals
                .filter_map(|held| held.version.subscription.current_period_end)
                .filter(|end| *end > at)
                .min(),
            ends_at: leaving().filter_map(|held| held.service_end).max(),
            cancel_notice_at: leaving().filter_map(|held| held.notice_at).max(),
            ever_paid: spells.ever_paid,
        }
    }

    /// Calendar days until [`Self::renews_at`] in the account's zone.
    #[must_use]
    pub fn days_to_renewal(&self, zone: &Zone) -> Option<i32> {
        self.renews_at
            .map(|renewal| zone.day_of(self.at).days_until(zone.day_of(renewal)))
    }

    /// Whole days of 24 hours for which the account has been paused; absent if it is not.
    #[must_use]
    pub fn days_paused(&self) -> Option<i64> {
        match self.churned {
            Some(Churned {
                at: since,
                kind: ChurnKind::Paused,
            }) => Some(self.at.0.saturating_sub(since.0).div_euclid(DAY_US)),
            Some(_) | None => None,
        }
    }
}

/// Indexes of the points at which revenue last appeared and last vanished.
struct Spells {
    last_gain: Option<usize>,
    last_loss: Option<usize>,
    ever_paid: bool,
}

impl Spells {
    fn of(points: &[Point<'_>]) -> Self {
        let mut spells = Self {
            last_gain: None,
            last_loss: None,
            ever_paid: false,
        };
        let mut paying = false;
        for (index, point) in points.iter().enumerate() {
            let pays = point.state.mrr > Mrr::ZERO;
            match (paying, pays) {
                (false, true) => spells.last_gain = Some(index),
                (true, false) => spells.last_loss = Some(index),
                (true, true) | (false, false) => {},
            }
            paying = pays;
            spells.ever_paid |= pays;
        }
        spells
    }
}
