use crate::subscription::fixture::{
    EVER, active, billing, id, learned, on, plan, since, with_status,
};
use crate::subscription::{
    AccountStatus, ChurnKind, Churned, Item, ItemRole, Pause, Status, Subscription,
    SubscriptionVersion, Trial, UsageType,
};
use crate::time::Zone;

fn sub() -> Subscription {
    active("s", vec![plan(5, 1_000)])
}

fn trial() -> Subscription {
    let trial = Some(Trial {
        start: on("2026-01-01"),
        end: on("2026-01-15"),
    });
    Subscription {
        trial,
        ..with_status(Status::Trialing, sub())
    }
}

fn leaving() -> Subscription {
    let canceled_at = Some(on("2026-02-03"));
    Subscription {
        cancel_at_period_end: true,
        current_period_end: Some(on("2026-03-01")),
        canceled_at,
        ..sub()
    }
}

/// One row per question: the status at an instant.
fn check(name: &str, versions: &[SubscriptionVersion], expected: &[(&str, AccountStatus)]) {
    let account = billing(versions.to_vec());
    for (at, status) in expected {
        assert_eq!(
            account.summary_at(on(at), EVER).status,
            *status,
            "{name} on {at}"
        );
    }
}

#[test]
fn an_account_goes_through_its_statuses() {
    use AccountStatus as S;
    check("nothing", &[], &[("2026-01-01", S::None)]);
    check(
        "not yet",
        &[since("2026-02-01", sub())],
        &[("2026-01-31", S::None), ("2026-02-01", S::Active)],
    );
    check(
        "incomplete",
        &[since("2026-01-01", with_status(Status::Incomplete, sub()))],
        &[("2026-01-02", S::None)],
    );
    check(
        "trial",
        &[since("2026-01-01", trial())],
        &[("2026-01-14", S::Trialing), ("2026-01-15", S::TrialExpired)],
    );
    let abandoned = with_status(Status::Canceled, trial());
    check(
        "abandoned",
        &[since("2026-01-01", trial()), since("2026-01-10", abandoned)],
        &[("2026-01-11", S::TrialExpired)],
    );
    check(
        "leaving",
        &[since("2026-01-01", sub()), since("2026-02-03", leaving())],
        &[
            ("2026-02-02", S::Active),
            ("2026-02-28", S::CancelScheduled),
            ("2026-03-01", S::Canceled),
        ],
    );
    check(
        "dunning",
        &[
            since("2026-01-01", sub()),
            since("2026-02-01", with_status(Status::PastDue, sub())),
        ],
        &[("2026-02-28", S::PastDue), ("2026-03-01", S::Canceled)],
    );
    let pause = Some(Pause {
        resumes_at: Some(on("2026-03-01")),
    });
    check(
        "pause",
        &[
            since("2026-01-01", sub()),
            since("2026-02-01", Subscription { pause, ..sub() }),
        ],
        &[("2026-02-28", S::Paused), ("2026-03-01", S::Active)],
    );
    check(
        "one of two is left",
        &[
            since("2026-01-01", leaving()),
            since("2026-01-01", active("t", vec![plan(1, 100)])),
        ],
        &[("2026-02-01", S::Active), ("2026-04-01", S::Active)],
    );
}

#[test]
fn a_summary_tells_spell_renewal_and_notice() {
    let account = billing(vec![
        since(
            "2026-01-01",
            Subscription {
                current_period_end: Some(on("2026-02-01")),
                ..sub()
            },
        ),
        since(
            "2026-02-01",
            Subscription {
                current_period_end: Some(on("2026-03-01")),
                ..sub()
            },
        ),
        since("2026-02-03", leaving()),
    ]);
    let active = account.summary_at(on("2026-01-22 10:00"), EVER);
    assert_eq!(
        (active.paying_since, active.seats, active.mrr.to_minor()),
        (Some(on("2026-01-01")), 5, 5_000)
    );
    assert_eq!(active.days_to_renewal(&Zone::utc()), Some(10));
    let running_out = account.summary_at(on("2026-02-10"), EVER);
    assert_eq!(
        (running_out.renews_at, running_out.ends_at),
        (None, Some(on("2026-03-01")))
    );
    assert_eq!(running_out.cancel_notice_at, Some(on("2026-02-03")));
    let gone = account.summary_at(on("2026-03-10"), EVER);
    assert_eq!(
        gone.churned,
        Some(Churned {
            at: on("2026-03-01"),
            kind: ChurnKind::Voluntary
        })
    );
    assert_eq!(
        (gone.paying_since, gone.seats, gone.ever_paid),
        (None, 0, true)
    );
    // On 2 February nobody knew.
    assert_eq!(
        account
            .summary_at(on("2026-03-10"), on("2026-02-02"))
            .status,
        AccountStatus::Active
    );
}

#[test]
fn only_licensed_plans_have_seats() {
    let extra = Item {
        id: id("si_x"),
        role: ItemRole::Services,
        ..plan(100, 1)
    };
    let metered = Item {
        id: id("si_calls"),
        usage_type: UsageType::Metered,
        ..plan(5_000, 1)
    };
    let account = billing(vec![since(
        "2026-01-01",
        active("s", vec![plan(5, 1_000), extra, metered]),
    )]);
    assert_eq!(account.summary_at(on("2026-01-02"), EVER).seats, 5);
}

#[test]
fn change_points_are_those_that_still_hold() {
    let account = billing(vec![
        since("2026-01-01", trial()),
        since("2026-01-10", leaving()),
        since("2026-02-20", sub()),
    ]);
    // The conversion on 10 January came before the trial's end, the rescue before the period's end.
    assert!(account.change_points(EVER).is_empty());
    assert_eq!(account.change_points(on("2026-01-11")), [on("2026-03-01")]);
    assert_eq!(account.change_points(on("2026-01-09")), [on("2026-01-15")]);
}

#[test]
fn a_correction_replaces_the_version_of_the_same_validity() {
    let correction = learned(
        "2026-01-05",
        since("2026-01-01", active("s", vec![plan(7, 1_000)])),
    );
    let account = billing(vec![correction, since("2026-01-01", sub())]);
    let seats = |known_at: &str| account.summary_at(on("2026-01-02"), on(known_at)).seats;
    assert_eq!((seats("2026-01-04"), seats("2026-01-05")), (5, 7));
}

#[test]
fn a_pause_that_became_a_cancellation_is_no_pause() {
    let paused = Subscription {
        pause: Some(Pause { resumes_at: None }),
        ..sub()
    };
    let account = billing(vec![
        since("2026-01-01", sub()),
        since("2026-02-01", paused.clone()),
        since("2026-02-20", with_status(Status::Canceled, paused)),
    ]);
    let kind = |at: &str| {
        account
            .summary_at(on(at), EVER)
            .churned
            .map(|churned| churned.kind)
    };
    assert_eq!(
        (kind("2026-02-10"), kind("2026-02-21")),
        (Some(ChurnKind::Paused), Some(ChurnKind::Voluntary))
    );
    assert_eq!(
        account.summary_at(on("2026-02-11"), EVER).days_paused(),
        Some(10)
    );
}

#[test]
fn names_are_stable() {
    assert!(
        Status::ALL
            .into_iter()
            .all(|status| Status::parse(status.as_str()) == Some(status))
    );
    let names: Vec<&str> = AccountStatus::ALL
        .into_iter()
        .map(AccountStatus::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "none",
            "trialing",
            "trial_expired",
            "active",
            "past_due",
            "cancel_scheduled",
            "paused",
            "canceled"
        ]
    );
}
