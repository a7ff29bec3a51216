//! What a segmenter's answers mean for accounts: who stays, who moves, and why.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use prost::Message;

use sextant_domain::feature::Feature;
use sextant_domain::id::AccountUid;
use sextant_domain::time::Instant;
use sextant_plugin_host::{ABSTAIN, Assignments, Descriptor, NO_SEGMENT, Reason, Trouble};
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;

use crate::state::Standing;

/// The standing that an answer gives a row.
pub(crate) fn standing(descriptor: &Descriptor, answer: u16) -> Standing {
    match answer {
        ABSTAIN => Standing::new(MembershipState::Abstained, ""),
        NO_SEGMENT => Standing::new(MembershipState::None, ""),
        index => match descriptor.segments.get(usize::from(index)) {
            Some(segment) => Standing::new(MembershipState::Member, &segment.key),
            None => Standing::new(MembershipState::Abstained, ""),
        },
    }
}

/// Rows whose answer differs from where the account stands. Of one that the segmenter could not be asked about, the account stays
/// where it is; it could not be judged, if it is nowhere and the segmenter fails for it, and is not judged yet, if it is to be asked again.
pub(crate) fn moved<'a>(
    descriptor: &Descriptor,
    answers: &Assignments,
    standing_of: impl Fn(usize) -> Option<&'a Standing>,
) -> Vec<(usize, Standing)> {
    let answered = answers
        .segment
        .iter()
        .enumerate()
        .map(|(row, answer)| (row, standing(descriptor, *answer)));
    let moves = |row: usize, standing: &Standing| match standing_of(row) {
        Some(before) => before != standing && answers.unanswered_of(row).is_none(),
        None => answers.unanswered_of(row).is_none_or(|one| one.is_its_own),
    };
    answered
        .filter(|(row, standing)| moves(*row, standing))
        .collect()
}

/// Why a segmenter is taken to have failed, although it may have answered for some rows: it is not asked any more, its server is
/// away, or of several rows it has answered for none.
pub(crate) fn failure(answers: &Assignments) -> Option<&Trouble> {
    let whole = |trouble: &&Trouble| trouble.is_of_all_rows();
    let mut troubles = answers.unanswered.iter().map(|one| &one.trouble);
    let mut lacking: Vec<usize> = answers.missing.iter().map(|one| one.row).collect();
    lacking.dedup();
    let n_asked = answers.segment.len() - lacking.len();
    let none_answered = n_asked > 1 && answers.unanswered.len() == n_asked;
    troubles
        .clone()
        .find(whole)
        .or_else(|| troubles.next().filter(|_| none_answered))
}

/// What the account is worth in a year: its ARR, or what it is expected to buy; `None`: neither is known.
pub(crate) fn value_minor(table: &RecordBatch, row: usize) -> Option<i64> {
    let number = |feature| sextant_columns::number(table, feature, row);
    let recurring = number(Feature::RevenueArrMinor);
    let paying = recurring.filter(|minor| *minor > 0.0);
    let value = paying
        .or_else(|| number(Feature::ClvValue12mMinor))
        .or(recurring)?
        .max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole minor units that came from 64 bits; saturates"
    )]
    let minor = value as i64;
    Some(minor)
}

/// What the accounts of tables are worth in a year, of those of which it is known.
pub(crate) fn worth(tables: &[RecordBatch]) -> HashMap<AccountUid, i64> {
    let mut worth = HashMap::new();
    for table in tables {
        let uids = sextant_columns::uids(table);
        let rows = uids.into_iter().enumerate();
        worth.extend(rows.filter_map(|(row, uid)| Some((uid, value_minor(table, row)?))));
    }
    worth
}

/// Versions of the models whose scores a segmenter reads.
pub(crate) fn models_read(descriptor: &Descriptor, versions: &[String]) -> String {
    let reads = |version: &&String| {
        let model = version.split_once('/').map(|(model, _)| model);
        let features = descriptor.features.iter();
        let mut read = features.filter_map(|feature| Feature::parse(&feature.name)?.model());
        read.any(|read| Some(read) == model)
    };
    let read: Vec<&str> = versions.iter().filter(reads).map(String::as_str).collect();
    read.join(", ")
}

/// True when a segment ranks below the one before; rank 1 is the best.
pub(crate) fn is_downward(descriptor: &Descriptor, from: Option<&Standing>, to: &Standing) -> bool {
    let rank = |standing: &Standing| {
        let key = standing.member_of()?;
        descriptor
            .segments
            .iter()
            .find(|segment| segment.key == key)?
            .rank
    };
    match (from.and_then(rank), rank(to)) {
        (Some(from), Some(to)) => to > from,
        _ => false,
    }
}

/// The grounds of a move: what the segmenter said, with the value of each feature now and at the move before.
pub(crate) fn reasons(
    descriptor: &Descriptor,
    table: &RecordBatch,
    row: usize,
    said: &[Reason],
    before: Option<&pb::Transition>,
) -> Vec<pb::Reason> {
    let name_of = |index: u16| {
        descriptor
            .features
            .get(usize::from(index))
            .map(|feature| feature.name.as_str())
    };
    said.iter()
        .filter_map(|reason| {
            let name = name_of(reason.feature_index)?;
            let old =
                before.and_then(|before| before.reasons.iter().find(|old| old.feature == name));
            Some(pb::Reason {
                feature: name.to_owned(),
                value: value_text(table, name, row),
                previous_value: old.map_or(String::new(), |old| old.value.clone()),
                contribution: reason.contribution.into(),
                text: reason.text.clone().unwrap_or_default(),
            })
        })
        .collect()
}

/// The grounds where a segmenter gives none: the features that it requires.
pub(crate) fn required(descriptor: &Descriptor) -> Vec<Reason> {
    let features = (0_u16..).zip(&descriptor.features);
    features
        .filter(|(_, feature)| feature.is_required)
        .map(|(feature_index, _)| Reason {
            feature_index,
            contribution: 0.0,
            text: None,
        })
        .collect()
}

/// A feature's value as people read it; empty where it is unknown.
pub(crate) fn value_text(table: &RecordBatch, name: &str, row: usize) -> String {
    if let Some(feature) = Feature::parse(name) {
        return sextant_columns::value_text(table, feature, row).unwrap_or_default();
    }
    let column = table.schema_ref().index_of(name).ok();
    column
        .and_then(|column| sextant_columns::text(table, column, row))
        .unwrap_or_default()
        .to_owned()
}

/// Whom a move is about, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) uid: AccountUid,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) at: Instant,
    pub(crate) known_at: Instant,
    /// Number of the evaluation in scoring's feed.
    pub(crate) cursor: u64,
    pub(crate) told: Told,
    /// Which it is of those that one evaluation tells of one moment.
    pub(crate) order: u8,
}

/// What is told of a moment at which an account moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// That it moved.
    Move,
    /// What turned out later: it replaces what was told of that moment since it is known.
    Correction,
    /// What a close says that was made again: it replaces what was told of that moment, and was known then.
    Restated,
}

/// How an account stood before a stored transition; `None`: that was not known.
pub(crate) fn came_from(bytes: &[u8]) -> Option<Standing> {
    let told = decode(bytes)?;
    let state = told.from_state();
    (state != MembershipState::Unspecified).then(|| Standing::new(state, &told.from_segment))
}

/// A stored transition.
pub(crate) fn decode(bytes: &[u8]) -> Option<pb::Transition> {
    pb::Transition::decode(bytes).ok()
}

#[cfg(test)]
mod tests;
