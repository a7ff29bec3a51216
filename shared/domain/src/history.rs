//! What an account did, day by day: the roll-up that usage features are computed from.
//!
//! A cell holds one calendar day as far as it was known by the end of another day, so that a feature can be computed with
//! the knowledge of any day that has ended. Knowledge time is kept by the day: what arrives late makes a cell of its own, and so
//! does what arrives before it happens, for it counts from that moment on.

mod codec;

use std::collections::HashMap;

use crate::time::{Day, Instant};

pub use codec::DecodeError;

/// Something that happened in an account on a day.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// The day, in the tenant's zone.
    pub day: Day,
    /// The day on which it became known, not before `day` unless the source's clock ran ahead.
    pub known: Day,
    /// The user who did it; empty where none did.
    pub user: &'a str,
    /// The product feature that was used; empty where none was.
    pub product_feature: &'a str,
    /// When it happens, where that was still ahead when it became known; it counts from then on.
    pub ahead: Option<Instant>,
}

/// One day, as far as it became known on one day. Users and product features are numbers of the account's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    day: Day,
    known: Day,
    /// From when on it counts; `None`: from the beginning of its day.
    ahead: Option<Instant>,
    events: u32,
    users: Vec<u32>,
    product_features: Vec<u32>,
}

/// The daily roll-up of one account's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// By (day, known, ahead).
    cells: Vec<Cell>,
    users: Directory,
    product_features: Directory,
}

impl Cell {
    fn key(&self) -> (Day, Day, Option<Instant>) {
        (self.day, self.known, self.ahead)
    }

    /// Whether it has happened by a moment and was known by the end of a day.
    fn counts(&self, until: Instant, known: Day) -> bool {
        self.known <= known && self.ahead.is_none_or(|at| at <= until)
    }
}

/// Gives each name a small number, in order of first appearance. Names are kept as 64-bit FNV-1a hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Directory {
    hashes: Vec<u64>,
    numbers: HashMap<u64, u32>,
}

impl Directory {
    fn number(&mut self, hash: u64) -> u32 {
        if let Some(number) = self.numbers.get(&hash) {
            return *number;
        }
        let number = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        self.hashes.push(hash);
        self.numbers.insert(hash, number);
        number
    }

    fn hash(&self, number: u32) -> u64 {
        usize::try_from(number)
            .ok()
            .and_then(|index| self.hashes.get(index))
            .copied()
            .unwrap_or(0)
    }
}

/// What an account did up to a day.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Days with at least one event, of the last 28.
    pub active_days_28d: u32,
    /// Users with at least one event in the last 28 days.
    pub active_users_28d: u32,
    /// Events of the last 28 days.
    pub events_28d: u64,
    /// Events of the 28 days before those.
    pub events_previous_28d: u64,
    /// Product features used in the last 28 days.
    pub product_features_28d: u32,
    /// How evenly active days lie over the last 90 days: `1 − CV` of the gaps between them, within 0..1. `None` below
    /// three active days.
    pub regularity_90d: Option<f64>,
    /// The last day with an event.
    pub last_active: Option<Day>,
}

