use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use prost::Message;

use sextant_domain::time::{DAY_US, Day, Instant};
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{Record, SubscriptionFact, SubscriptionStatus};

use super::counts::Counts;
use super::{Company, Dirt, Error, Options};

const HOUR_US: i64 = 3_600_000_000;
const SEED: u64 = 5;

fn small(dirt: Dirt) -> Company {
    println!("seed {SEED}");
    let options = Options {
        seed: SEED,
        accounts: 60,
        months: 6,
        dirt,
        ..Options::default()
    };
    Company::new(options).expect("options are in range")
}

/// All that [`small`] delivers with flaws, and when.
static DELIVERIES: LazyLock<Vec<(Instant, Record)>> = LazyLock::new(|| {
    let mut records = small(Dirt::Realistic).records();
    let mut deliveries = Vec::new();
    while let Some(record) = records.next() {
        deliveries.push((records.now(), record));
    }
    deliveries
});

fn moment(stamp: &prost_types::Timestamp) -> Instant {
    Instant(stamp.seconds * 1_000_000 + i64::from(stamp.nanos) / 1_000)
}

fn subscriptions() -> impl Iterator<Item = (Instant, &'static SubscriptionFact)> {
    DELIVERIES
        .iter()
        .filter_map(|(_, record)| match (&record.time, &record.fact) {
            (Some(time), Some(Fact::Subscription(fact))) => Some((moment(time), fact)),
            _ => None,
        })
}

#[test]
fn the_same_options_give_the_same_bytes() {
    assert!(DELIVERIES.len() > 20_000);
    let first = DELIVERIES.iter().map(|(_, record)| record.encode_to_vec());
    assert!(
        first.eq(small(Dirt::Realistic)
            .records()
            .map(|record| record.encode_to_vec()))
    );
}

#[test]
fn another_seed_gives_another_company() {
    let options = Options {
        accounts: 3,
        months: 1,
        ..Options::default()
    };
    let first = |seed| {
        Company::new(Options { seed, ..options })
            .expect("options are in range")
            .records()
            .next()
    };
    assert_ne!(first(1), first(2));
}

#[test]
fn accounts_alone_report_what_they_report_within_the_whole() {
    let company = small(Dirt::Realistic);
    let newest = company.accounts() - 1;
    for account in [0, 7, newest] {
        let prefix = format!("{account:06}-");
        let whole = company
            .records()
            .filter(|record| record.id.starts_with(&prefix));
        assert!(
            whole.eq(company.records_of(account..account + 1)),
            "account {account}"
        );
    }
    let halves = [company.records_of(0..50), company.records_of(50..u32::MAX)];
    let records: u64 = halves
        .into_iter()
        .map(|half| u64::try_from(half.count()).expect("fits"))
        .sum();
    assert_eq!(records, company.expected().records());
}

#[test]
fn deliveries_are_in_order_and_within_the_time() {
    let company = small(Dirt::Realistic);
    let end = Instant(i64::from(company.last_day().plus(1).0) * DAY_US);
    let mut before = Instant(i64::from(company.start().plus(-1).0) * DAY_US);
    for &(now, _) in &*DELIVERIES {
        assert!(before <= now && now < end);
        before = now;
    }
}

#[test]
fn events_begin_when_the_books_are_open() {
    let company = small(Dirt::Realistic);
    let start = Instant(i64::from(company.start().0) * DAY_US);
    for (_, record) in &*DELIVERIES {
        if let (Some(time), Some(Fact::Event(_))) = (&record.time, &record.fact) {
            assert!(moment(time) >= start, "{record:?}");
        }
    }
}

