use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use sextant_domain::id::{AccountKey, AccountUid, Slice, TenantId};
use sextant_domain::place::Word;
use sextant_domain::time::Instant;

use crate::port::replica::{Page, SliceCursors};
use crate::port::timeline::TimelinePlace;
use crate::{BoxFuture, Result};

/// Something that was said of where a key belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceWord {
    /// A user, or what another system knows; no own id.
    pub key: AccountKey,
    /// What was said.
    pub word: Word,
}

impl PlaceWord {
    /// The first and the last of the words of one day; one where they are the same.
    pub fn between<'k>(
        key: &'k AccountKey,
        (first_at, last_at): (Instant, Instant),
        said: impl Fn(Instant) -> Word + 'k,
    ) -> impl Iterator<Item = Self> + 'k {
        let last = (last_at != first_at).then_some(last_at);
        let ends = std::iter::once(first_at).chain(last);
        ends.map(move |at| Self {
            key: key.clone(),
            word: said(at),
        })
    }
}

/// What the entries of a feed say of places.
#[derive(Debug, Clone)]
pub struct PlaceStep {
    /// The tenant.
    pub tenant: TenantId,
    /// The slice.
    pub slice: Slice,
    /// The feed was followed up to this entry.
    pub from: u64,
    /// And is now up to this one.
    pub to: u64,
    /// What the entries between say.
    pub words: Vec<PlaceWord>,
    /// The events in them that happened in accounts.
    pub events: Vec<EventPlace>,
    /// How many events of each type are in them, each type once.
    pub types: Vec<EventTypeRow>,
}

/// Types of events of a tenant that are counted for themselves.
pub const MAX_EVENT_TYPES: usize = 10_000;

/// Events of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeRow {
    /// The type; empty: all beyond the first [`MAX_EVENT_TYPES`].
    pub event_type: String,
    /// How many there are.
    pub events: u64,
    /// When the first happened.
    pub first_at: Instant,
    /// When the last happened.
    pub last_at: Instant,
}

impl EventTypeRow {
    /// Takes in what else there is of the type.
    pub fn add(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }

    /// The same where no type is told from another beyond so many new ones: in the order in which they come, the types that are not
    /// known take up the room, and those behind are counted together.
    #[must_use]
    pub fn within(types: &[Self], known: &BTreeSet<String>, mut room: usize) -> Vec<Self> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for row in types {
            let is_known = known.contains(&row.event_type);
            let name = if is_known || room > 0 {
                row.event_type.clone()
            } else {
                String::new()
            };
            room -= usize::from(!is_known && room > 0);
            match all.entry(name) {
                Entry::Occupied(counted) => counted.into_mut().add(row),
                Entry::Vacant(new) => {
                    let event_type = new.key().clone();
                    new.insert(Self {
                        event_type,
                        ..row.clone()
                    });
                },
            }
        }
        all.into_values().collect()
    }
}

/// An event of an account, and where it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// The account.
    pub uid: AccountUid,
    /// Its place in the timeline of the account.
    pub place: TimelinePlace,
    /// When it became known.
    pub known_at: Instant,
}

/// Where users, and what other systems know, belong, and where events of accounts are: a projection of ingestion's own feed, with a cursor
/// of its own.
///
/// Of what is said of a key and an account on one day (in UTC) the first and the last word stay, those of coming and those of
/// leaving each for themselves; in whatever order they were stored.
pub trait Places: Send + Sync + std::fmt::Debug {
    /// How far each feed has been followed.
    fn cursors(&self) -> BoxFuture<'_, Result<SliceCursors>>;

    /// Adds a step, and tells whether records wait for a key of it: [`crate::port::Facts::release`] stores them.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`]: somebody else has followed the feed meanwhile.
    fn follow(&self, step: PlaceStep) -> BoxFuture<'_, Result<bool>>;

    /// Types of events after `page.after`, by name (byte order).
    fn event_types<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<EventTypeRow>>>;

    /// All that was said of keys. At most 10,000 keys.
    fn words<'a>(
        &'a self,
        tenant: TenantId,
        keys: &'a [AccountKey],
    ) -> BoxFuture<'a, Result<Vec<PlaceWord>>>;
}
