//! What holds for any history, however it arrived.

use proptest::prelude::*;

use crate::mrr::{Books, Movement, Mrr, Waterfall, Window};
use crate::retention::{AccountPeriod, Retention};
use crate::subscription::fixture::{active, in_euro, ours, percent, plan, with_status, yearly};
use crate::subscription::{AccountBilling, Pause, Status, Subscription, SubscriptionVersion};
use crate::time::{DAY_US, Instant};

/// Days over which histories extend.
const SPAN: i64 = 400;

fn day(n: i64) -> Instant {
    Instant(n * DAY_US)
}

/// A moment with enough variety to fall into one hour with another.
fn moment() -> impl Strategy<Value = Instant> {
    (0..SPAN, 0_i64..4).prop_map(|(n, quarter)| Instant(n * DAY_US + quarter * 20 * 60 * 1_000_000))
}

fn subscription() -> impl Strategy<Value = Subscription> {
    let price = (0..3_u8, 1..20_u64, 0..5_000_i64, 90..120_u32);
    let ends = (
        prop::option::of(moment()),
        prop::option::of(moment()),
        prop::option::of(moment()),
    );
    (
        0..3_u8,
        prop::sample::select(Status::ALL.to_vec()),
        price,
        any::<bool>(),
        ends,
        0..4_u8,
    )
        .prop_map(
            |(
                name,
                status,
                (form, quantity, unit, rate),
                cancel_at_period_end,
                (period_end, cancel_at, resumes_at),
                extra,
            )| {
                let item = match form {
                    0 => plan(quantity, unit),
                    1 => yearly(quantity, unit),
                    _ => in_euro(plan(quantity, unit), rate),
                };
                let discounts = match extra {
                    0 => vec![percent(30, Some("1970-06-01"))],
                    _ => Vec::new(),
                };
                Subscription {
                    discounts,
                    current_period_end: period_end,
                    cancel_at_period_end,
                    cancel_at: cancel_at.filter(|_| extra == 1),
                    pause: (extra == 2).then_some(Pause { resumes_at }),
                    ..with_status(status, active(&format!("s{name}"), vec![item]))
                }
            },
        )
}

fn versions() -> impl Strategy<Value = Vec<SubscriptionVersion>> {
    versions_of(0)
}

fn versions_of(at_least: usize) -> impl Strategy<Value = Vec<SubscriptionVersion>> {
    let version =
        (moment(), 0..90_i64, subscription()).prop_map(|(valid_from, delay, subscription)| {
            SubscriptionVersion {
                valid_from,
                known_from: valid_from.plus_us(delay * DAY_US),
                subscription,
            }
        });
    prop::collection::vec(version, at_least..12)
}

fn account(versions: &[SubscriptionVersion]) -> AccountBilling {
    AccountBilling::new(versions.to_vec(), &ours()).unwrap()
}

fn window(a: i64, b: i64) -> Window {
    Window::spanning(day(a), day(b))
}

fn all(accounts: &[AccountBilling]) -> Vec<Vec<Movement>> {
    let books = accounts.iter().map(AccountBilling::books);
    books.map(|books| books.movements).collect()
}

