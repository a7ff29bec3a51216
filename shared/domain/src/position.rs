//! Positions: how much of a tenant's facts an answer knows.

use std::fmt;

use crate::id::{Slice, TenantId};

/// For each slice of a tenant, the number of the newest ingestion feed entry that is known. Every service speaks of
/// positions in ingestion's feed, so one position can be handed from any answer to any read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position(Vec<(Slice, u64)>);

/// The newest number of one feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The tenant.
    pub tenant: TenantId,
    /// The slice.
    pub slice: Slice,
    /// Number of the newest entry; the first entry has number 1.
    pub sequence: u64,
}

/// Why a text is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// It was not made by Sextant, or was changed.
    Unreadable,
    /// It belongs to another tenant.
    OtherTenant,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => write!(
                f,
                "is not a position; they come from the acknowledgement of records and from the freshness of answers, and are passed on whole"
            ),
            Self::OtherTenant => write!(
                f,
                "is not a position of this tenant; its own come from the acknowledgement of its records and from the freshness of answers about it"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl Position {
    /// A position of the given slices; slices at 0 are left out.
    #[must_use]
    pub fn new(mut slices: Vec<(Slice, u64)>) -> Self {
        slices.retain(|(_, sequence)| *sequence > 0);
        slices.sort_unstable();
        slices.dedup_by_key(|(slice, _)| *slice);
        Self(slices)
    }

    /// The number of one slice; 0 where nothing is known.
    #[must_use]
    pub fn of(&self, slice: Slice) -> u64 {
        self.0
            .iter()
            .find(|(other, _)| *other == slice)
            .map_or(0, |(_, sequence)| *sequence)
    }

    /// The slices and their numbers, by slice.
    #[must_use]
    pub fn slices(&self) -> &[(Slice, u64)] {
        &self.0
    }

    /// True when `self` knows at least what `other` knows.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .all(|(slice, sequence)| self.of(*slice) >= *sequence)
    }

    /// The opaque text: tenant check, then slice and number pairs, in base 36.
    #[must_use]
    pub fn encode(&self, tenant: TenantId) -> String {
        let mut text = base36(tenant_check(tenant));
        for (slice, sequence) in &self.0 {
            text.push('.');
            text.push_str(&base36(u64::from(slice.0)));
            text.push('-');
            text.push_str(&base36(*sequence));
        }
        text
    }

    /// Reads an opaque text back.
    ///
    /// # Errors
    /// Not a position, or one of another tenant.
    pub fn decode(text: &str, tenant: TenantId) -> Result<Self, Error> {
        let mut parts = text.split('.');
        let check = parts
            .next()
            .and_then(from_base36)
            .filter(|check| *check <= MAX_TENANT_CHECK)
            .ok_or(Error::Unreadable)?;
        if check != tenant_check(tenant) {
            return Err(Error::OtherTenant);
        }
        let mut slices = Vec::new();
        for part in parts {
            let (slice, sequence) = part.split_once('-').ok_or(Error::Unreadable)?;
            let slice = from_base36(slice)
                .and_then(|slice| u16::try_from(slice).ok())
                .ok_or(Error::Unreadable)?;
            let sequence = from_base36(sequence).ok_or(Error::Unreadable)?;
            slices.push((Slice(slice), sequence));
        }
        Ok(Self::new(slices))
    }
}

/// 40 bits.
const MAX_TENANT_CHECK: u64 = 0xff_ffff_ffff;

/// 40 bits that differ between tenants: the low bits of a UUIDv7 are random.
fn tenant_check(tenant: TenantId) -> u64 {
    u64::try_from(tenant.0 & u128::from(MAX_TENANT_CHECK)).unwrap_or(0)
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().collect()
}

fn from_base36(text: &str) -> Option<u64> {
    if text.is_empty() || text.starts_with('+') {
        return None;
    }
    u64::from_str_radix(text, 36).ok()
}

#[cfg(test)]
mod tests;