/// Counts again, from nothing but the records and the moments of their delivery.
fn recount(deliveries: &[(Instant, Record)], end: Instant) -> Counts {
    let mut counts = Counts::default();
    let mut seen: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
    let mut accounts = BTreeSet::new();
    for (now, record) in deliveries {
        let kind = match &record.fact {
            Some(Fact::Account(fact)) => {
                accounts.insert(fact.account_id.clone());
                &mut counts.accounts
            },
            Some(Fact::User(_)) => &mut counts.users,
            Some(Fact::AccountUser(_)) => &mut counts.account_users,
            Some(Fact::Event(_)) => &mut counts.events,
            Some(Fact::Subscription(_)) => &mut counts.subscriptions,
            Some(Fact::Invoice(_)) => &mut counts.invoices,
            Some(Fact::Payment(_)) => &mut counts.payments,
            Some(other) => panic!("a company makes no {other:?}"),
            None => &mut counts.without_fact,
        };
        *kind += 1;
        let bytes = record.encode_to_vec();
        match seen.insert((record.source.clone(), record.id.clone()), bytes.clone()) {
            Some(earlier) if earlier == bytes => counts.duplicates += 1,
            Some(_) => counts.conflicts += 1,
            None => recount_flaw(record, *now, end, &accounts, &mut counts),
        }
    }
    counts
}

fn recount_flaw(
    record: &Record,
    now: Instant,
    end: Instant,
    accounts: &BTreeSet<String>,
    counts: &mut Counts,
) {
    let (Some(time), Some(fact)) = (record.time.as_ref().map(moment), &record.fact) else {
        counts.malformed += 1;
        return;
    };
    let lag_us = now.0 - time.0;
    if time >= end.plus_us(DAY_US) {
        counts.future_beyond_a_day += 1;
    } else if time >= end {
        counts.future_within_a_day += 1;
    } else if lag_us > HOUR_US {
        counts.late += 1;
        counts.late_over_a_week += u64::from(lag_us > 7 * DAY_US);
    } else {
        assert_eq!(lag_us, 0, "{record:?}");
    }
    let account = match fact {
        Fact::Event(event) if event.r#type.is_empty() || event.account_id.len() > 200 => {
            counts.malformed += 1;
            return;
        },
        Fact::Account(fact) => &fact.account_id,
        Fact::User(_) => return,
        Fact::AccountUser(fact) => &fact.account_id,
        Fact::Event(fact) => &fact.account_id,
        Fact::Subscription(fact) => &fact.account_id,
        Fact::Invoice(fact) => &fact.account_id,
        Fact::Payment(fact) => &fact.account_id,
        other => panic!("a company makes no {other:?}"),
    };
    counts.unknown_account += u64::from(!accounts.contains(account));
}

#[test]
fn counts_are_exact() {
    let company = small(Dirt::Realistic);
    let counted = recount(&DELIVERIES, company.options.end);
    assert_eq!(company.expected(), counted);
    assert_eq!(usize::try_from(counted.records()), Ok(DELIVERIES.len()));
    let all = counted.records() as f64;
    let events = counted.events as f64;
    let shares = [
        (counted.duplicates as f64 / all, 0.01),
        (counted.late as f64 / events, 0.02),
        (counted.late_over_a_week as f64 / events, 0.002),
        (
            (counted.future_within_a_day + counted.future_beyond_a_day) as f64 / events,
            0.001,
        ),
        (counted.malformed as f64 / events, 0.0005),
        (counted.unknown_account as f64 / events, 0.005),
        (counted.conflicts as f64 / events, 0.0002),
    ];
    println!("{counted:?}");
    for (share, expected) in shares {
        // Five standard errors, and a tenth for late events that the end cuts off.
        let tolerance = 5.0 * (expected / events).sqrt() + 0.1 * expected;
        assert!(
            (share - expected).abs() < tolerance,
            "{share} instead of {expected}"
        );
    }
}

#[test]
fn clean_deliveries_have_no_flaws_and_one_currency() {
    let mut records = small(Dirt::Clean).records();
    while let Some(record) = records.next() {
        assert_eq!(record.time.as_ref().map(moment), Some(records.now()));
        if let Some(Fact::Subscription(fact)) = &record.fact {
            assert!(money(fact).iter().all(|(_, currency)| currency == "USD"));
        }
    }
    assert_eq!(records.counts().accepted(), records.counts().records());
}

fn money(fact: &SubscriptionFact) -> Vec<(i64, String)> {
    let prices = fact
        .items
        .iter()
        .filter_map(|item| item.price.as_ref()?.unit_amount.clone());
    prices.map(|money| (money.minor, money.currency)).collect()
}

