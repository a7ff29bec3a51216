//! Knowledge time: open books are corrected, closed ones never.

use crate::mrr::{Flows, MovementKind, Mrr, Waterfall, Window};
use crate::subscription::fixture::{
    EVER, active, billing, in_euro, learned, lines, on, plan, since, with_status,
};
use crate::subscription::{Status, Subscription};

fn sub(quantity: u64) -> Subscription {
    active("s", vec![plan(quantity, 1_000)])
}

fn month(from: &str, to: &str) -> Window {
    Window::new(on(from), on(to)).unwrap()
}

#[test]
fn a_closed_month_is_never_rewritten() {
    // April's upgrade becomes known on 20 June; April's books closed on 6 May.
    let account = billing(vec![
        since("2026-04-01", sub(1)),
        learned("2026-06-20", since("2026-04-10", sub(3))),
    ]);
    let movements = account.books().movements;
    assert_eq!(
        lines(&movements),
        [
            "2026-04-01 NEW +10.00",
            "2026-06-01 RESTATEMENT +20.00 LATE_DATA"
        ]
    );
    let april = month("2026-04-01", "2026-05-01");
    let before = Waterfall::of(&movements, april, on("2026-05-10")).unwrap();
    assert_eq!(before, Waterfall::of(&movements, april, EVER).unwrap());
    let june = Waterfall::of(&movements, month("2026-06-01", "2026-07-01"), EVER).unwrap();
    assert_eq!(june.flows().restatement.to_minor(), 2_000);
    assert_eq!(june.end().to_minor(), 3_000);
    // The state itself follows knowledge at once.
    assert_eq!(account.mrr_at(on("2026-04-11"), EVER).to_minor(), 3_000);
    assert_eq!(
        account
            .mrr_at(on("2026-04-11"), on("2026-06-19"))
            .to_minor(),
        1_000
    );
}

#[test]
fn late_data_about_a_closed_and_an_open_month_leaves_no_balance_below_zero() {
    // Learned on 3 February: December's books are closed, January's are open until the 6th.
    let account = billing(vec![
        learned("2026-02-03", since("2025-12-01", sub(10))),
        learned("2026-02-03", since("2026-01-08", sub(4))),
    ]);
    let movements = account.books().movements;
    assert_eq!(
        lines(&movements),
        [
            "2026-01-01 RESTATEMENT +100.00 LATE_DATA",
            "2026-01-08 CONTRACTION -60.00 SEATS:-6000",
        ]
    );
    let january = Waterfall::of(&movements, month("2026-01-01", "2026-02-01"), EVER).unwrap();
    assert_eq!(january.end(), account.mrr_at(on("2026-01-31"), EVER));
    let known = on("2026-02-02");
    let before = Waterfall::of(&movements, month("2026-01-01", "2026-02-01"), known).unwrap();
    assert_eq!(before.end(), Mrr::ZERO);
}

#[test]
fn an_open_month_is_corrected_and_keeps_what_was_believed() {
    // Learned on 3 May; April's books are open until 6 May.
    let movements = billing(vec![
        since("2026-04-01", sub(1)),
        since("2026-04-20", sub(2)),
        learned("2026-05-03", since("2026-04-20", sub(3))),
    ])
    .books()
    .movements;
    assert_eq!(
        lines(&movements),
        [
            "2026-04-01 NEW +10.00",
            "2026-04-20 EXPANSION +20.00 SEATS:2000"
        ]
    );
    let april = month("2026-04-01", "2026-05-01");
    let end_as_of = |known_at| {
        Waterfall::of(&movements, april, on(known_at))
            .unwrap()
            .end()
            .to_minor()
    };
    assert_eq!(
        (end_as_of("2026-04-30"), end_as_of("2026-05-04")),
        (2_000, 3_000)
    );
}

#[test]
fn a_scheduled_churn_is_withdrawn_when_the_account_is_rescued() {
    let leaving = Subscription {
        cancel_at_period_end: true,
        current_period_end: Some(on("2026-05-01")),
        ..sub(1)
    };
    let movements = billing(vec![
        since("2026-04-01", sub(1)),
        since("2026-04-10", leaving),
        since("2026-04-20", sub(1)),
    ])
    .books()
    .movements;
    assert_eq!(lines(&movements), ["2026-04-01 NEW +10.00"]);
    let churn = movements
        .iter()
        .find(|movement| movement.kind == MovementKind::Churn)
        .unwrap();
    assert_eq!(
        (churn.known_at, churn.superseded_at),
        (on("2026-04-10"), Some(on("2026-04-20")))
    );
}

#[test]
fn an_account_that_was_never_known_to_leave_is_restated_to_zero() {
    let ended = with_status(Status::Canceled, sub(1));
    let movements = billing(vec![
        since("2026-01-01", sub(1)),
        learned("2026-06-20", since("2026-03-01", ended)),
    ])
    .books()
    .movements;
    assert_eq!(
        lines(&movements),
        [
            "2026-01-01 NEW +10.00",
            "2026-06-01 RESTATEMENT -10.00 LATE_DATA"
        ]
    );
}

