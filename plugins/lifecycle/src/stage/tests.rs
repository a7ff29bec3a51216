use super::*;

const POLICY: Policy = Policy {
    onboarding_days: 30,
    established_after_days: 120,
    established_min_active_days: 4,
    won_back_days: 30,
    paused_churn_days: 90,
};

fn active(paying_days: i64, active_days_28d: Option<i64>, previous: Option<Stage>) -> Stage {
    let facts = Facts {
        status: Status::Active,
        paying_days: Some(paying_days),
        churn_kind: None,
        days_since_churn: None,
        active_days_28d,
        previous,
    };
    POLICY.stage(&facts).unwrap()
}

#[test]
fn paying_days_lead_from_onboarding_to_established() {
    for (days, expected) in [
        (0, Stage::Onboarding),
        (29, Stage::Onboarding),
        (30, Stage::Adopting),
        (119, Stage::Adopting),
        (120, Stage::Established),
    ] {
        assert_eq!(active(days, Some(4), None), expected, "{days}");
        assert_eq!(active(days, None, None), expected, "{days}, usage unknown");
    }
}

#[test]
fn weak_usage_delays_established_and_never_takes_it_away() {
    assert_eq!(active(400, Some(3), Some(Stage::Adopting)), Stage::Adopting);
    assert_eq!(
        active(400, Some(0), Some(Stage::Established)),
        Stage::Established
    );
}

#[test]
fn a_return_from_churn_is_won_back_then_adopting() {
    for previous in [
        Stage::ChurnedVoluntary,
        Stage::ChurnedInvoluntary,
        Stage::WonBack,
    ] {
        assert_eq!(active(0, None, Some(previous)), Stage::WonBack);
        assert_eq!(active(29, None, Some(previous)), Stage::WonBack);
        assert_eq!(active(30, None, Some(previous)), Stage::Adopting);
    }
}

#[test]
fn a_won_back_account_never_onboards_again() {
    let policy = Policy {
        won_back_days: 10,
        ..POLICY
    };
    let mut previous = Some(Stage::ChurnedVoluntary);
    let mut stages = Vec::new();
    for days in 0..200 {
        let facts = Facts {
            status: Status::Active,
            paying_days: Some(days),
            churn_kind: None,
            days_since_churn: None,
            active_days_28d: None,
            previous,
        };
        previous = policy.stage(&facts);
        if stages.last() != Some(&previous) {
            stages.push(previous);
        }
    }
    assert_eq!(
        stages,
        [Stage::WonBack, Stage::Adopting, Stage::Established].map(Some)
    );
}

#[test]
fn a_resumed_pause_does_not_start_over() {
    assert_eq!(active(1, None, Some(Stage::Paused)), Stage::Adopting);
}

#[test]
fn a_pause_counts_as_churn_once_it_is_too_long() {
    let paused = |days_since_churn, churn_kind| {
        POLICY.stage(&Facts {
            status: Status::Paused,
            paying_days: None,
            churn_kind,
            days_since_churn,
            active_days_28d: None,
            previous: Some(Stage::Established),
        })
    };
    for (days, expected) in [
        (Some(0), Stage::Paused),
        (Some(89), Stage::Paused),
        (Some(90), Stage::ChurnedVoluntary),
        (None, Stage::Paused),
    ] {
        let stage = paused(days, Some(ChurnKind::Paused));
        assert_eq!(stage, Some(expected), "{days:?}");
    }
    // What it paid for ended; what is paused it never paid for.
    let left = paused(Some(0), Some(ChurnKind::Involuntary));
    assert_eq!(left, Some(Stage::ChurnedInvoluntary));
}

#[test]
fn every_status_has_a_stage() {
    let facts = |status, churn_kind| Facts {
        status,
        paying_days: None,
        churn_kind,
        days_since_churn: Some(90),
        active_days_28d: None,
        previous: None,
    };
    for (status, churn_kind, expected) in [
        (Status::None, None, Some(Stage::Prospect)),
        (Status::Trialing, None, Some(Stage::Trial)),
        (Status::TrialExpired, None, Some(Stage::TrialExpired)),
        (Status::Active, None, Some(Stage::Prospect)),
        (Status::PastDue, None, Some(Stage::PastDue)),
        (Status::CancelScheduled, None, Some(Stage::CancelScheduled)),
        (Status::Paused, None, Some(Stage::Paused)),
        (
            Status::Paused,
            Some(ChurnKind::Paused),
            Some(Stage::ChurnedVoluntary),
        ),
        (
            Status::Canceled,
            Some(ChurnKind::Voluntary),
            Some(Stage::ChurnedVoluntary),
        ),
        (
            Status::Canceled,
            Some(ChurnKind::Involuntary),
            Some(Stage::ChurnedInvoluntary),
        ),
        (Status::Canceled, None, None),
    ] {
        assert_eq!(
            POLICY.stage(&facts(status, churn_kind)),
            expected,
            "{status:?} {churn_kind:?}"
        );
    }
}

#[test]
fn positions_are_the_order_of_the_keys() {
    for ((key, stage), position) in Stage::ALL.iter().zip(0_u16..) {
        assert_eq!(*stage as u16, position, "{key}");
        assert_eq!(Stage::decode(key), Some(*stage));
    }
}
