//! The segmenter: reads facts, asks the policy, explains the stage.

use sextant_segmenter::{Answer, Call, Config, ConfigError, Reasons, Segmenter, features};

use crate::{ChurnKind, Facts, Policy, Stage, Status};

features! {
    /// What the segmenter reads.
    pub struct Account {
        status: Choice<Status> = "subscription.status",
        paying_days: I64 = "subscription.paying_days",
        days_since_churn: I64 = "subscription.days_since_churn",
        churn_kind: Choice<ChurnKind> = "subscription.churn_kind",
        age_days: I64 = "account.age_days",
        active_days_28d: I64 = "usage.active_days_28d",
        days_to_renewal: I64 = "contract.days_to_renewal",
        /// Stage at the last day close.
        previous: Choice<Stage> = "self.previous_segment",
    }
}

/// The segmenter `sextant.lifecycle`.
#[derive(Debug)]
pub struct Lifecycle {
    policy: Policy,
}

impl Account<'_> {
    fn facts(&self, row: usize) -> Option<Facts> {
        Some(Facts {
            status: self.status.get(row)?,
            paying_days: self.paying_days.get(row),
            churn_kind: self.churn_kind.get(row),
            days_since_churn: self.days_since_churn.get(row),
            active_days_28d: self.active_days_28d.get(row),
            previous: self.previous.get(row),
        })
    }
}

/// How much a reason weighs: the fact that decides, one that qualifies it, one that only adds colour.
const DECIDES: f32 = 1.0;
const QUALIFIES: f32 = 0.5;
const ADDS: f32 = 0.0;

impl Segmenter for Lifecycle {
    type Rows<'a> = Account<'a>;

    const DESCRIPTOR: &'static str = include_str!("../descriptor.json");

    fn create(config: &Config) -> Result<Self, ConfigError> {
        let policy = Policy {
            onboarding_days: config.i64("onboarding_days")?,
            established_after_days: config.i64("established_after_days")?,
            established_min_active_days: config.i64("established_min_active_days")?,
            won_back_days: config.i64("won_back_days")?,
            paused_churn_days: config.i64("paused_churn_days")?,
        };
        if policy.established_after_days < policy.onboarding_days {
            return Err(ConfigError::at(
                "established_after_days",
                "must not be below onboarding_days",
            ));
        }
        Ok(Self { policy })
    }

    fn assign(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize) -> Answer {
        let stage = rows.facts(row).and_then(|facts| self.policy.stage(&facts));
        stage.map_or(Answer::ABSTAIN, |stage| Answer::segment(stage as u16))
    }

    fn explain(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize, reasons: &mut Reasons) {
        let Some(facts) = rows.facts(row) else {
            if let Some(text) = rows.status.text(row) {
                reasons.push(
                    &rows.status,
                    DECIDES,
                    format!("the status \"{text}\" is not one that this model knows"),
                );
            }
            return;
        };
        match self.policy.stage(&facts) {
            None => reasons.push(
                &rows.churn_kind,
                DECIDES,
                "canceled, but it is not known why",
            ),
            Some(Stage::Prospect) => prospect(rows, row, &facts, reasons),
            Some(Stage::Trial) => reasons.push(&rows.status, DECIDES, "in trial"),
            Some(Stage::TrialExpired) => {
                reasons.push(&rows.status, DECIDES, "the trial ended without a purchase")
            },
            Some(Stage::PastDue) => {
                reasons.push(&rows.status, DECIDES, "a payment failed and is still open")
            },
            Some(Stage::Paused) => {
                reasons.push(&rows.status, DECIDES, "the subscription is paused");
                if let Some(days) = facts.days_since_churn {
                    let text = format!(
                        "paused for {}; counts as churned after {}",
                        in_days(days),
                        in_days(self.policy.paused_churn_days)
                    );
                    reasons.push(&rows.days_since_churn, QUALIFIES, text);
                }
            },
            Some(Stage::CancelScheduled) => {
                reasons.push(&rows.status, DECIDES, "cancellation is scheduled");
                if let Some(days) = rows.days_to_renewal.get(row) {
                    reasons.push(
                        &rows.days_to_renewal,
                        QUALIFIES,
                        format!("the term ends in {}", in_days(days)),
                    );
                }
            },
            Some(Stage::ChurnedVoluntary | Stage::ChurnedInvoluntary) => {
                churned(rows, &facts, reasons)
            },
            Some(
                stage @ (Stage::Onboarding | Stage::Adopting | Stage::Established | Stage::WonBack),
            ) => {
                self.paying(rows, row, &facts, stage, reasons);
            },
        }
    }
}