#[test]
fn every_subscription_version_is_sound() {
    let company = small(Dirt::Realistic);
    let mut statuses = BTreeSet::new();
    let mut currencies = BTreeSet::new();
    for (time, fact) in subscriptions() {
        let status = fact.status();
        statuses.insert(status.as_str_name());
        assert_ne!(status, SubscriptionStatus::Unspecified);
        assert_eq!(fact.items.len(), 1);
        for (item, (minor, currency)) in fact.items.iter().zip(money(fact)) {
            assert!(minor > 0 && item.quantity > 0, "{fact:?}");
            assert_eq!(currency == "USD", item.fx_rate_micros == 0, "{fact:?}");
            currencies.insert(currency);
        }
        assert!(
            fact.discounts
                .iter()
                .all(|discount| (1..=4_000).contains(&discount.percent_off_bps))
        );
        let started = fact.started_at.as_ref().map(moment).expect("has begun");
        let opening = Instant(i64::from(company.start().0) * DAY_US);
        assert!(started <= time.max(opening), "{fact:?}");
        let ended = fact.ended_at.as_ref().map(moment);
        assert_eq!(
            ended,
            (status == SubscriptionStatus::Canceled).then_some(time),
            "{fact:?}"
        );
        if let Some(cancel_at) = &fact.cancel_at {
            let asked = fact
                .canceled_at
                .as_ref()
                .map(moment)
                .expect("was asked for");
            assert!(asked <= time && time <= moment(cancel_at), "{fact:?}");
        }
    }
    assert_eq!(currencies.len(), 3);
    for status in ["TRIALING", "ACTIVE", "PAST_DUE", "CANCELED"] {
        assert!(
            statuses.contains(format!("SUBSCRIPTION_STATUS_{status}").as_str()),
            "{status} in {statuses:?}"
        );
    }
}

#[test]
fn paid_invoices_are_paid_in_full_and_tax_is_part_of_them() {
    let mut totals = BTreeMap::new();
    let mut payments = 0;
    for (_, record) in &*DELIVERIES {
        match &record.fact {
            Some(Fact::Invoice(invoice)) => {
                let total = invoice.total.as_ref().expect("has a total");
                assert!(total.minor > 0 && (0..=total.minor).contains(&invoice.tax_minor));
                totals.insert(&invoice.invoice_id, total);
            },
            Some(Fact::Payment(payment)) => {
                payments += 1;
                assert_eq!(
                    payment.amount.as_ref(),
                    totals.get(&payment.invoice_id).copied(),
                    "{payment:?}"
                );
            },
            _ => {},
        }
    }
    assert!(payments > 150, "{payments} payments");
}

#[test]
fn a_company_holds_about_as_many_events_as_its_accounts_suggest() {
    let company = small(Dirt::Clean);
    let months: usize = (0..company.accounts())
        .map(|account| company.truth(account).months.len())
        .sum();
    let per_month = company.expected().events as f64 / months as f64;
    println!("{per_month} events per account and month, {months} months");
    // Intensity, seats and usage multiply to a heavy tail: sixty accounts can be half or twice the mean of 145.
    assert!((70.0..300.0).contains(&per_month));
    assert!((280..420).contains(&months));
}

#[test]
fn months_are_counted_back_from_the_end() {
    let company = Company::new(Options::default()).expect("defaults are in range");
    assert_eq!(
        (company.start(), company.last_day()),
        (Day(19_905), Day(20_453))
    );
    assert_eq!(company.start().to_string(), "2024-07-01");
    assert_eq!(company.last_day().to_string(), "2025-12-31");
}

#[test]
fn options_out_of_range_are_refused() {
    let new = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        Company::new(options).map(|_| ())
    };
    assert_eq!(
        new(|options| options.accounts = 0),
        Err(Error::AccountsOutOfRange { accounts: 0 })
    );
    assert_eq!(
        new(|options| options.months = 121),
        Err(Error::MonthsOutOfRange { months: 121 })
    );
    assert_eq!(
        new(|options| options.months = 0),
        Err(Error::MonthsOutOfRange { months: 0 })
    );
    assert!(matches!(
        new(|options| options.end = Instant(0)),
        Err(Error::EndOutOfRange { .. })
    ));
    let message = Error::MonthsOutOfRange { months: 121 }.to_string();
    assert_eq!(message, "months is 121; give 1 to 120");
}
