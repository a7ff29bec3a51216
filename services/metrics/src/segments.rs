//! In which segments an account was, and since when that is known.

use std::sync::Arc;

use sextant_domain::time::Instant;

use crate::state::Moment;

/// An account entered a segment, or left all.
#[derive(Debug, Clone)]
pub(crate) struct SegmentMove {
    pub(crate) segmentation: Arc<str>,
    /// Empty: in none, or abstained.
    pub(crate) segment: Arc<str>,
    pub(crate) at: Instant,
    pub(crate) known_at: Instant,
}

/// All moves of one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct SegmentHistory {
    /// By `at`; moves at the same instant in the order in which they were told.
    moves: Vec<SegmentMove>,
}

impl SegmentHistory {
    /// Adds a move that was told after those that are here.
    pub(crate) fn add(&mut self, told: SegmentMove) {
        let place = self.moves.partition_point(|other| other.at <= told.at);
        self.moves.insert(place, told);
    }

    /// The segment at a moment: the newest move up to it that was known. Empty: in none; `None`: never evaluated.
    pub(crate) fn segment_at(&self, segmentation: &str, moment: Moment) -> Option<&str> {
        let begun = self.moves.partition_point(|other| other.at <= moment.as_of);
        let known = self.moves[..begun]
            .iter()
            .rev()
            .filter(|told| told.known_at <= moment.known_at);
        let newest = known
            .into_iter()
            .find(|told| &*told.segmentation == segmentation);
        newest.map(|told| &*told.segment)
    }
}

#[cfg(test)]
mod tests;
