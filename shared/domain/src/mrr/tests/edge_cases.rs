//! The edge cases of movements, as a table.

use crate::mrr::{
    ChurnDate, MetricPolicy, Movement, Mrr, PauseRule, Preset, ReactivationWindow, ToFreeRule,
    Waterfall, Window,
};
use crate::subscription::fixture::{
    EVER, active, billing, id, in_euro, lines, on, ours, percent, plan, since, times, with_status,
    yearly,
};
use crate::subscription::{
    AccountBilling, Cancellation, CancellationKind, Discount, Interval, Item, ItemRole, PaidTerm,
    Pause, Status, Subscription, SubscriptionVersion,
};
use crate::time::Zone;

/// Movements after the first one, which is always `2026-01-01 NEW`.
fn check(name: &str, versions: Vec<SubscriptionVersion>, expected: &[&str]) {
    check_under(&ours(), name, versions, expected);
}

fn check_under(
    policy: &MetricPolicy,
    name: &str,
    versions: Vec<SubscriptionVersion>,
    expected: &[&str],
) {
    let movements = AccountBilling::new(versions, policy)
        .unwrap()
        .books()
        .movements;
    let lines = lines(&movements);
    assert!(lines[0].starts_with("2026-01-01 NEW"), "{name}: {lines:?}");
    assert_eq!(lines[1..], *expected, "{name}");
}

fn start(items: Vec<Item>) -> SubscriptionVersion {
    since("2026-01-01", active("s", items))
}

fn next(valid_from: &str, items: Vec<Item>) -> SubscriptionVersion {
    since(valid_from, active("s", items))
}

fn ranked(rank: u32, item: Item) -> Item {
    Item {
        plan_rank: Some(rank),
        price_id: id(&format!("price_{rank}")),
        ..item
    }
}

fn extra(role: ItemRole, unit_amount_minor: i64) -> Item {
    Item {
        id: id("si_extra"),
        role,
        ..plan(1, unit_amount_minor)
    }
}

#[test]
fn plans_seats_and_products_have_their_causes() {
    check(
        "mid-period upgrade counts in full at once",
        vec![
            start(vec![ranked(1, plan(1, 1_000))]),
            next("2026-01-16", vec![ranked(2, plan(1, 3_000))]),
        ],
        &["2026-01-16 EXPANSION +20.00 PLAN_UPGRADE:2000"],
    );
    check(
        "downgrade at its effective date",
        vec![
            start(vec![ranked(2, plan(1, 3_000))]),
            next("2026-02-01", vec![ranked(1, plan(1, 1_000))]),
        ],
        &["2026-02-01 CONTRACTION -20.00 PLAN_DOWNGRADE:-2000"],
    );
    check(
        "a plan under a new item id is a change of plan",
        vec![
            start(vec![ranked(1, plan(1, 1_000))]),
            next(
                "2026-01-16",
                vec![Item {
                    id: id("si_other"),
                    ..ranked(2, plan(1, 3_000))
                }],
            ),
        ],
        &["2026-01-16 EXPANSION +20.00 PLAN_UPGRADE:2000"],
    );
    check(
        "seats and price at once are split",
        vec![
            start(vec![plan(10, 1_000)]),
            next("2026-02-01", vec![plan(12, 900)]),
        ],
        &["2026-02-01 EXPANSION +8.00 SEATS:2000 PRICE:-1200"],
    );
    check(
        "monthly to annual with a discount of 20 %",
        vec![
            start(vec![plan(1, 1_000)]),
            next("2026-02-01", vec![yearly(1, 9_600)]),
        ],
        &["2026-02-01 CONTRACTION -2.00 PRICE:-200"],
    );
    let products = [
        (ItemRole::Services, "SERVICES"),
        (ItemRole::Integration, "INTEGRATION"),
        (ItemRole::ExtraProduct, "EXTRA_PRODUCT"),
    ];
    for (role, cause) in products {
        check(
            cause,
            vec![
                start(vec![plan(1, 1_000)]),
                next("2026-02-01", vec![plan(1, 1_000), extra(role, 500)]),
            ],
            &[&format!("2026-02-01 EXPANSION +5.00 {cause}:500")],
        );
    }
    check(
        "swapping products of one price moves nothing",
        vec![
            start(vec![plan(1, 1_000), extra(ItemRole::Services, 500)]),
            next(
                "2026-02-01",
                vec![
                    plan(1, 1_000),
                    Item {
                        id: id("si_i"),
                        ..extra(ItemRole::Integration, 500)
                    },
                ],
            ),
        ],
        &[],
    );
}

