use std::cmp::Reverse;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, Slice};
use sextant_domain::time::{DAY_US, Instant};

use crate::port::ingestion::FactEntry;
use crate::port::places::EventPlace;

/// Where a fact is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactAddress {
    /// The batch that brought it.
    pub batch_id: u128,
    /// Its place there, among those of one slice.
    pub ordinal: u32,
}

impl FactAddress {
    /// The address of the fact that is stored so many places behind this one.
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self {
            batch_id: self.batch_id,
            ordinal: self.ordinal.saturating_add(n),
        }
    }
}

impl FactEntry {
    /// Where the events of accounts in it are.
    pub fn events(&self) -> impl Iterator<Item = EventPlace> {
        let addresses = self.first.into_iter();
        let addresses = addresses.flat_map(|first| (0..).map(move |n| first.plus(n)));
        let facts = self.facts.iter().zip(addresses);
        let events = facts.filter(|(fact, _)| fact.kind == FactKind::Event);
        events.filter_map(|(fact, address)| {
            Some(EventPlace {
                uid: fact.uid?,
                place: TimelinePlace {
                    occurred_at: fact.occurred_at,
                    address,
                },
                known_at: fact.known_at,
            })
        })
    }
}

/// A place in a timeline: by time, and among facts of one time by where they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelinePlace {
    /// When the fact happened, or from when it holds.
    pub occurred_at: Instant,
    /// Where it is stored.
    pub address: FactAddress,
}

impl TimelinePlace {
    /// Behind everything up to and including a moment.
    #[must_use]
    pub const fn behind(moment: Instant) -> Self {
        Self {
            occurred_at: Instant(moment.0.saturating_add(1)),
            address: FactAddress {
                batch_id: 0,
                ordinal: 0,
            },
        }
    }
}

/// What is asked of the timeline of an account.
#[derive(Debug, Clone)]
pub struct TimelineQuery {
    /// The account.
    pub uid: AccountUid,
    /// Its slice.
    pub slice: Slice,
    /// Facts of these kinds; empty: of all.
    pub kinds: Vec<FactKind>,
    /// Known at this moment.
    pub known_at: Instant,
    /// Before this place.
    pub before: TimelinePlace,
    /// At most this many.
    pub limit: usize,
}

impl TimelineQuery {
    /// The kinds as bits: that of a kind is the one with its code.
    #[must_use]
    pub fn kind_bits(&self) -> i64 {
        if self.kinds.is_empty() {
            return i64::MAX;
        }
        let bits = self.kinds.iter().map(|kind| 1_i64 << kind.code());
        bits.fold(0, |all, one| all | one)
    }

    /// Whether events are asked for.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&FactKind::Event)
    }

    /// Weeks since 1970-01-01 of the place before which is asked: no event of a later one is.
    #[must_use]
    pub fn last_week(&self) -> i32 {
        week_of(self.before.occurred_at)
    }

    /// Facts other than events and events, both newest first, as one list.
    #[must_use]
    pub fn merged(&self, facts: Vec<TimelineRow>, events: Vec<TimelineRow>) -> Vec<TimelineRow> {
        let mut all = facts;
        all.extend(events);
        all.sort_unstable_by_key(|row| Reverse(row.place));
        all.truncate(self.limit);
        all
    }
}

/// Weeks since 1970-01-01, by which events of accounts lie together.
#[must_use]
pub fn week_of(moment: Instant) -> i32 {
    let week = moment.0.div_euclid(7 * DAY_US);
    i32::try_from(week).unwrap_or(if week < 0 { i32::MIN } else { i32::MAX })
}

/// A fact in a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// Its place.
    pub place: TimelinePlace,
    /// What kind of fact.
    pub kind: FactKind,
    /// When it became known.
    pub known_at: Instant,
    /// True: `known_at` is assumed.
    pub historical: bool,
    /// The encoded record.
    pub record: Vec<u8>,
}
