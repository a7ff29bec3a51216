//! RFM as the R package `rfm` and pandas compute it, from orders to scores (`tests/data/rfm/README.md`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sextant_domain::time::Day;
use sextant_proto::ingestion::v1::{HistorySchedule, RfmTiePolicy, StoredFact};

use crate::facts::{account, payment};
use crate::world::{Scoring, World, at};

const ORDERS: &str = include_str!("../data/rfm/orders.csv");
/// The day that the package's articles look back from.
const ANALYSED_ON: &str = "2006-12-31";

/// Account, day and whole dollars of each order.
fn orders() -> Vec<(&'static str, &'static str, i64)> {
    let rows = ORDERS.lines().skip(1).map(|row| {
        let mut fields = row.split(',');
        let mut field = || fields.next().unwrap();
        (field(), field(), field().parse().unwrap())
    });
    rows.collect()
}

/// The orders as payments, each account named before its first one.
fn facts() -> Vec<StoredFact> {
    let mut orders = orders();
    orders.sort_unstable();
    let mut facts = Vec::new();
    let mut named = "";
    for (minute, (id, day, dollars)) in orders.into_iter().enumerate() {
        if id != named {
            facts.push(account(id, day));
            named = id;
        }
        // Another minute for each of those of one day, which are next to each other.
        let time = format!("{day} 10:{:02}", minute % 60);
        facts.push(payment(id, &time, dollars * 100));
    }
    facts
}

/// A tenant whose history these facts are; everything up to the position that comes with it.
fn world(policy: RfmTiePolicy, facts: Vec<StoredFact>) -> (World, String) {
    let world = World::with_ties(policy);
    world.open_import();
    world.facts(facts);
    let position = world.complete_import(HistorySchedule::Latest);
    (world, position)
}

/// The three digits of every account.
async fn bands(scoring: &Scoring, position: &str) -> BTreeMap<&'static str, String> {
    let mut bands = BTreeMap::new();
    for (id, _, _) in orders() {
        if !bands.contains_key(id) {
            let scores = scoring.scores(id, at(position)).await.unwrap().scores;
            bands.insert(id, scores[0].band.clone());
        }
    }
    bands
}

/// What the package computes its scores from: days since the last order, orders, dollars.
fn in_r() -> BTreeMap<&'static str, [f64; 3]> {
    let analysed_on = Day::parse(ANALYSED_ON).unwrap();
    let mut table: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
    for (id, day, dollars) in orders() {
        let days = f64::from(analysed_on.0 - Day::parse(day).unwrap().0);
        let row = table.entry(id).or_insert([f64::MAX, 0.0, 0.0]);
        *row = [row[0].min(days), row[1] + 1.0, row[2] + dollars as f64];
    }
    table
}

/// Where bins end, as the package's article on transactions prints them.
const BINS: [[f64; 4]; 3] = [
    [115.0, 181.0, 297.4, 482.0],
    [4.0, 5.0, 6.0, 8.0],
    [255.8, 382.0, 506.4, 666.0],
];

/// `rfm_prep_bins` of the package: a bin holds its lower end, and the first is the best one of days.
fn scored_in_r([days, orders, dollars]: [f64; 3]) -> String {
    let bin = |bins: [f64; 4], value: f64| bins.iter().filter(|end| value >= **end).count();
    let [recency, frequency, monetary] = BINS;
    let digits = [
        5 - bin(recency, days),
        1 + bin(frequency, orders),
        1 + bin(monetary, dollars),
    ];
    digits.map(|digit| digit.to_string()).concat()
}

/// Names and bounds of recency, frequency and monetary scores in the package's order: the first that fits.
const SEGMENTS: [(&str, [RangeInclusive<u8>; 3]); 10] = [
    ("Champions", [5..=5, 5..=5, 5..=5]),
    ("Potential Loyalist", [3..=5, 3..=5, 2..=5]),
    ("Loyal Customers", [2..=4, 2..=4, 2..=4]),
    ("Promising", [3..=4, 1..=3, 3..=5]),
    ("New Customers", [4..=5, 1..=3, 1..=5]),
    ("Can't Lose Them", [1..=2, 3..=4, 4..=5]),
    ("At Risk", [1..=2, 2..=5, 4..=5]),
    ("Need Attention", [1..=3, 3..=5, 3..=5]),
    ("About To Sleep", [2..=3, 1..=3, 1..=4]),
    ("Lost", [1..=1, 1..=5, 1..=5]),
];

