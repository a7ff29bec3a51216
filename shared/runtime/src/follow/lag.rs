//! How long a feed has been ahead of what was taken in of it, and since when what follows it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_domain::time::Instant;

use crate::follow::is_overtaken;

/// What taking entries in may need without anybody calling the answers stale.
const AHEAD_GRACE_US: i64 = 1_000_000;
/// A restart of the service before this one goes unnoticed.
const DEAF_GRACE_US: i64 = 10_000_000;

/// How far the feeds of one service have grown, and how far they were taken in: told by two tasks, in any order.
#[derive(Debug, Default)]
pub struct Lag {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Feeds that have grown beyond what was taken in.
    ahead: BTreeMap<(TenantId, Slice), Ahead>,
    taken_in: BTreeMap<(TenantId, Slice), u64>,
    deaf_since: Option<Instant>,
    /// Since when work ends with an error: taking a slice in, or what is done for the whole tenant (no slice).
    failing: BTreeMap<(TenantId, Option<Slice>), Instant>,
}

/// How current what was taken in of a tenant's feeds is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantLag {
    /// How old it may be, in microseconds: the time since the feeds got ahead, since nothing is heard of them, or since work
    /// fails. 0: it is what they hold.
    pub age_us: i64,
    /// The last attempt of some work is one that failed.
    pub is_failing: bool,
    /// The feeds have been ahead for more than a second, or were not heard for longer than it takes to connect again.
    pub is_behind: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ahead {
    head: u64,
    since: Instant,
}

impl Known {
    fn ahead_since(&self, tenant: TenantId) -> Option<Instant> {
        let slices = self
            .ahead
            .range((tenant, Slice(0))..=(tenant, Slice(u16::MAX)));
        slices.map(|(_, ahead)| ahead.since).min()
    }

    fn failing_since(&self, tenant: TenantId) -> Option<Instant> {
        let works = (tenant, None)..=(tenant, Some(Slice(u16::MAX)));
        self.failing.range(works).map(|(_, since)| *since).min()
    }

    fn is_deaf(&self, now: Instant) -> bool {
        self.deaf_since
            .is_some_and(|since| now.0.saturating_sub(since.0) > DEAF_GRACE_US)
    }
}

impl Lag {
    /// Of a feed that nobody has listened to yet.
    #[must_use]
    pub fn unheard(now: Instant) -> Self {
        let lag = Self::default();
        lag.deaf(now);
        lag
    }

    /// Nothing is heard from the feed any more: whatever was taken in may be old.
    pub fn deaf(&self, now: Instant) {
        self.locked().deaf_since.get_or_insert(now);
    }

    /// The feed is heard again.
    pub fn hears(&self) {
        self.locked().deaf_since = None;
    }

    /// All feeds are told of anew. Those that are not told of are not ahead any more: the service before was restored to
    /// less than it told before.
    pub fn anew(&self, told: &[Head]) {
        let told: BTreeSet<_> = told.iter().map(|head| (head.tenant, head.slice)).collect();
        self.locked().ahead.retain(|feed, _| told.contains(feed));
    }

    /// The feed has grown to `head`.
    pub fn grown(&self, tenant: TenantId, slice: Slice, head: u64, now: Instant) {
        let mut known = self.locked();
        if known
            .taken_in
            .get(&(tenant, slice))
            .is_some_and(|cursor| *cursor >= head)
        {
            known.ahead.remove(&(tenant, slice));
            return;
        }
        let ahead = known
            .ahead
            .entry((tenant, slice))
            .or_insert(Ahead { head, since: now });
        ahead.head = head;
    }

    /// Everything up to `cursor` was taken in.
    pub fn taken_in(&self, tenant: TenantId, slice: Slice, cursor: u64) {
        let mut known = self.locked();
        known.taken_in.insert((tenant, slice), cursor);
        if known
            .ahead
            .get(&(tenant, slice))
            .is_some_and(|ahead| ahead.head <= cursor)
        {
            known.ahead.remove(&(tenant, slice));
        }
    }

    /// The first entry that was not taken in yet brings facts that are stored since `at`: perhaps since long before it was
    /// heard of.
    pub fn waits_since(&self, tenant: TenantId, slice: Slice, at: Instant) {
        if let Some(ahead) = self.locked().ahead.get_mut(&(tenant, slice)) {
            ahead.since = at;
        }
    }

    /// An attempt to take a slice in, or to do what is done for the whole tenant (no slice), has ended. Whom another process
    /// has overtaken has not failed: the work is done.
    pub fn ended<T>(
        &self,
        (tenant, slice): (TenantId, Option<Slice>),
        outcome: &Result<T, Status>,
        now: Instant,
    ) {
        let mut known = self.locked();
        match outcome {
            Ok(_) => {
                known.failing.remove(&(tenant, slice));
            },
            Err(status) if is_overtaken(status) => {},
            Err(_) => {
                known.failing.entry((tenant, slice)).or_insert(now);
            },
        }
    }

    /// Entries that are known of and were not taken in yet, of all feeds.
    #[must_use]
    pub fn entries(&self) -> u64 {
        let known = self.locked();
        let waiting = known.ahead.iter().map(|(feed, ahead)| {
            let cursor = known.taken_in.get(feed).copied().unwrap_or(0);
            ahead.head.saturating_sub(cursor)
        });
        waiting.sum()
    }

    /// Age of the oldest facts that were not taken in yet, of all feeds. Where nothing is heard for longer than it takes to
    /// connect again, at least the time since then.
    #[must_use]
    pub fn oldest(&self, now: Instant) -> Duration {
        let known = self.locked();
        let deaf_since = known.deaf_since.filter(|_| known.is_deaf(now));
        let oldest = known.ahead.values().map(|ahead| ahead.since);
        let oldest = oldest.chain(deaf_since).min();
        let age_us = oldest.map_or(0, |since| now.0.saturating_sub(since.0));
        Duration::from_micros(u64::try_from(age_us).unwrap_or(0))
    }

    /// How current what was taken in of a tenant's feeds is.
    #[must_use]
    pub fn of(&self, tenant: TenantId, now: Instant) -> TenantLag {
        let known = self.locked();
        let (ahead, failing) = (known.ahead_since(tenant), known.failing_since(tenant));
        let oldest = ahead
            .into_iter()
            .chain(known.deaf_since)
            .chain(failing)
            .min();
        TenantLag {
            age_us: oldest.map_or(0, |since| now.0.saturating_sub(since.0).max(0)),
            is_failing: failing.is_some(),
            is_behind: known.is_deaf(now)
                || ahead.is_some_and(|since| now.0.saturating_sub(since.0) > AHEAD_GRACE_US),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