#[test]
fn subscriptions_come_and_go_without_churn_while_one_is_left() {
    check(
        "second subscription, then one of two cancelled",
        vec![
            start(vec![plan(1, 1_000)]),
            since("2026-02-01", active("t", vec![plan(1, 500)])),
            since(
                "2026-03-01",
                with_status(Status::Canceled, active("t", vec![plan(1, 500)])),
            ),
        ],
        &[
            "2026-02-01 EXPANSION +5.00 EXTRA_PRODUCT:500",
            "2026-03-01 CONTRACTION -5.00 CANCEL_VOLUNTARY:-500",
        ],
    );
}

fn annual(status: Status, paid_term: Option<PaidTerm>) -> Subscription {
    Subscription {
        status,
        current_period_end: Some(on("2027-01-01")),
        cancellation: paid_term.map(|paid_term| Cancellation {
            kind: CancellationKind::Voluntary,
            paid_term,
        }),
        ..active("s", vec![yearly(1, 12_000)])
    }
}

#[test]
fn an_annual_plan_cancelled_mid_term_churns_at_term_end_unless_refunded() {
    let story = |paid_term| {
        vec![
            since("2026-01-01", annual(Status::Active, None)),
            since("2026-05-01", annual(Status::Canceled, paid_term)),
        ]
    };
    check(
        "served",
        story(None),
        &["2027-01-01 CHURN -10.00 CANCEL_VOLUNTARY"],
    );
    check(
        "refunded",
        story(Some(PaidTerm::Refunded)),
        &["2026-05-01 CHURN -10.00 CANCEL_VOLUNTARY"],
    );
    let at_end = MetricPolicy {
        churn_date: ChurnDate::SubscriptionEnd,
        ..ours()
    };
    check_under(
        &at_end,
        "subscription end",
        story(None),
        &["2026-05-01 CHURN -10.00 CANCEL_VOLUNTARY"],
    );

    let scheduled = Subscription {
        cancel_at_period_end: true,
        ..annual(Status::Active, None)
    };
    let notice = vec![
        since("2026-01-01", annual(Status::Active, None)),
        since("2026-05-01", scheduled),
    ];
    check(
        "scheduled",
        notice.clone(),
        &["2027-01-01 CHURN -10.00 CANCEL_VOLUNTARY"],
    );
    let stripe = MetricPolicy::preset(Preset::Stripe, Zone::utc());
    check_under(
        &stripe,
        "at notice",
        notice,
        &["2026-05-01 CHURN -10.00 CANCEL_VOLUNTARY"],
    );
}

#[test]
fn a_later_note_on_a_cancelled_subscription_does_not_shorten_its_term() {
    let canceled = || annual(Status::Canceled, None);
    check(
        "two cancelled versions",
        vec![
            since("2026-01-01", annual(Status::Active, None)),
            since("2026-05-01", canceled()),
            since("2026-06-01", canceled()),
        ],
        &["2027-01-01 CHURN -10.00 CANCEL_VOLUNTARY"],
    );
}

#[test]
fn finite_coupons_reduce_revenue_while_they_last() {
    let with = |discounts: Vec<Discount>| {
        vec![since(
            "2026-01-01",
            Subscription {
                discounts,
                ..active("s", vec![plan(1, 1_000)])
            },
        )]
    };
    check(
        "repeating",
        with(vec![percent(50, Some("2026-04-01"))]),
        &["2026-04-01 EXPANSION +5.00 DISCOUNT_EXPIRY:500"],
    );
    check("forever", with(vec![percent(50, None)]), &[]);
    let stripe = MetricPolicy::preset(Preset::Stripe, Zone::utc());
    check_under(
        &stripe,
        "ignored",
        with(vec![percent(50, Some("2026-04-01"))]),
        &[],
    );
    let given = Subscription {
        discounts: vec![percent(20, None)],
        ..active("s", vec![plan(1, 1_000)])
    };
    check(
        "given later",
        vec![start(vec![plan(1, 1_000)]), since("2026-03-01", given)],
        &["2026-03-01 CONTRACTION -2.00 DISCOUNT:-200"],
    );
}

