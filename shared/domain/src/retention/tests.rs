use crate::mrr::{
    Flows, Granularity, IntraPeriod, LogoDenominator, MetricPolicy, Mrr, NrrReactivation,
    Waterfall, Window,
};
use crate::retention::{
    AccountPeriod, Edge, Past, QuickRatio, Ratio, Retention, gross_mrr_churn_of_flows,
    net_mrr_churn_of_flows,
};
use crate::subscription::fixture::{EVER, active, billing, on, ours, plan, since, with_status};
use crate::subscription::{Pause, Status, Subscription};

fn period(opening: i128, closing: i128) -> AccountPeriod {
    let past = if opening > 0 {
        Past::Paid
    } else {
        Past::NeverPaid
    };
    let (opening, closing) = (Mrr(opening), Mrr(closing));
    AccountPeriod {
        opening: Edge::with(opening),
        closing: Edge::with(closing),
        past,
        peak: opening.max(closing),
    }
}

fn ratio(numerator: i128, denominator: i128) -> Option<Ratio> {
    Some(Ratio {
        numerator,
        denominator,
    })
}

/// ChartMogul help centre, churn-rate examples, a: start 100, churn, contraction and expansion 10 each.
#[test]
fn t03a_churn_rates_of_flows() {
    let ten = Mrr(10);
    let flows = Flows {
        churn: ten,
        contraction: ten,
        expansion: ten,
        ..Flows::default()
    };
    let waterfall = Waterfall::new(Mrr(100), flows, Mrr(90), Granularity::EventLedger).unwrap();
    assert_eq!(gross_mrr_churn_of_flows(&waterfall), ratio(20, 100));
    assert_eq!(
        net_mrr_churn_of_flows(&waterfall, NrrReactivation::Included),
        ratio(10, 100)
    );
}

/// ChartMogul, b: 100 accounts at the start, 11 cancelled in the month, of which one joined in it.
#[test]
fn t03b_joining_and_leaving_within_the_month_is_no_churn() {
    let mut accounts: Vec<AccountPeriod> = (0..100)
        .map(|n| period(10, if n < 10 { 0 } else { 10 }))
        .collect();
    accounts.push(AccountPeriod {
        peak: Mrr(10),
        ..period(0, 0)
    });
    assert_eq!(
        Retention::of(&accounts, &ours()).logo_churn(),
        ratio(10, 100)
    );
    let counted = MetricPolicy {
        intra_period: IntraPeriod::Counted,
        ..ours()
    };
    assert_eq!(
        Retention::of(&accounts, &counted).logo_churn(),
        ratio(11, 100)
    );
    let stripe = MetricPolicy {
        logo_denominator: LogoDenominator::StartPlusNew,
        ..counted
    };
    assert_eq!(
        Retention::of(&accounts, &stripe).logo_churn(),
        ratio(11, 101)
    );
}

/// ChartMogul, c: 100 accounts at the start of the day, 95 at its end.
#[test]
fn t03c_daily_churn() {
    let accounts: Vec<AccountPeriod> = (0..100)
        .map(|n| period(10, if n < 5 { 0 } else { 10 }))
        .collect();
    let churn = Retention::of(&accounts, &ours()).logo_churn().unwrap();
    assert!((churn.value() - 0.05).abs() < 1e-9);
}

/// ChartMogul, d: accounts of 20, 30 and 50; the last one leaves.
#[test]
fn t03d_logo_and_revenue_churn_differ() {
    let retention = Retention::of(&[period(20, 20), period(30, 30), period(50, 0)], &ours());
    assert!((retention.logo_churn().unwrap().value() - 0.333_333_333_3).abs() < 1e-9);
    assert_eq!(retention.gross_revenue_churn(), ratio(50, 100));
}

#[test]
fn expansion_of_one_account_does_not_hide_the_loss_of_another() {
    let accounts = [period(100, 150), period(100, 60), period(0, 40)];
    let retention = Retention::of(&accounts, &ours());
    assert_eq!(
        (retention.nrr(), retention.grr()),
        (ratio(210, 200), ratio(160, 200))
    );
    assert_eq!(
        (
            retention.net_revenue_churn(),
            retention.gross_revenue_churn()
        ),
        (ratio(-10, 200), ratio(40, 200))
    );
    assert_eq!(retention.arpa(), ratio(250, 3));
}

#[test]
fn returned_accounts_count_only_where_the_policy_says_so() {
    let accounts = [
        period(100, 100),
        AccountPeriod {
            past: Past::Paid,
            ..period(0, 30)
        },
    ];
    let retention = Retention::of(&accounts, &ours());
    assert_eq!(
        (retention.nrr(), retention.nrr_with_reactivation()),
        (ratio(100, 100), ratio(130, 100))
    );
    let included = MetricPolicy {
        nrr_reactivation: NrrReactivation::Included,
        ..ours()
    };
    assert_eq!(Retention::of(&accounts, &included).nrr(), ratio(130, 100));
}

#[test]
fn nothing_at_the_start_gives_no_rate() {
    let retention = Retention::of(&[period(0, 10)], &ours());
    assert_eq!(
        (retention.nrr(), retention.grr(), retention.logo_churn()),
        (None, None, None)
    );
    assert_eq!(Retention::of(&[], &ours()).arpa(), None);
}

#[test]
fn the_quick_ratio_says_when_nothing_was_lost() {
    let gains = Flows {
        new: Mrr(30),
        reactivation: Mrr(5),
        expansion: Mrr(10),
        ..Flows::default()
    };
    let none_lost = QuickRatio {
        with_reactivation: None,
        without_reactivation: None,
        no_losses: true,
    };
    assert_eq!(QuickRatio::of(&gains), none_lost);
    let lossy = QuickRatio::of(&Flows {
        churn: Mrr(8),
        contraction: Mrr(2),
        ..gains
    });
    assert_eq!(
        (lossy.with_reactivation, lossy.without_reactivation),
        (ratio(45, 10), ratio(40, 10))
    );
}

#[test]
fn a_paused_account_is_lost_after_ninety_days() {
    let items = || vec![plan(1, 1_000)];
    let paused = Subscription {
        pause: Some(Pause { resumes_at: None }),
        ..active("s", items())
    };
    let account = billing(vec![
        since("2026-01-01", active("s", items())),
        since("2026-02-10", paused),
    ]);
    let lost_in = |from: &str, to: &str| {
        let window = Window::new(on(from), on(to)).unwrap();
        Retention::of(&[AccountPeriod::of(&account, window, EVER)], &ours()).logo_churn()
    };
    assert_eq!(lost_in("2026-02-01", "2026-03-01"), ratio(0, 1));
    assert_eq!(lost_in("2026-03-01", "2026-05-01"), ratio(0, 1));
    // 11 May is the ninetieth day.
    assert_eq!(lost_in("2026-05-01", "2026-06-01"), ratio(1, 1));
    assert_eq!(lost_in("2026-06-01", "2026-07-01"), None);
}

#[test]
fn an_account_that_joins_and_leaves_in_the_window_is_seen_by_its_peak() {
    let items = || vec![plan(1, 1_000)];
    let account = billing(vec![
        since("2026-03-05", active("s", items())),
        since(
            "2026-03-20",
            with_status(Status::Canceled, active("s", items())),
        ),
    ]);
    let march = Window::new(on("2026-03-01"), on("2026-04-01")).unwrap();
    let retention = Retention::of(&[AccountPeriod::of(&account, march, EVER)], &ours());
    assert_eq!(
        (
            retention.n_opening,
            retention.n_joined,
            retention.n_joined_and_left
        ),
        (0, 1, 1)
    );
}