#[tokio::test]
async fn orders_are_scored_as_the_r_package_scores_them() {
    let (world, position) = world(RfmTiePolicy::RRfmCompat, facts());
    let scoring = world.start();
    let bands = bands(&scoring, &position).await;
    assert_eq!(bands.len(), 995);
    let differ: Vec<_> = in_r()
        .into_iter()
        .map(|(id, row)| (id, row, scored_in_r(row)))
        .filter(|(id, _, expected)| bands[id] != *expected)
        .collect();
    assert!(differ.is_empty(), "{}: {differ:?}", differ.len());
    // As the article prints them.
    for (id, expected) in [
        ("Abbey O'Reilly", "343"),
        ("Add Senger", "412"),
        ("Aden Lesch", "323"),
        ("Admiral Senger", "433"),
    ] {
        assert_eq!(bands[id], expected, "{id}");
    }
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for band in bands.values() {
        let digits = band.bytes().map(|digit| digit - b'0');
        let fits = |bounds: &[RangeInclusive<u8>; 3]| {
            let mut pairs = bounds.iter().zip(digits.clone());
            pairs.all(|(bound, digit)| bound.contains(&digit))
        };
        let segment = SEGMENTS.iter().find(|(_, bounds)| fits(bounds));
        *sizes
            .entry(segment.map_or("Others", |(name, _)| name))
            .or_default() += 1;
    }
    for (segment, expected) in [
        ("Potential Loyalist", 342),
        ("Loyal Customers", 170),
        ("Lost", 148),
        ("New Customers", 104),
        ("About To Sleep", 102),
    ] {
        assert_eq!(sizes[segment], expected, "{segment}");
    }
}

#[tokio::test]
async fn thresholds_are_those_that_the_r_package_prints_as_days_and_cents() {
    let (world, position) = world(RfmTiePolicy::RRfmCompat, facts());
    let scoring = world.start();
    scoring.clock_at(&position).await;
    let models = scoring.models().await;
    let analysed_on = f64::from(Day::parse(ANALYSED_ON).unwrap().0);
    let [recency, frequency, monetary] = BINS;
    let mut days = recency.map(|days| analysed_on - days);
    days.reverse();
    for (dimension, expected) in [
        ("recency_day", days),
        ("frequency", frequency),
        ("monetary_minor", monetary.map(|dollars| dollars * 100.0)),
    ] {
        for (number, expected) in (1..).zip(expected) {
            let name = format!("rfm.{dimension}.threshold.{number}");
            let found = models[0].parameters[&name];
            assert!(
                (found - expected).abs() < 1e-6,
                "{name}: {found}, not {expected}"
            );
        }
    }
}

/// The same fact of a tenant that gave its accounts other uids, in another order.
fn renumbered(mut fact: StoredFact) -> StoredFact {
    let uid = fact.account_uid.iter().map(|byte| !byte);
    fact.account_uid = uid.collect::<Vec<u8>>().into();
    fact
}

#[tokio::test]
async fn ranks_are_those_of_pandas_in_every_tenant_whatever_the_uids_of_its_accounts() {
    let mut all = Vec::new();
    for facts in [facts(), facts().into_iter().map(renumbered).collect()] {
        let (world, position) = world(RfmTiePolicy::PandasRankFirst, facts);
        let scoring = world.start();
        let answer = bands(&scoring, &position).await;
        scoring.stop();
        // What is stored says the same.
        let scoring = world.start();
        assert_eq!(bands(&scoring, &position).await, answer);
        all.push(answer);
    }
    assert_eq!(all[0], all[1]);
    // pandas 3.1.1 over one row for each account in the order of ids, `pd.qcut(column.rank(method="first"), 5, labels=False)
    // + 1` of the last day, the orders and the dollars. The pairs have equal values and a border between them.
    for (place, id, expected) in [
        (1, "Kamren Moen", '1'),
        (1, "Karren Funk", '2'),
        (1, "Milissa Batz", '2'),
        (1, "Mimi Goldner", '3'),
        (1, "Rexford Greenholt", '3'),
        (1, "Romaine McCullough", '4'),
        (1, "Buddie Terry", '4'),
        (1, "Butler Schmitt", '5'),
        (2, "Braulio Haag", '2'),
        (2, "Burr O'Kon", '3'),
        (2, "Halle Davis", '4'),
        (2, "Jeffie Johns", '5'),
    ] {
        let digit = all[0][id].chars().nth(place);
        assert_eq!(digit, Some(expected), "{id}: {}", all[0][id]);
    }
    // Of the three digits of all accounts, read as numbers.
    let numbers = all[0].values().map(|band| band.parse::<u32>().unwrap());
    assert_eq!(numbers.sum::<u32>(), 331_335);
}
