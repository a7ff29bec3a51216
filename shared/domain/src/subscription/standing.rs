//! What one version of a subscription means at an instant: its standing, and when that changes by itself.

use crate::mrr::{ChurnDate, MetricPolicy, PastDueGrace, PauseRule};
use crate::subscription::{
    Cancellation, CancellationKind, ChurnKind, PaidTerm, Priced, Status, Subscription,
};
use crate::time::{DAY_US, Instant};

/// A subscription's place at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Never started.
    Incomplete,
    Trialing,
    TrialExpired,
    Active,
    PastDue,
    CancelScheduled,
    Paused,
    /// Over, and why.
    Ended(ChurnKind),
}

/// A standing and whether the subscription's amounts are recurring revenue in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    pub(crate) counts: bool,
}

impl Judged {
    const fn counted(standing: Standing) -> Self {
        Self {
            standing,
            counts: true,
        }
    }

    const fn idle(standing: Standing) -> Self {
        Self {
            standing,
            counts: false,
        }
    }
}

/// A version among the known versions of its subscription.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InForce<'a> {
    version: &'a Priced,
    /// Start of the dunning run that this version is part of or ends.
    unpaid_since: Option<Instant>,
    /// How the subscription stood just before a cancelled version began.
    before: Option<Judged>,
}

impl<'a> InForce<'a> {
    /// The version at `index` of a subscription's known versions, ordered by validity.
    pub(crate) fn new(history: &[&'a Priced], index: usize, policy: &MetricPolicy) -> Self {
        // A cancelled version means what the versions before it make of it; several may follow one another.
        let is_canceled = |version: &&&Priced| version.subscription.status == Status::Canceled;
        let n_canceled = history[..=index]
            .iter()
            .rev()
            .take_while(is_canceled)
            .count();
        let first = (index + 1 - n_canceled).saturating_sub(1).min(index);
        let mut in_force = Self {
            version: history[first],
            unpaid_since: unpaid_since(&history[..=first]),
            before: None,
        };
        for version in &history[first + 1..=index] {
            let before = in_force.judge(version.valid_from, policy);
            in_force = Self {
                version,
                unpaid_since: in_force.unpaid_since,
                before: Some(before),
            };
        }
        in_force
    }

    /// The standing at `at`, an instant at which this version holds.
    pub(crate) fn judge(&self, at: Instant, policy: &MetricPolicy) -> Judged {
        let subscription = &self.version.subscription;
        let service_end = self.service_end(policy);
        let over = service_end.is_some_and(|end| end <= at);
        match subscription.status {
            Status::Incomplete | Status::IncompleteExpired => Judged::idle(Standing::Incomplete),
            Status::Trialing if over || trial_is_over(subscription, at) => {
                Judged::idle(Standing::TrialExpired)
            },
            Status::Trialing => Judged::idle(Standing::Trialing),
            Status::Unpaid => Judged::idle(Standing::Ended(ChurnKind::Involuntary)),
            Status::Canceled if self.ended_in_trial() => Judged::idle(Standing::TrialExpired),
            Status::PastDue
                if self.grace_end(policy).is_some_and(|end| end <= at)
                    && !self.left_in_grace(policy) =>
            {
                Judged::idle(Standing::Ended(ChurnKind::Involuntary))
            },
            Status::Canceled | Status::Active | Status::PastDue | Status::Paused if over => {
                Judged::idle(Standing::Ended(self.churn_kind()))
            },
            Status::Paused => paused(policy),
            Status::Active | Status::PastDue if is_paused(subscription, at) => paused(policy),
            Status::Canceled | Status::Active | Status::PastDue => {
                let standing = match (subscription.status, service_end) {
                    (Status::PastDue, _) => Standing::PastDue,
                    (_, Some(_)) => Standing::CancelScheduled,
                    (_, None) => Standing::Active,
                };
                let noticed =
                    service_end.is_some() && policy.churn_date == ChurnDate::CancellationNotice;
                if noticed {
                    Judged::idle(standing)
                } else {
                    Judged::counted(standing)
                }
            },
        }
    }

    /// Instants after `valid_from` at which the standing or the price changes without a new version, unordered.
    pub(crate) fn self_changes(&self, policy: &MetricPolicy) -> impl Iterator<Item = Instant> + 'a {
        let subscription = &self.version.subscription;
        let valid_from = self.version.valid_from;
        let trial_end = match subscription.status {
            Status::Trialing => subscription.trial.map(|trial| trial.end),
            _other => None,
        };
        let single = [
            self.service_end(policy),
            self.grace_end(policy),
            trial_end,
            subscription.pause.and_then(|pause| pause.resumes_at),
        ];
        let coupons = self.version.segments.iter().map(|segment| segment.from);
        single
            .into_iter()
            .flatten()
            .chain(coupons)
            .filter(move |at| *at > valid_from)
    }

