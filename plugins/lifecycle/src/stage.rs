//! The decision: facts of one account and the policy in, stage out.

use sextant_segmenter::Decode;

/// A stage; the discriminant is its position in the descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Stage {
    /// Neither trying nor paying.
    Prospect,
    /// Trying.
    Trial,
    /// Tried and did not buy.
    TrialExpired,
    /// First paying weeks.
    Onboarding,
    /// On the way to a habit.
    Adopting,
    /// Paying for months, using regularly.
    Established,
    /// A payment is open.
    PastDue,
    /// Leaves at the end of the term.
    CancelScheduled,
    /// Paused.
    Paused,
    /// Left by decision.
    ChurnedVoluntary,
    /// Left because payments failed.
    ChurnedInvoluntary,
    /// Paying again after churn.
    WonBack,
}

impl Stage {
    /// Every stage with its key, in the order of the descriptor.
    pub const ALL: [(&'static str, Self); 12] = [
        ("prospect", Self::Prospect),
        ("trial", Self::Trial),
        ("trial_expired", Self::TrialExpired),
        ("onboarding", Self::Onboarding),
        ("adopting", Self::Adopting),
        ("established", Self::Established),
        ("past_due", Self::PastDue),
        ("cancel_scheduled", Self::CancelScheduled),
        ("paused", Self::Paused),
        ("churned_voluntary", Self::ChurnedVoluntary),
        ("churned_involuntary", Self::ChurnedInvoluntary),
        ("won_back", Self::WonBack),
    ];
}

impl Decode for Stage {
    fn decode(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(key, _)| *key == text)
            .map(|(_, stage)| *stage)
    }
}

/// Status of the account's subscriptions taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Never had one.
    None,
    /// In trial.
    Trialing,
    /// Trial over, nothing bought.
    TrialExpired,
    /// Active.
    Active,
    /// A payment is open.
    PastDue,
    /// Active until the end of the term.
    CancelScheduled,
    /// Paused.
    Paused,
    /// Over.
    Canceled,
}

impl Decode for Status {
    fn decode(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "trialing" => Some(Self::Trialing),
            "trial_expired" => Some(Self::TrialExpired),
            "active" => Some(Self::Active),
            "past_due" => Some(Self::PastDue),
            "cancel_scheduled" => Some(Self::CancelScheduled),
            "paused" => Some(Self::Paused),
            "canceled" => Some(Self::Canceled),
            _ => None,
        }
    }
}

/// Why the last spell of paying ended; absent while the account pays or where it never did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChurnKind {
    /// By decision.
    Voluntary,
    /// Payments failed.
    Involuntary,
    /// By a pause.
    Paused,
}

impl Decode for ChurnKind {
    fn decode(text: &str) -> Option<Self> {
        match text {
            "voluntary" => Some(Self::Voluntary),
            "involuntary" => Some(Self::Involuntary),
            "paused" => Some(Self::Paused),
            _ => None,
        }
    }
}

/// What is known about an account.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Status of its subscriptions.
    pub status: Status,
    /// Days in the present paying spell; `None` if it does not pay.
    pub paying_days: Option<i64>,
    /// Why its last spell of paying ended; `None` if it did not.
    pub churn_kind: Option<ChurnKind>,
    /// Days since then; `None` if it did not, or if unknown.
    pub days_since_churn: Option<i64>,
    /// Days with activity in the last 28; `None` if unknown.
    pub active_days_28d: Option<i64>,
    /// Stage at the last day close.
    pub previous: Option<Stage>,
}

/// The configuration.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Paying days after which onboarding ends.
    pub onboarding_days: i64,
    /// Paying days from which an account can be established.
    pub established_after_days: i64,
    /// Active days in 28 that an account needs to become established.
    pub established_min_active_days: i64,
    /// Paying days for which an account counts as won back.
    pub won_back_days: i64,
    /// Days after which a paused account that paid counts as churned.
    pub paused_churn_days: i64,
}

impl Policy {
    /// The stage of an account; `None` if it churned and nobody says why.
    pub fn stage(&self, facts: &Facts) -> Option<Stage> {
        match facts.status {
            Status::None => Some(Stage::Prospect),
            Status::Trialing => Some(Stage::Trial),
            Status::TrialExpired => Some(Stage::TrialExpired),
            Status::PastDue => Some(Stage::PastDue),
            Status::CancelScheduled => Some(Stage::CancelScheduled),
            Status::Canceled => facts.churn_kind.map(churned),
            Status::Paused => Some(self.paused(facts)),
            Status::Active => Some(
                facts
                    .paying_days
                    .map_or(Stage::Prospect, |days| self.paying(facts, days)),
            ),
        }
    }

    /// A pause ends no relationship before it becomes too long.
    fn paused(&self, facts: &Facts) -> Stage {
        let is_long = facts
            .days_since_churn
            .is_some_and(|days| days >= self.paused_churn_days);
        match facts.churn_kind {
            Some(ChurnKind::Paused) if !is_long => Stage::Paused,
            Some(kind) => churned(kind),
            None => Stage::Paused,
        }
    }

    fn paying(&self, facts: &Facts, days: i64) -> Stage {
        let returned = matches!(
            facts.previous,
            Some(Stage::ChurnedVoluntary | Stage::ChurnedInvoluntary | Stage::WonBack)
        );
        if returned && days < self.won_back_days {
            return Stage::WonBack;
        }
        if facts.previous == Some(Stage::Established) {
            return Stage::Established;
        }
        if days >= self.established_after_days && self.uses_regularly(facts) {
            return Stage::Established;
        }
        let past_onboarding =
            returned || matches!(facts.previous, Some(Stage::Adopting | Stage::Paused));
        if past_onboarding || days >= self.onboarding_days {
            Stage::Adopting
        } else {
            Stage::Onboarding
        }
    }

    /// Whether usage is healthy enough to become established; unknown usage does not stand in the way.
    pub fn uses_regularly(&self, facts: &Facts) -> bool {
        facts
            .active_days_28d
            .is_none_or(|days| days >= self.established_min_active_days)
    }
}

fn churned(kind: ChurnKind) -> Stage {
    match kind {
        ChurnKind::Voluntary | ChurnKind::Paused => Stage::ChurnedVoluntary,
        ChurnKind::Involuntary => Stage::ChurnedInvoluntary,
    }
}

#[cfg(test)]
mod tests;
