//! Published examples, with their figures and sources.

use crate::exact::Exact;
use crate::money::Currency;
use crate::mrr::{Flows, Granularity, Movement, MovementKind, Mrr, Waterfall, Window};
use crate::subscription::fixture::{
    EVER, active, billing, lines, micros, on, percent, plan, since, times, with_status, yearly,
};
use crate::subscription::{Item, Status, Subscription};

/// Stripe Billing analytics glossary, and Stripe's support article on billing analytics. The glossary prints 800/12 for
/// the yearly group where 600/12 is meant; its answer 12 500 is right.
#[test]
fn t01_stripe_mrr() {
    let mrr_minor = |subscription: Subscription| {
        billing(vec![since("2026-01-01", subscription)])
            .mrr_at(on("2026-01-02"), EVER)
            .to_minor()
    };
    let monthly = mrr_minor(active("m", vec![plan(1, 10_000)]));
    let annual = mrr_minor(active("y", vec![yearly(1, 60_000)]));
    assert_eq!(100 * monthly + 50 * annual, 1_250_000);
    assert_eq!(mrr_minor(active("y", vec![yearly(1, 120_000)])), 10_000);
    let discounts = vec![percent(50, None)];
    assert_eq!(
        mrr_minor(Subscription {
            discounts,
            ..active("y", vec![yearly(1, 120_000)])
        }),
        5_000
    );
}

/// ChartMogul help centre, movement examples: gold 50 a month or 500 a year, silver 30 a month, per unit.
#[test]
fn t02_chartmogul_lifecycle() {
    let gold = || Subscription {
        current_period_end: Some(on("2026-12-31")),
        ..active("gold", vec![yearly(4, 50_000)])
    };
    let silver = || active("silver", vec![plan(2, 3_000)]);
    let movements = billing(vec![
        since("2026-01-01", gold()),
        since("2026-02-01", silver()),
        since("2026-03-01", with_status(Status::Canceled, silver())),
        since(
            "2026-04-01",
            Subscription {
                cancel_at_period_end: true,
                ..gold()
            },
        ),
        since("2027-02-01", active("gold again", vec![plan(3, 5_000)])),
    ])
    .books()
    .movements;
    assert_eq!(
        lines(&movements),
        [
            "2026-01-01 NEW +166.67",
            "2026-02-01 EXPANSION +60.00 EXTRA_PRODUCT:6000",
            "2026-03-01 CONTRACTION -60.00 CANCEL_VOLUNTARY:-6000",
            "2026-12-31 CHURN -166.67 CANCEL_VOLUNTARY",
            "2027-02-01 REACTIVATION +150.00",
        ]
    );
    // Exact deltas in major units: 500/3, 60, −60, −500/3, 150. One major unit is 1 000 000 units of MRR.
    let units = |numerator: i128, denominator| {
        Exact::ratio(numerator * 1_000_000, times(denominator)).round_half_even()
    };
    let exact = [
        units(500, 3),
        units(60, 1),
        units(-60, 1),
        units(-500, 3),
        units(150, 1),
    ];
    let mut standing: Vec<&Movement> = movements
        .iter()
        .filter(|movement| movement.is_known(EVER))
        .collect();
    standing.sort_by_key(|movement| movement.at);
    assert_eq!(
        standing
            .iter()
            .map(|movement| movement.delta.0)
            .collect::<Vec<_>>(),
        exact
    );
}

/// ProfitWell learning pages, comparison with Stripe: Sarah pays 10 on day 15 of each month and cancels on 8 June.
#[test]
fn t04_profitwell_cancel() {
    let sarah = |period_end| Subscription {
        current_period_end: Some(on(period_end)),
        ..active("sarah", vec![plan(1, 1_000)])
    };
    let movements = billing(vec![
        since("2026-04-15", sarah("2026-05-15")),
        since("2026-05-15", sarah("2026-06-15")),
        since(
            "2026-06-08",
            Subscription {
                cancel_at_period_end: true,
                canceled_at: Some(on("2026-06-08")),
                ..sarah("2026-06-15")
            },
        ),
    ])
    .books()
    .movements;
    assert_eq!(
        lines(&movements),
        [
            "2026-04-15 NEW +10.00",
            "2026-06-15 CHURN -10.00 CANCEL_VOLUNTARY"
        ]
    );
    assert_eq!(
        movements.last().and_then(|churn| churn.cancel_notice_at),
        Some(on("2026-06-08"))
    );
}

/// Published monthly export in ProfitWell's layout (public gist by mrsimonbennett). Its "existing" drifts against the
/// previous month's MRR; the drift is a revaluation, and with that line every month closes.
#[test]
fn t06_profitwell_export_identity() {
    let minor = Mrr::from_minor;
    let row = Flows {
        new: minor(27_420),
        contraction: minor(1_000),
        churn: minor(1_000),
        ..Flows::default()
    };
    let closed = Waterfall::new(minor(56_067), row, minor(81_487), Granularity::PeriodNet).unwrap();
    assert_eq!(closed.end().to_minor(), 81_487);
    assert!(Waterfall::new(minor(56_067), row, minor(81_488), Granularity::PeriodNet).is_err());

    let drift = [-2, 9, 5, -8, 6, -2, 13, -6, 1, 2, 10];
    let mut total = 0;
    for fx_minor in drift {
        let (before, after) = (Mrr::from_minor(3_547), Mrr::from_minor(3_547 + fx_minor));
        let opening = Movement::new(MovementKind::New, on("2017-03-01"), Mrr::ZERO, before);
        let revaluation =
            Movement::new(MovementKind::FxRevaluation, on("2017-05-01"), before, after);
        let window = Window::new(on("2017-05-01"), on("2017-06-01")).unwrap();
        let waterfall = Waterfall::of([&opening, &revaluation], window, EVER).unwrap();
        assert_eq!(waterfall.flows().fx_revaluation, minor(fx_minor));
        assert_eq!(waterfall.end(), minor(3_547 + fx_minor));
        total += fx_minor;
    }
    assert_eq!(total, 28);
}

/// The first two drifting months of the same export, from subscriptions: 18.49 became 18.47, and 35.47 became 35.56.
#[test]
fn t06_drift_comes_from_rates_set_anew() {
    for (previous, existing) in [(1_849_u64, 1_847_u64), (3_547, 3_556)] {
        let at_rate = |millionths| {
            let rate = Some(micros(millionths));
            active(
                "s",
                vec![Item {
                    currency: Currency::EUR,
                    rate,
                    ..plan(1, i64::try_from(previous).unwrap())
                }],
            )
        };
        let account = billing(vec![
            since("2017-03-10", at_rate(1_000_000)),
            since(
                "2017-04-10",
                at_rate((existing * 1_000_000 + previous / 2) / previous),
            ),
        ]);
        let window = Window::new(on("2017-04-01"), on("2017-05-01")).unwrap();
        let waterfall = Waterfall::of(&account.books().movements, window, EVER).unwrap();
        let edges = (waterfall.start().to_minor(), waterfall.end().to_minor());
        assert_eq!(edges, (i128::from(previous), i128::from(existing)));
        assert_eq!(waterfall.flows().net(), waterfall.flows().fx_revaluation);
    }
}