    /// When the cancellation was asked for, if there is one.
    pub(crate) fn notice_at(&self) -> Option<Instant> {
        let subscription = &self.version.subscription;
        let scheduled = subscription.cancel_at_period_end || subscription.cancel_at.is_some();
        if !scheduled && subscription.status != Status::Canceled {
            return None;
        }
        Some(subscription.canceled_at.unwrap_or(self.version.valid_from))
    }

    /// First instant without service because of a cancellation. A term that was paid is served to its end, unless the
    /// policy dates churn at the end of the subscription or the term was refunded.
    pub(crate) fn service_end(&self, policy: &MetricPolicy) -> Option<Instant> {
        let subscription = &self.version.subscription;
        let end = match subscription.status {
            Status::Canceled => {
                let ended_at = subscription.ended_at.unwrap_or(self.version.valid_from);
                if !self.before.is_some_and(|before| before.counts) {
                    return Some(ended_at.min(self.version.valid_from));
                }
                ended_at
            },
            _ if subscription.cancel_at_period_end => {
                subscription.current_period_end.or(subscription.cancel_at)?
            },
            _ => subscription.cancel_at?,
        };
        let paid_term = subscription
            .current_period_end
            .filter(|_| self.serves_paid_term(policy));
        Some(paid_term.map_or(end, |term| term.max(end)))
    }

    fn serves_paid_term(&self, policy: &MetricPolicy) -> bool {
        let cancellation = self.cancellation();
        policy.churn_date == ChurnDate::ServicePeriodEnd
            && cancellation.kind == CancellationKind::Voluntary
            && cancellation.paid_term == PaidTerm::Served
            && self.unpaid_since.is_none()
    }

    fn cancellation(&self) -> Cancellation {
        let kind = match self.unpaid_since {
            Some(_) if self.version.subscription.status == Status::Canceled => {
                CancellationKind::Involuntary
            },
            _ => CancellationKind::Voluntary,
        };
        self.version
            .subscription
            .cancellation
            .unwrap_or(Cancellation {
                kind,
                paid_term: PaidTerm::Served,
            })
    }

    fn churn_kind(&self) -> ChurnKind {
        match self.cancellation().kind {
            CancellationKind::Voluntary => ChurnKind::Voluntary,
            CancellationKind::Involuntary => ChurnKind::Involuntary,
        }
    }

    /// Start of the unpaid period plus grace: the instant of involuntary churn of a past-due subscription.
    fn grace_end(&self, policy: &MetricPolicy) -> Option<Instant> {
        match (
            self.version.subscription.status,
            policy.past_due_grace,
            self.unpaid_since,
        ) {
            (Status::PastDue, PastDueGrace::Days(days), Some(since)) => {
                Some(since.plus_us(i64::from(days) * DAY_US))
            },
            _ => None,
        }
    }

    /// Whether a scheduled cancellation takes effect before the grace of a past-due subscription is over.
    fn left_in_grace(&self, policy: &MetricPolicy) -> bool {
        match (self.service_end(policy), self.grace_end(policy)) {
            (Some(end), Some(grace_end)) => end <= grace_end,
            _ => false,
        }
    }

    fn ended_in_trial(&self) -> bool {
        match self.before.map(|before| before.standing) {
            Some(Standing::Trialing | Standing::TrialExpired) => true,
            Some(
                Standing::Incomplete
                | Standing::Active
                | Standing::PastDue
                | Standing::CancelScheduled
                | Standing::Paused
                | Standing::Ended(_),
            )
            | None => false,
        }
    }
}

/// Start of the unpaid period, if the last of these versions is in dunning: as stated by the first version of the run,
/// else that version's own start.
fn unpaid_since(history: &[&Priced]) -> Option<Instant> {
    let in_dunning = |version: &&&Priced| {
        matches!(
            version.subscription.status,
            Status::PastDue | Status::Unpaid
        )
    };
    let first = history.iter().rev().take_while(in_dunning).last()?;
    Some(first.subscription.unpaid_since.unwrap_or(first.valid_from))
}

fn paused(policy: &MetricPolicy) -> Judged {
    Judged {
        standing: Standing::Paused,
        counts: policy.pause == PauseRule::KeepsCounting,
    }
}

fn is_paused(subscription: &Subscription, at: Instant) -> bool {
    subscription
        .pause
        .is_some_and(|pause| pause.resumes_at.is_none_or(|resumes_at| at < resumes_at))
}

fn trial_is_over(subscription: &Subscription, at: Instant) -> bool {
    subscription.trial.is_some_and(|trial| trial.end <= at)
}