#[test]
fn paid_to_free_is_churn_unless_the_policy_says_otherwise() {
    let story = || {
        vec![
            start(vec![plan(1, 1_000)]),
            next("2026-02-01", vec![plan(1, 0)]),
            next("2026-03-01", vec![plan(1, 1_000)]),
        ]
    };
    check(
        "churn",
        story(),
        &[
            "2026-02-01 CHURN -10.00 TO_FREE",
            "2026-03-01 REACTIVATION +10.00",
        ],
    );
    let soft = MetricPolicy {
        to_free: ToFreeRule::Contraction,
        ..ours()
    };
    check_under(
        &soft,
        "contraction",
        story(),
        &[
            "2026-02-01 CONTRACTION -10.00 TO_FREE:-1000",
            "2026-03-01 EXPANSION +10.00 PRICE:1000",
        ],
    );
    let gift = Subscription {
        discounts: vec![percent(100, None)],
        ..active("s", vec![plan(1, 1_000)])
    };
    check(
        "full discount",
        vec![start(vec![plan(1, 1_000)]), since("2026-02-01", gift)],
        &["2026-02-01 CHURN -10.00 TO_FREE"],
    );
}

#[test]
fn a_pause_is_churn_of_its_own_type_and_ends_as_a_reactivation() {
    let pause = Some(Pause {
        resumes_at: Some(on("2026-04-01")),
    });
    let story = || {
        vec![
            start(vec![plan(1, 1_000)]),
            since(
                "2026-02-01",
                Subscription {
                    pause,
                    ..active("s", vec![plan(1, 1_000)])
                },
            ),
        ]
    };
    check(
        "pause",
        story(),
        &[
            "2026-02-01 CHURN -10.00 PAUSE",
            "2026-04-01 REACTIVATION +10.00 RESUME",
        ],
    );
    let movements = billing(story()).books().movements;
    assert_eq!(
        movements.last().and_then(|resumed| resumed.days_away),
        Some(59)
    );
    let counting = MetricPolicy {
        pause: PauseRule::KeepsCounting,
        ..ours()
    };
    check_under(&counting, "keeps counting", story(), &[]);
    let by_status = with_status(Status::Paused, active("s", vec![plan(1, 1_000)]));
    check(
        "status",
        vec![start(vec![plan(1, 1_000)]), since("2026-02-01", by_status)],
        &["2026-02-01 CHURN -10.00 PAUSE"],
    );
}

#[test]
fn past_due_counts_for_the_grace_from_the_start_of_the_unpaid_period() {
    let due = |unpaid_since: Option<&str>| Subscription {
        unpaid_since: unpaid_since.map(on),
        ..with_status(Status::PastDue, active("s", vec![plan(1, 1_000)]))
    };
    let paid = || start(vec![plan(1, 1_000)]);
    check(
        "28 days",
        vec![paid(), since("2026-02-01", due(None))],
        &["2026-03-01 CHURN -10.00 CANCEL_INVOLUNTARY"],
    );
    check(
        "unpaid period began earlier",
        vec![paid(), since("2026-02-05", due(Some("2026-02-01")))],
        &["2026-03-01 CHURN -10.00 CANCEL_INVOLUNTARY"],
    );
    check(
        "a second notice does not start the grace again",
        vec![
            paid(),
            since("2026-02-01", due(None)),
            since("2026-02-20", due(None)),
        ],
        &["2026-03-01 CHURN -10.00 CANCEL_INVOLUNTARY"],
    );
    check(
        "recovered in time",
        vec![
            paid(),
            since("2026-02-01", due(None)),
            next("2026-02-20", vec![plan(1, 1_000)]),
        ],
        &[],
    );
    let gave_up = |status| with_status(status, active("s", vec![plan(1, 1_000)]));
    for status in [Status::Unpaid, Status::Canceled] {
        check(
            status.as_str(),
            vec![
                paid(),
                since("2026-02-01", due(None)),
                since("2026-02-15", gave_up(status)),
            ],
            &["2026-02-15 CHURN -10.00 CANCEL_INVOLUNTARY"],
        );
    }
    let stripe = MetricPolicy::preset(Preset::Stripe, Zone::utc());
    check_under(
        &stripe,
        "until given up",
        vec![paid(), since("2026-02-01", due(None))],
        &[],
    );
}

