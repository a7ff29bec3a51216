//! Two months of a company of 70 accounts: what they use, what they pay, and the records that tell of it.

use sextant_proto::ingestion::v1::Record;

use crate::worlds::records::{account, at, canceled, event, later, subscription_since};

/// The first day at midnight, and the number of days until the clock.
pub(crate) const START: &str = "2026-01-01T00:00";
pub(crate) const DAYS: usize = 60;
/// First days of the months, and of the one after them.
pub(crate) const MONTHS: [usize; 4] = [0, 31, 59, 90];
/// Of ten accounts nine subscribe, one of them on the last day: more than the 50 that quintiles need.
const ACCOUNTS: usize = 70;
const NOBODY: Terms = Terms {
    day: 0,
    seats: 0,
    cents: 0,
};

/// What an account pays each month from the midnight of a day on: so many seats at so many cents; without seats, it has left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) day: usize,
    pub(crate) seats: u64,
    pub(crate) cents: i64,
}

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) name: String,
    /// Days with their users, in order.
    pub(crate) uses: Vec<(usize, usize)>,
    /// In order.
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

    /// Since which day it has paid without a gap; `None`: it does not pay on this day.
    pub(crate) fn paying_since(&self, day: usize) -> Option<usize> {
        let until_then = self.terms.iter().take_while(|terms| terms.day <= day);
        until_then.fold(None, |since, terms| {
            (terms.seats > 0).then(|| since.unwrap_or(terms.day))
        })
    }

    fn records(&self, number: usize) -> Vec<(usize, Record)> {
        // The accounts' own records come late enough for the first of their others to be waited for.
        let mut records = vec![(number % 4, account(&self.name, at(START)))];
        for (place, (day, user)) in self.uses.iter().enumerate() {
            let time = later(START, day * 24 + place % 2);
            records.push((*day, event(&self.name, &format!("u{user}"), time)));
        }
        let mut started_at = None;
        for Terms { day, seats, cents } in &self.terms {
            let time = later(START, day * 24);
            let since = *started_at.get_or_insert(time);
            let record = if *seats == 0 {
                started_at = None;
                canceled(since, &self.name, time)
            } else {
                subscription_since(since, &self.name, time, *seats, *cents)
            };
            records.push((*day, record));
        }
        records
    }
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

/// How an account pays is told by the last digit of its number.
fn terms(number: usize) -> Vec<Terms> {
    let start = Terms {
        day: 5,
        seats: 3 + u64::try_from(number % 4).unwrap(),
        cents: 1_000 + 37 * i64::try_from(number).unwrap(),
    };
    let from = |day: usize| Terms { day, ..start };
    let seats = |day: usize, seats: u64| Terms {
        day,
        seats,
        ..start
    };
    let left = |day: usize| Terms { day, ..NOBODY };
    match number % 10 {
        0 => Vec::new(),
        1 | 2 => vec![start],
        // Its thirtieth paying day is closed two days before the end.
        3 => vec![from(28)],
        4 => vec![from(35), seats(59, start.seats + 2)],
        5 => vec![from(36), seats(59, start.seats - 1)],
        6 => vec![from(37), left(59)],
        7 => vec![from(33), left(43), from(59)],
        8 => vec![from(57)],
        _ => vec![from(59)],
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
