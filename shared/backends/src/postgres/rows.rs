//! Writing parameters: how the domain's types are stored.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};

pub(super) fn tenant(id: TenantId) -> Uuid {
    Uuid::from_u128(id.0)
}

pub(super) fn slice(slice: Slice) -> i32 {
    i32::from(slice.0)
}

/// A number that a caller compares with stored ones; above every stored one it stays above.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The place of a fact in its batch.
pub(super) fn ordinal(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A bound of a list.
pub(super) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// PostgreSQL text cannot hold NUL; what senders wrote may.
pub(super) fn text(value: &str) -> Cow<'_, str> {
    if value.contains('\0') {
        Cow::Owned(value.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(value)
    }
}

/// What an advisory lock of a tenant guards. A transaction that takes several takes them in this order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guarded {
    /// Its import and its clock.
    State,
    /// Which accounts are known, and what waits for others. (In segmentation: its definitions.)
    Accounts,
    /// The list of refused records.
    Rejections,
}

/// An advisory lock of a tenant: of the low half of its id, which is random.
pub(super) fn lock_key(tenant: TenantId, guarded: Guarded) -> i64 {
    let [.., a, b, c, d, e, f, g, h] = tenant.0.to_be_bytes();
    let key = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    match guarded {
        Guarded::State => key.rotate_left(32),
        Guarded::Accounts => key,
        Guarded::Rejections => !key,
    }
}

/// The last of the rows with equal keys, in the order of their first appearance: one INSERT … ON CONFLICT DO UPDATE may
/// meet a row once.
pub(super) fn last_of_each<T, K: Hash + Eq>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    let mut places: HashMap<K, usize> = HashMap::with_capacity(rows.len());
    let mut kept: Vec<&T> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = *places.entry(key(row)).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(older) => *older = row,
            None => kept.push(row),
        }
    }
    kept
}