/// 64-bit FNV-1a (Fowler, Noll, Vo), named and frozen: it is stored.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl History {
    /// Adds an occurrence and returns its month (`Day::month`), which has to be stored again.
    pub fn add(&mut self, occurrence: &Occurrence<'_>) -> i32 {
        let user = (!occurrence.user.is_empty()).then(|| self.users.number(fnv1a(occurrence.user)));
        let product_feature = (!occurrence.product_feature.is_empty()).then(|| {
            self.product_features
                .number(fnv1a(occurrence.product_feature))
        });
        let known = occurrence.known.max(occurrence.day);
        let cell = self.cell((occurrence.day, known, occurrence.ahead));
        cell.events = cell.events.saturating_add(1);
        insert_sorted(&mut cell.users, user);
        insert_sorted(&mut cell.product_features, product_feature);
        occurrence.day.month()
    }

    /// How many days with events it holds; a day counts again for each later day on which more of it became known.
    #[must_use]
    pub fn n_days(&self) -> usize {
        self.cells.len()
    }

    /// What the account did up to the moment `until`, which is on day `as_of`, with the knowledge of the end of day `known`.
    #[must_use]
    pub fn usage(&self, as_of: Day, until: Instant, known: Day) -> Usage {
        let end = self.cells.partition_point(|cell| cell.day <= as_of);
        let visible = || {
            self.cells[..end]
                .iter()
                .rev()
                .filter(|cell| cell.counts(until, known) && cell.events > 0)
        };
        let mut usage = Usage {
            last_active: visible().next().map(|cell| cell.day),
            ..Usage::default()
        };
        let mut users = Seen::default();
        let mut product_features = Seen::default();
        let mut active_days = ActiveDays::default();
        for cell in visible().take_while(|cell| cell.day > as_of.plus(-90)) {
            active_days.add(cell.day);
            if cell.day > as_of.plus(-28) {
                usage.events_28d += u64::from(cell.events);
                usage.active_days_28d = active_days.n_days;
                users.add_all(&cell.users);
                product_features.add_all(&cell.product_features);
            } else if cell.day > as_of.plus(-56) {
                usage.events_previous_28d += u64::from(cell.events);
            }
        }
        usage.active_users_28d = users.n_seen;
        usage.product_features_28d = product_features.n_seen;
        usage.regularity_90d = active_days.regularity();
        usage
    }

    /// The first day with an event.
    #[must_use]
    pub fn first_day(&self) -> Option<Day> {
        self.cells.first().map(|cell| cell.day)
    }

    /// Whether there was an event up to the moment `until`, which is on day `as_of`, that was known by a day.
    #[must_use]
    pub fn is_known_at(&self, as_of: Day, until: Instant, known: Day) -> bool {
        self.cells
            .iter()
            .take_while(|cell| cell.day <= as_of)
            .any(|cell| cell.counts(until, known))
    }

    /// The days of events, each with the day on which they became known; by day.
    pub fn days(&self) -> impl Iterator<Item = (Day, Day)> {
        self.cells.iter().map(|cell| (cell.day, cell.known))
    }

    /// The last day on which an event became known.
    #[must_use]
    pub fn last_known(&self) -> Option<Day> {
        self.cells.iter().map(|cell| cell.known).max()
    }

    fn cell(&mut self, key: (Day, Day, Option<Instant>)) -> &mut Cell {
        let at = match self.cells.last() {
            Some(last) if last.key() == key => self.cells.len() - 1,
            Some(last) if last.key() > key => self.cells.partition_point(|cell| cell.key() < key),
            _ => self.cells.len(),
        };
        if self.cells.get(at).is_none_or(|cell| cell.key() != key) {
            let (day, known, ahead) = key;
            self.cells.insert(
                at,
                Cell {
                    day,
                    known,
                    ahead,
                    events: 0,
                    users: Vec::new(),
                    product_features: Vec::new(),
                },
            );
        }
        &mut self.cells[at]
    }
}

fn insert_sorted(numbers: &mut Vec<u32>, number: Option<u32>) {
    if let Some(number) = number
        && let Err(at) = numbers.binary_search(&number)
    {
        numbers.insert(at, number);
    }
}

/// Counts distinct small numbers.
#[derive(Default)]
struct Seen {
    words: Vec<u64>,
    n_seen: u32,
}

impl Seen {
    fn add_all(&mut self, numbers: &[u32]) {
        for number in numbers {
            let (word, bit) = (
                usize::try_from(number / 64).unwrap_or(usize::MAX),
                1_u64 << (number % 64),
            );
            if word >= self.words.len() {
                self.words.resize(word + 1, 0);
            }
            if self.words[word] & bit == 0 {
                self.words[word] |= bit;
                self.n_seen += 1;
            }
        }
    }
}

/// Gaps between active days, met from the newest to the oldest.
#[derive(Default)]
struct ActiveDays {
    last: Option<Day>,
    n_days: u32,
    n_gaps: f64,
    sum: f64,
    sum_of_squares: f64,
}

impl ActiveDays {
    fn add(&mut self, day: Day) {
        if self.last == Some(day) {
            return;
        }
        if let Some(last) = self.last {
            let gap = f64::from(day.days_until(last));
            self.n_gaps += 1.0;
            self.sum += gap;
            self.sum_of_squares += gap * gap;
        }
        self.last = Some(day);
        self.n_days += 1;
    }

    fn regularity(&self) -> Option<f64> {
        if self.n_days < 3 {
            return None;
        }
        let mean = self.sum / self.n_gaps;
        let variance = (self.sum_of_squares / self.n_gaps - mean * mean).max(0.0);
        Some((1.0 - variance.sqrt() / mean).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests;
