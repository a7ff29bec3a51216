//! Two months of a company of 72 accounts: what they use, what they pay, and the records that tell of it.

use prost_types::Timestamp;

use sextant_proto::ingestion::v1::{Record, SubscriptionFact, SubscriptionStatus};

use crate::worlds::records::{account, amended, at, canceled, event, later, subscription_since};

/// The first day at midnight, and the number of days until the clock.
pub(crate) const START: &str = "2026-01-01T00:00";
pub(crate) const DAYS: usize = 60;
/// First days of the months, and of the one after them.
pub(crate) const MONTHS: [usize; 4] = [0, 31, 59, 90];
/// Ways to pay, in which accounts take turns. In all but one there is a subscription at the end: enough for the 50 accounts
/// that quintiles need.
const WAYS: usize = 18;
const ACCOUNTS: usize = 72;
/// What a dollar is worth, in its ten-thousandths.
const DOLLAR: i64 = 10_000;

/// How a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In a trial, until a day.
    Trial {
        ends: usize,
    },
    Paying,
    /// Paying, and cancelled: it pays until a day.
    Leaving {
        ends: usize,
    },
    Paused,
    Left,
}

/// What is told of an account at the midnight of a day: how it stands, and that it pays so many seats at so many cents each
/// month, where it pays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) day: usize,
    pub(crate) standing: Standing,
    pub(crate) seats: i64,
    /// Of its currency.
    pub(crate) cents: i64,
    /// Locked: ten-thousandths of a dollar for one unit of its currency, which is the euro where they are not [`DOLLAR`].
    pub(crate) rate: i64,
}

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) name: String,
    /// Days with their users, in order.
    pub(crate) uses: Vec<(usize, usize)>,
    /// In the order in which they are told. Of several of one midnight the later ones are corrections.
    pub(crate) terms: Vec<Terms>,
}

impl Life {
    fn new(number: usize) -> Self {
        Self {
            name: name(number),
            uses: uses(number),
            terms: terms(number),
        }
    }

    fn records(&self, number: usize) -> Vec<(usize, Record)> {
        // The accounts' own records come late enough for the first of their others to be waited for.
        let mut records = vec![(number % 4, account(&self.name, at(START)))];
        for (place, (day, user)) in self.uses.iter().enumerate() {
            let time = later(START, day * 24 + place % 2);
            records.push((*day, event(&self.name, &format!("u{user}"), time)));
        }
        let mut started_at = None;
        for (place, terms) in self.terms.iter().enumerate() {
            let since = *started_at.get_or_insert_with(|| midnight(terms.day));
            let record = terms.record(&self.name, since);
            // What is told of one midnight again is another record.
            let id = format!("{} {place}", record.id);
            records.push((terms.day, Record { id, ..record }));
            if terms.standing == Standing::Left {
                started_at = None;
            }
        }
        records
    }
}

impl Terms {
    fn record(&self, account: &str, since: Timestamp) -> Record {
        let time = midnight(self.day);
        if self.standing == Standing::Left {
            return canceled(since, account, time);
        }
        let seats = u64::try_from(self.seats).unwrap();
        let record = subscription_since(since, account, time, seats, self.cents);
        amended(record, |fact| {
            match self.standing {
                Standing::Trial { ends } => {
                    fact.set_status(SubscriptionStatus::Trialing);
                    fact.trial_ends_at = Some(midnight(ends));
                },
                Standing::Leaving { ends } => {
                    fact.canceled_at = Some(time);
                    fact.cancel_at = Some(midnight(ends));
                    fact.current_period_ends_at = Some(midnight(ends));
                },
                Standing::Paused => fact.set_status(SubscriptionStatus::Paused),
                Standing::Paying | Standing::Left => {},
            }
            if self.rate != DOLLAR {
                in_euros(fact, self.rate * 100);
            }
        })
    }
}

fn in_euros(fact: &mut SubscriptionFact, rate_micros: i64) {
    for item in &mut fact.items {
        item.fx_rate_micros = rate_micros;
        let price = item.price.as_mut().unwrap();
        price.unit_amount.as_mut().unwrap().currency = "EUR".to_owned();
    }
}

fn midnight(day: usize) -> Timestamp {
    later(START, day * 24)
}

/// Accounts are named by how they live, in the order of [`terms`].
pub(crate) fn name(number: usize) -> String {
    format!("account-{number:02}")
}

/// Each uses the product every so many days, with one event and two in turn, until some day.
fn uses(number: usize) -> Vec<(usize, usize)> {
    let last = DAYS - 1 - (number * 11) % 40;
    let days = (0..=last).filter(|day| (day + number).is_multiple_of(1 + number % 7));
    let events = days.flat_map(|day| (0..=(day + number) % 2).map(move |count| (day, count)));
    events
        .map(|(day, count)| (day, (number + day + count) % (1 + number % 4)))
        .collect()
}

/// How an account pays is told by the remainder of its number.
fn terms(number: usize) -> Vec<Terms> {
    let start = Terms {
        day: 5,
        standing: Standing::Paying,
        seats: 3 + i64::try_from(number % 4).unwrap(),
        cents: 1_000 + 37 * i64::try_from(number).unwrap(),
        rate: DOLLAR,
    };
    let from = |day: usize| Terms { day, ..start };
    let becomes = |day: usize, standing: Standing| Terms {
        day,
        standing,
        ..start
    };
    let trial = |day: usize, ends: usize| becomes(day, Standing::Trial { ends });
    let leaving = |day: usize, ends: usize| becomes(day, Standing::Leaving { ends });
    let paused = |day: usize| becomes(day, Standing::Paused);
    let left = |day: usize| becomes(day, Standing::Left);
    let more = |day: usize, seats: i64| Terms {
        day,
        seats: start.seats + seats,
        ..start
    };
    let euros = |terms: Terms, rate: i64| Terms { rate, ..terms };
    match number % WAYS {
        0 => Vec::new(),
        1 => vec![more(5, 4), start],
        2 => vec![euros(start, 10_853)],
        // Its thirtieth paying day is closed two days before the end.
        3 => vec![from(28)],
        4 => vec![from(35), more(59, -2), more(59, 5), more(59, 2)],
        5 => vec![euros(from(36), 11_207), euros(more(59, -1), 11_207)],
        6 => vec![from(37), left(59)],
        7 => vec![from(33), left(43), from(59)],
        8 => vec![from(57)],
        9 => vec![from(59)],
        10 => vec![from(32), paused(40), from(57)],
        11 => vec![start, paused(59)],
        12 => vec![from(34), paused(46), left(59)],
        13 => vec![trial(20, 34), from(34), leaving(45, 58)],
        14 => vec![trial(45, 57)],
        15 => vec![trial(46, 59), from(59)],
        16 => vec![from(38), leaving(44, 62), from(57)],
        _ => vec![
            euros(from(33), 10_917),
            euros(from(57), 11_031),
            euros(from(59), 10_874),
        ],
    }
}

/// All accounts, and all records with their days, in the order in which they are told.
pub(crate) fn story() -> (Vec<Life>, Vec<(usize, Record)>) {
    let lives: Vec<Life> = (0..ACCOUNTS).map(Life::new).collect();
    let mut records: Vec<(usize, Record)> = lives
        .iter()
        .enumerate()
        .flat_map(|(number, life)| life.records(number))
        .collect();
    records.sort_by_key(|(day, _)| *day);
    (lives, records)
}