#[test]
fn both_granularities_close_and_differ_as_they_should() {
    let account = billing(vec![
        since("2026-01-01", sub(10)),
        since("2026-02-03", sub(16)),
        since("2026-02-20", sub(10)),
    ]);
    let movements = account.books().movements;
    let february = month("2026-02-01", "2026-03-01");
    let ledger = Waterfall::of(&movements, february, EVER).unwrap();
    assert_eq!(
        (
            ledger.flows().expansion.to_minor(),
            ledger.flows().contraction.to_minor()
        ),
        (6_000, 6_000)
    );
    let net = Waterfall::net([&*movements], february, EVER).unwrap();
    assert_eq!(*net.flows(), Flows::default());
    assert_eq!((net.start(), net.end()), (ledger.start(), ledger.end()));
}

#[test]
fn an_account_is_new_or_back_in_a_month_whatever_its_rate_does_then() {
    let euros = |day: &str, rate| since(day, active("s", vec![in_euro(plan(10, 1_000), rate)]));
    let left = |day: &str| since(day, with_status(Status::Canceled, sub(10)));
    let flows = |versions| {
        let movements = billing(versions).books().movements;
        let february = month("2026-02-01", "2026-03-01");
        *Waterfall::net([&*movements], february, EVER)
            .unwrap()
            .flows()
    };
    let dollars = |dollars: i128| Mrr(dollars * 1_000_000);
    for (rate, drift) in [(115, dollars(5)), (105, dollars(-5))] {
        let revalued = Flows {
            fx_revaluation: drift,
            ..Flows::default()
        };
        let february = [euros("2026-02-03", 110), euros("2026-02-20", rate)];
        let new = Flows {
            new: dollars(110),
            ..revalued
        };
        assert_eq!(flows(february.to_vec()), new, "{rate}");

        let january = [euros("2026-01-01", 110), left("2026-01-10")];
        let back = Flows {
            reactivation: dollars(110),
            ..revalued
        };
        assert_eq!(flows([january, february.clone()].concat()), back, "{rate}");

        let [first, second] = february;
        let gone = flows(vec![first, second, left("2026-02-25")]);
        assert_eq!(gone.churn, dollars(0), "{rate}: it was not there before");
        assert_eq!(gone.net(), dollars(0), "{rate}");
    }
}

#[test]
fn changes_within_an_hour_are_one_movement_but_not_across_months() {
    let day = |time: &str| format!("2026-02-10 {time}");
    let within = billing(vec![
        since("2026-01-01", sub(1)),
        since(&day("10:00"), sub(5)),
        since(&day("10:59"), sub(3)),
        since(&day("11:00"), sub(4)),
    ]);
    assert_eq!(
        lines(&within.books().movements)[1..],
        [
            "2026-02-10 EXPANSION +20.00 SEATS:2000",
            "2026-02-10 EXPANSION +10.00 SEATS:1000"
        ]
    );
    let across = billing(vec![
        since("2026-01-31 23:50", sub(1)),
        since("2026-02-01 00:10", sub(2)),
    ]);
    assert_eq!(
        lines(&across.books().movements),
        [
            "2026-01-31 NEW +10.00",
            "2026-02-01 EXPANSION +10.00 SEATS:1000"
        ]
    );
}

/// At each cut the standing movements, and that they sum to the revenue of that instant.
#[test]
fn at_a_cut_the_books_hold_nothing_that_happened_later() {
    let priced = |at: &str, minor| since(at, active("s", vec![plan(1, minor)]));
    let account = billing(vec![
        priced("2026-01-05 10:00", 10_000),
        priced("2026-01-05 10:30", 15_000),
        // Back to where it was within the hour: taken together these are no movement at all.
        priced("2026-01-07 10:00", 20_000),
        priced("2026-01-07 10:30", 15_000),
    ]);
    let cases: [(&str, bool, &[&str]); 6] = [
        ("2026-01-05 09:00", false, &[]),
        ("2026-01-05 10:15", true, &["2026-01-05 NEW +100.00"]),
        ("2026-01-05 10:30", false, &["2026-01-05 NEW +150.00"]),
        ("2026-01-06 10:30", false, &["2026-01-05 NEW +150.00"]),
        (
            "2026-01-07 10:15",
            true,
            &[
                "2026-01-05 NEW +150.00",
                "2026-01-07 EXPANSION +50.00 PRICE:5000",
            ],
        ),
        ("2026-01-07 10:30", false, &["2026-01-05 NEW +150.00"]),
    ];
    let whole = account.books();
    for (cut, splits, expected) in cases {
        let as_of = on(cut);
        assert_eq!(whole.splits(as_of), splits, "{cut}");
        let books = account.books_until(as_of);
        assert_eq!(lines(&books.movements), expected, "{cut}");
        let window = Window::spanning(on("2026-01-01"), as_of.plus_us(1));
        let waterfall = Waterfall::of(&books.movements, window, EVER).unwrap();
        assert_eq!(waterfall.end(), account.mrr_at(as_of, EVER), "{cut}");
    }
}