proptest! {
    #[test]
    fn the_identity_closes_on_the_true_revenue(
        histories in prop::collection::vec(versions(), 1..4), a in 0..SPAN, known in 0..SPAN + 100,
    ) {
        let accounts: Vec<AccountBilling> = histories.iter().map(|versions| account(versions)).collect();
        let movements = all(&accounts);
        // Everything known by the end of the window is in it, restatements included.
        let (known_at, to) = (day(known), known.max(a) + 1);
        let truth: Mrr = accounts.iter().map(|account| account.mrr_at(day(to).plus_us(-1), known_at)).sum();
        let ledger = Waterfall::of(movements.iter().flatten(), window(a, to), known_at).unwrap();
        prop_assert_eq!(ledger.end(), truth);
        let net = Waterfall::net(movements.iter().map(Vec::as_slice), window(a, to), known_at).unwrap();
        prop_assert_eq!((net.start(), net.end()), (ledger.start(), ledger.end()));
    }

    #[test]
    fn the_order_of_arrival_changes_nothing_but_among_what_became_known_at_one_instant(
        (versions, shuffled) in versions().prop_flat_map(|mut versions| {
            for (place, version) in (0..).zip(&mut versions) {
                version.known_from = version.known_from.plus_us(place);
            }
            (Just(versions.clone()), Just(versions).prop_shuffle())
        }),
        at in moment(), known_at in moment(),
    ) {
        let (one, other) = (account(&versions), account(&shuffled));
        prop_assert_eq!(one.books(), other.books());
        prop_assert_eq!(one.summary_at(at, known_at), other.summary_at(at, known_at));
        prop_assert_eq!(one.change_points(known_at), other.change_points(known_at));
        let twice: Vec<_> = versions.iter().chain(&shuffled).cloned().collect();
        prop_assert_eq!(account(&twice).books(), one.books());
    }

    #[test]
    fn of_what_became_known_at_one_instant_the_last_one_counts(
        versions in versions_of(1), correction in subscription(), place in any::<prop::sample::Index>(),
        at in moment(), known_at in moment(),
    ) {
        let corrected = place.get(&versions);
        let correction = SubscriptionVersion {
            subscription: Subscription { id: corrected.subscription.id.clone(), ..correction },
            ..corrected.clone()
        };
        let same = |version: &SubscriptionVersion| {
            let key = |version: &SubscriptionVersion| {
                (version.known_from, version.valid_from, version.subscription.id.clone())
            };
            key(version) == key(&correction)
        };
        let mut without: Vec<_> = versions.iter().filter(|version| !same(version)).cloned().collect();
        without.push(correction.clone());
        let with: Vec<_> = versions.iter().chain([&correction]).cloned().collect();
        let (with, without) = (account(&with), account(&without));
        prop_assert_eq!(with.books(), without.books());
        prop_assert_eq!(with.summary_at(at, known_at), without.summary_at(at, known_at));
    }

    #[test]
    fn at_any_cut_the_books_close_on_the_revenue_of_that_instant(
        versions in versions(), as_of in moment(), known_at in moment(),
    ) {
        let account = account(&versions);
        // What became known later about closed months is a restatement of later.
        let known_at = known_at.min(as_of);
        let until = account.books_until(as_of);
        let window = Window::spanning(Instant(i64::MIN), as_of.plus_us(1));
        let seen = |books: &Books| Waterfall::of(&books.movements, window, known_at).unwrap();
        prop_assert_eq!(seen(&until).end(), account.mrr_at(as_of, known_at));
        let whole = account.books();
        if !whole.splits(as_of) {
            prop_assert_eq!(seen(&whole), seen(&until));
        }
    }

    #[test]
    fn later_knowledge_leaves_the_past_as_it_was_known(versions in versions(), known in 0..SPAN + 100, to in 1..SPAN) {
        let known_at = day(known);
        let then: Vec<_> = versions.iter().filter(|version| version.known_from <= known_at).cloned().collect();
        let (then, now) = (account(&then).books().movements, account(&versions).books().movements);
        let seen = |movements: &[Movement]| Waterfall::of(movements, window(0, to), known_at).unwrap();
        prop_assert_eq!(seen(&then), seen(&now));
    }

    #[test]
    fn closed_books_stay_closed(versions in versions(), known in 0..SPAN) {
        let movements = account(&versions).books().movements;
        let known_at = day(known);
        let closed = Window::spanning(Instant(i64::MIN), ours().books_open_from(known_at));
        let seen = |known_at| Waterfall::of(&movements, closed, known_at).unwrap();
        prop_assert_eq!(seen(known_at), seen(Instant(i64::MAX)));
    }

    #[test]
    fn splitting_a_window_sums_its_movements(versions in versions(), a in 0..SPAN, b in 0..SPAN, c in 0..SPAN) {
        let movements = account(&versions).books().movements;
        let mut cuts = [a, b, c];
        cuts.sort_unstable();
        let of = |from, to| Waterfall::of(&movements, window(from, to), Instant(i64::MAX)).unwrap();
        let (whole, left, right) = (of(cuts[0], cuts[2]), of(cuts[0], cuts[1]), of(cuts[1], cuts[2]));
        prop_assert_eq!(left.end(), right.start());
        prop_assert_eq!(whole.flows().expansion.0, left.flows().expansion.0 + right.flows().expansion.0);
        prop_assert_eq!(whole.flows().contraction.0, left.flows().contraction.0 + right.flows().contraction.0);
        prop_assert_eq!(whole.flows().churn.0, left.flows().churn.0 + right.flows().churn.0);
        prop_assert_eq!(whole.flows().new.0, left.flows().new.0 + right.flows().new.0);
        prop_assert_eq!(whole.flows().net().0, left.flows().net().0 + right.flows().net().0);
    }

    #[test]
    fn the_parts_of_a_movement_sum_to_it(versions in versions()) {
        for movement in account(&versions).books().movements {
            prop_assert!(movement.kind.allows(movement.delta));
            if !movement.parts.is_empty() {
                prop_assert_eq!(movement.parts.iter().map(|part| part.delta.0).sum::<i128>(), movement.delta.0);
            }
        }
    }

    #[test]
    fn revenue_changes_only_at_versions_and_change_points(versions in versions(), at in moment()) {
        let account = account(&versions);
        let known_at = Instant(i64::MAX);
        let before = at.plus_us(-1);
        if account.mrr_at(before, known_at) != account.mrr_at(at, known_at) {
            let announced = account.change_points(known_at).contains(&at);
            prop_assert!(announced || versions.iter().any(|version| version.valid_from == at));
        }
        prop_assert_eq!(account.summary_at(at, known_at).mrr, account.mrr_at(at, known_at));
    }

    #[test]
    fn gross_retention_is_at_most_net_and_at_most_all(
        histories in prop::collection::vec(versions(), 1..6), a in 0..SPAN, b in 0..SPAN,
    ) {
        let window = window(a, b + 1);
        let periods: Vec<AccountPeriod> = histories
            .iter()
            .map(|versions| AccountPeriod::of(&account(versions), window, Instant(i64::MAX)))
            .collect();
        let retention = Retention::of(&periods, &ours());
        if let (Some(grr), Some(nrr)) = (retention.grr(), retention.nrr()) {
            prop_assert!(0 <= grr.numerator && grr.numerator <= nrr.numerator && grr.numerator <= grr.denominator);
            prop_assert!(nrr.numerator <= retention.nrr_with_reactivation().unwrap().numerator);
        }
    }
}