impl Lifecycle {
    fn paying(
        &self,
        rows: &Account<'_>,
        row: usize,
        facts: &Facts,
        stage: Stage,
        reasons: &mut Reasons,
    ) {
        let policy = &self.policy;
        let days = facts.paying_days.unwrap_or_default();
        let paying = format!("paying for {}", in_days(days));
        match stage {
            Stage::WonBack => {
                reasons.push(&rows.previous, DECIDES, "came back after having churned");
                let text = format!(
                    "{paying} again; counts as won back for {}",
                    in_days(policy.won_back_days)
                );
                reasons.push(&rows.paying_days, QUALIFIES, text);
            },
            Stage::Onboarding => {
                let text = format!(
                    "{paying}; onboarding ends after {}",
                    in_days(policy.onboarding_days)
                );
                reasons.push(&rows.paying_days, DECIDES, text);
            },
            Stage::Adopting if days < policy.established_after_days => {
                let text = format!(
                    "{paying}; established from {} on",
                    in_days(policy.established_after_days)
                );
                reasons.push(&rows.paying_days, DECIDES, text);
            },
            _ => reasons.push(&rows.paying_days, DECIDES, paying),
        }
        if let Some(text) = self.kept(facts, stage, days) {
            reasons.push(&rows.previous, DECIDES, text);
        }
        if let Some(active) = facts.active_days_28d {
            let waits = stage == Stage::Adopting && days >= policy.established_after_days;
            let needs = match waits {
                true => format!("; established needs {}", policy.established_min_active_days),
                false => String::new(),
            };
            let text = format!("active on {active} of the last 28 days{needs}");
            reasons.push(
                &rows.active_days_28d,
                if waits { DECIDES } else { ADDS },
                text,
            );
        }
        if let Some(days @ 0..=90) = rows.days_to_renewal.get(row) {
            reasons.push(
                &rows.days_to_renewal,
                ADDS,
                format!("renews in {}", in_days(days)),
            );
        }
    }

    /// What holds an account in a stage that it would not reach today; `None` where nothing has to.
    fn kept(&self, facts: &Facts, stage: Stage, days: i64) -> Option<&'static str> {
        let policy = &self.policy;
        match stage {
            Stage::Established
                if days < policy.established_after_days || !policy.uses_regularly(facts) =>
            {
                Some("established before, and stays so while the subscription is active")
            },
            Stage::Adopting if days < policy.onboarding_days => Some(match facts.previous {
                // Nobody says where it was before the pause.
                Some(Stage::Paused) => "back from a pause, and does not start over",
                _ => "past onboarding before, and does not start over",
            }),
            _ => None,
        }
    }
}

fn prospect(rows: &Account<'_>, row: usize, facts: &Facts, reasons: &mut Reasons) {
    if facts.status == Status::Active {
        reasons.push(
            &rows.paying_days,
            DECIDES,
            "the subscription is active and does not pay",
        );
    } else {
        reasons.push(&rows.status, DECIDES, "no subscription yet");
    }
    if let Some(days) = rows.age_days.get(row) {
        reasons.push(&rows.age_days, ADDS, format!("known for {}", in_days(days)));
    }
}

fn churned(rows: &Account<'_>, facts: &Facts, reasons: &mut Reasons) {
    let why = match facts.churn_kind {
        Some(ChurnKind::Involuntary) => "left because payments failed",
        Some(ChurnKind::Paused) => "paused for so long that it counts as churned",
        Some(ChurnKind::Voluntary) | None => "left by its own decision",
    };
    reasons.push(&rows.churn_kind, DECIDES, why);
    if let Some(days) = facts.days_since_churn {
        let what = match facts.churn_kind {
            Some(ChurnKind::Paused) => "paused",
            _ => "churned",
        };
        let text = format!("{what} {} ago", in_days(days));
        reasons.push(&rows.days_since_churn, QUALIFIES, text);
    }
}

fn in_days(days: i64) -> String {
    if days == 1 {
        "1 day".to_owned()
    } else {
        format!("{days} days")
    }
}

#[cfg(test)]
mod tests;
