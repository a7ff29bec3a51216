//! What ingestion's feed entries hold.

use sextant_domain::time::Instant;

use crate::port::{Import, Trace};

const FACTS: u8 = 1;
const IMPORT_STARTED: u8 = 2;
const IMPORT_COMPLETED: u8 = 3;
const CLOCK: u8 = 4;
const TRACED_FACTS: u8 = 5;

/// A feed entry. Stored as a tag byte and its fields, big-endian; a tag is never used for another layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// Facts of one batch: those with ordinals from `first` up to, not including, `end`.
    Facts {
        /// When they were stored.
        recorded_at: Instant,
        /// The batch.
        batch_id: u128,
        /// Ordinal of the first.
        first: u32,
        /// Ordinal after the last.
        end: u32,
        /// The call that brought them.
        trace: Option<Trace>,
    },
    /// An import began or ended.
    Import {
        /// When.
        recorded_at: Instant,
        /// Which.
        mark: Import,
    },
    /// The fixed evaluation clock was moved.
    Clock {
        /// When.
        recorded_at: Instant,
        /// Where it stands now.
        to: Instant,
    },
}

impl Entry {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(33);
        match self {
            Self::Facts {
                recorded_at,
                batch_id,
                first,
                end,
                trace,
            } => {
                bytes.push(trace.map_or(FACTS, |_| TRACED_FACTS));
                bytes.extend_from_slice(&recorded_at.0.to_be_bytes());
                bytes.extend_from_slice(&batch_id.to_be_bytes());
                bytes.extend_from_slice(&first.to_be_bytes());
                bytes.extend_from_slice(&end.to_be_bytes());
                bytes.extend(trace.into_iter().flatten());
            },
            Self::Import {
                recorded_at,
                mark: Import::Started,
            } => {
                bytes.push(IMPORT_STARTED);
                bytes.extend_from_slice(&recorded_at.0.to_be_bytes());
            },
            Self::Import {
                recorded_at,
                mark: Import::Completed(schedule),
            } => {
                bytes.push(IMPORT_COMPLETED);
                bytes.extend_from_slice(&recorded_at.0.to_be_bytes());
                bytes.push(schedule);
            },
            Self::Clock { recorded_at, to } => {
                bytes.push(CLOCK);
                bytes.extend_from_slice(&recorded_at.0.to_be_bytes());
                bytes.extend_from_slice(&to.0.to_be_bytes());
            },
        }
        bytes
    }

    /// `None`: not an entry that this version writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let (at, rest) = rest.split_first_chunk()?;
        let recorded_at = Instant(i64::from_be_bytes(*at));
        match (*tag, rest) {
            (FACTS | TRACED_FACTS, rest) => {
                let (batch_id, rest) = rest.split_first_chunk()?;
                let (first, rest) = rest.split_first_chunk()?;
                let (end, rest) = rest.split_first_chunk()?;
                let trace = match (*tag, rest) {
                    (FACTS, []) => None,
                    (TRACED_FACTS, trace) => Some(trace.try_into().ok()?),
                    _ => return None,
                };
                Some(Self::Facts {
                    recorded_at,
                    batch_id: u128::from_be_bytes(*batch_id),
                    first: u32::from_be_bytes(*first),
                    end: u32::from_be_bytes(*end),
                    trace,
                })
            },
            (IMPORT_STARTED, []) => Some(Self::Import {
                recorded_at,
                mark: Import::Started,
            }),
            (IMPORT_COMPLETED, [schedule]) => Some(Self::Import {
                recorded_at,
                mark: Import::Completed(*schedule),
            }),
            (CLOCK, rest) => Some(Self::Clock {
                recorded_at,
                to: Instant(i64::from_be_bytes(rest.try_into().ok()?)),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
