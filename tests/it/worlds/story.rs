//! Two months of a company, and what its records add up to.

use std::collections::{BTreeMap, BTreeSet};

use sextant::client::Client;
use sextant_proto::ingestion::v1::{GetIngestCountsRequest, Record, SourceCounts};
use sextant_proto::segmentation::v1::ListSegmentsRequest;

use crate::worlds::records::{account, ask, at, event, feature, later, now, revenue, subscription};

/// The first day at midnight, and the number of days until the clock.
pub(crate) const START: &str = "2026-01-01T00:00";
pub(crate) const DAYS: usize = 60;
const ACCOUNTS: usize = 20;

/// What the records say, counted as plainly as can be.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    records: u64,
    /// Events of the last 28 days by account.
    events: BTreeMap<String, i64>,
    /// Days with events among them.
    days: BTreeMap<String, BTreeSet<usize>>,
    /// Users with events among them.
    users: BTreeMap<String, BTreeSet<usize>>,
    /// Accounts by stage of the lifecycle.
    stages: BTreeMap<&'static str, u64>,
    mrr_minor: i64,
}

impl Oracle {
    fn see_event(&mut self, account: &str, day: usize, user: usize) {
        if day + 28 > DAYS {
            *self.events.entry(account.to_owned()).or_default() += 1;
            self.days.entry(account.to_owned()).or_default().insert(day);
            self.users
                .entry(account.to_owned())
                .or_default()
                .insert(user);
        }
    }

    fn see_stage(&mut self, stage: &'static str) {
        *self.stages.entry(stage).or_default() += 1;
    }
}

fn name(number: usize) -> String {
    format!("account-{number:02}")
}

/// The subscription of an account, if it has one: the day that it begins, seats, and cents for each.
fn terms(number: usize) -> Option<(usize, u64, i64)> {
    let (seats, cents) = (
        u64::try_from(number).unwrap() + 1,
        1_000 + 37 * i64::try_from(number).unwrap(),
    );
    match number % 3 {
        0 => None,
        1 => Some((5, seats, cents)),
        _ => Some((50, seats, cents)),
    }
}

/// All records with their days, in order, the accounts' own late enough for the first of them to be waited for, and what they add up to.
pub(crate) fn story() -> (Vec<(usize, Record)>, Oracle) {
    let (mut records, mut oracle) = (Vec::new(), Oracle::default());
    for day in 0..DAYS {
        for number in 0..ACCOUNTS {
            let name = name(number);
            if day == number % 4 {
                records.push((day, account(&name, at(START))));
            }
            for count in 0..(number * 5 + day * 3) % 4 {
                let user = (number + day + count) % (1 + number % 4);
                let time = later(START, day * 24 + count);
                records.push((day, event(&name, &format!("u{user}"), time)));
                oracle.see_event(&name, day, user);
            }
            if let Some((begins, seats, cents)) = terms(number)
                && begins == day
            {
                let time = later(START, day * 24);
                records.push((day, subscription(&name, time, seats, cents)));
                oracle.mrr_minor += i64::try_from(seats).unwrap() * cents;
            }
        }
    }
    for number in 0..ACCOUNTS {
        oracle.see_stage(match terms(number) {
            None => "prospect",
            Some((begins, ..)) if DAYS - begins < 30 => "onboarding",
            Some(_) => "adopting",
        });
    }
    oracle.records = u64::try_from(records.len()).unwrap();
    (records, oracle)
}

async fn counts(client: &Client) -> SourceCounts {
    let request = client.request(GetIngestCountsRequest {});
    let answer = client.ingestion().get_ingest_counts(request).await;
    let mut sources = answer.unwrap().into_inner().sources;
    assert_eq!(sources.len(), 1);
    sources.remove(0)
}

/// What is stored and answered, beside what the records add up to.
pub(crate) async fn compare(client: &Client, oracle: &Oracle, position: &str) {
    let counts = counts(client).await;
    assert_eq!(
        (
            counts.accepted,
            counts.held,
            counts.rejected,
            counts.conflict
        ),
        (oracle.records, 0, 0, 0)
    );
    let at = now(position);
    for number in 0..ACCOUNTS {
        let name = name(number);
        let count = |sets: &BTreeMap<String, BTreeSet<usize>>| {
            Some(
                sets.get(&name)
                    .map_or(0, |set| i64::try_from(set.len()).unwrap()),
            )
        };
        let expected = [
            (
                "usage.events_28d",
                oracle.events.get(&name).copied().or(Some(0)),
            ),
            ("usage.active_days_28d", count(&oracle.days)),
            ("usage.active_users_28d", count(&oracle.users)),
        ];
        for (feature_name, expected) in expected {
            let found = feature(client, &name, feature_name, &at).await;
            assert_eq!(found, expected, "{feature_name} of {name}");
        }
    }
    assert_eq!(
        revenue(client, &at).await.total.unwrap().mrr_minor,
        oracle.mrr_minor
    );
    let request = ListSegmentsRequest {
        segmentation: "lifecycle".to_owned(),
        at: Some(at),
        ..ListSegmentsRequest::default()
    };
    let answer = ask!(client, segmentation.list_segments, request);
    let stages: BTreeMap<String, u64> = answer
        .segments
        .into_iter()
        .filter(|summary| summary.accounts > 0)
        .map(|summary| (summary.segment.unwrap().key, summary.accounts))
        .collect();
    let expected: BTreeMap<String, u64> = oracle
        .stages
        .iter()
        .map(|(stage, accounts)| ((*stage).to_owned(), *accounts))
        .collect();
    assert_eq!(stages, expected);
}