#[test]
fn trials_never_count() {
    let trial = || with_status(Status::Trialing, active("s", vec![plan(1, 1_000)]));
    let movements = billing(vec![
        since("2025-12-15", trial()),
        start(vec![plan(1, 1_000)]),
    ])
    .books()
    .movements;
    assert_eq!(lines(&movements), ["2026-01-01 NEW +10.00"]);
    let ended = Subscription {
        current_period_end: Some(on("2026-03-01")),
        ..with_status(Status::Canceled, trial())
    };
    assert!(
        billing(vec![
            since("2025-12-15", trial()),
            since("2025-12-20", ended)
        ])
        .books()
        .movements
        .is_empty()
    );
}

#[test]
fn reactivation_outside_the_window_is_new() {
    let story = |back: &str| {
        let ended = with_status(Status::Canceled, active("s", vec![plan(1, 1_000)]));
        vec![
            start(vec![plan(1, 1_000)]),
            since("2026-02-01", ended),
            next(back, vec![plan(1, 500)]),
        ]
    };
    let narrow = MetricPolicy {
        reactivation_window: ReactivationWindow::Days(90),
        ..ours()
    };
    let left = "2026-02-01 CHURN -10.00 CANCEL_VOLUNTARY";
    check_under(
        &narrow,
        "90 days",
        story("2026-05-02"),
        &[left, "2026-05-02 REACTIVATION +5.00"],
    );
    check_under(
        &narrow,
        "91 days",
        story("2026-05-03"),
        &[left, "2026-05-03 NEW +5.00"],
    );
    check(
        "any time",
        story("2027-05-03"),
        &[left, "2027-05-03 REACTIVATION +5.00"],
    );
}

#[test]
fn a_new_rate_is_revaluation_and_the_rest_is_not() {
    check(
        "rate alone",
        vec![
            start(vec![in_euro(plan(10, 1_000), 110)]),
            next("2026-02-01", vec![in_euro(plan(10, 1_000), 105)]),
        ],
        &["2026-02-01 FX_REVALUATION -5.00 FX"],
    );
    check(
        "rate and seats",
        vec![
            start(vec![in_euro(plan(10, 1_000), 110)]),
            next("2026-02-01", vec![in_euro(plan(12, 1_000), 105)]),
        ],
        &[
            "2026-02-01 EXPANSION +21.00 SEATS:2100",
            "2026-02-01 FX_REVALUATION -5.00 FX",
        ],
    );
}

#[test]
fn a_price_in_another_currency_is_another_price_and_no_rate() {
    check(
        "from euro to dollar",
        vec![
            start(vec![in_euro(plan(10, 1_000), 110)]),
            next("2026-02-01", vec![plan(10, 1_000)]),
        ],
        &["2026-02-01 CONTRACTION -10.00 PRICE:-1000"],
    );
    check(
        "and seats",
        vec![
            start(vec![plan(10, 1_000)]),
            next("2026-02-01", vec![in_euro(plan(12, 1_000), 110)]),
        ],
        &["2026-02-01 EXPANSION +32.00 SEATS:2000 PRICE:1200"],
    );
}

#[test]
fn odd_billing_periods_are_split_in_whole_units() {
    let weekly = |quantity, unit_amount_minor| Item {
        interval: Interval::Week,
        interval_count: times(3),
        ..plan(quantity, unit_amount_minor)
    };
    let account = billing(vec![
        start(vec![weekly(7, 999)]),
        next("2026-02-01", vec![weekly(11, 1_001)]),
    ]);
    let movements = account.books().movements;
    let grown = &movements[1];
    assert_eq!(
        grown.parts.iter().map(|part| part.delta.0).sum::<i128>(),
        grown.delta.0
    );
}

#[test]
fn merged_accounts_keep_their_revenue() {
    let window = Window::new(on("2026-02-01"), on("2026-03-01")).unwrap();
    let (moved, other) = (Mrr(5_000_000), Mrr(7_000_000));
    let new = |mrr| {
        Movement::new(
            crate::mrr::MovementKind::New,
            on("2026-01-01"),
            Mrr::ZERO,
            mrr,
        )
    };
    let [leaves, arrives] = Movement::transfer(on("2026-02-10"), moved, other);
    let before = [new(moved), new(other)];
    let merged = Waterfall::of(before.iter().chain([&leaves, &arrives]), window, EVER).unwrap();
    assert_eq!(
        (merged.end(), *merged.flows()),
        (merged.start(), crate::mrr::Flows::default())
    );
    assert!(Waterfall::of(before.iter().chain([&leaves]), window, EVER).is_err());
}
