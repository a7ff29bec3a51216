//! Answers of the services as blocks: what several commands and the demo show alike.

mod accounts;
mod metrics;
mod segments;
mod timeline;
mod transitions;

pub(crate) use crate::view::accounts::{
    accounts, features, hierarchy, memberships, scores, value as trait_value,
};
pub(crate) use crate::view::metrics::{SegmentTitles, churn, movements, revenue, waterfall};
pub(crate) use crate::view::segments::{MemberColumns, members, segments, with_keys};
pub(crate) use crate::view::timeline::timeline;
pub(crate) use crate::view::transitions::transitions;

use std::collections::BTreeMap;

use tonic::Status;

use sextant_proto::common::v1::EntityRef;
use sextant_proto::segmentation::v1::{
    ListSegmentationsRequest, ListSegmentersRequest, MembershipState, Reason,
};

use crate::client::{Client, all_pages};
use crate::output::{Block, Cell, Column, format};

/// Title of the reasons of an entry: their values are of that day, not of today.
const ENTERED: &str = "Why it entered (values of that day)";
/// What the names of features with amounts end with.
const MINOR: &str = "_minor";

/// The titles of segments, by segmentation and key.
#[derive(Debug, Default)]
pub(crate) struct Titles {
    titles: BTreeMap<(String, String), String>,
}

impl Titles {
    /// Asks for the titles of all segments of the tenant.
    pub(crate) async fn load(client: &Client) -> Result<Self, Status> {
        let segmenters = all_pages!(
            client,
            segmentation.list_segmenters,
            ListSegmentersRequest::default(),
            segmenters
        );
        let segmentations = all_pages!(
            client,
            segmentation.list_segmentations,
            ListSegmentationsRequest::default(),
            segmentations
        );
        let mut titles = BTreeMap::new();
        for segmentation in segmentations {
            let Some(segmenter) = segmenters
                .iter()
                .find(|one| one.segmenter_id == segmentation.segmenter_id)
            else {
                continue;
            };
            for segment in &segmenter.segments {
                titles.insert(
                    (segmentation.key.clone(), segment.key.clone()),
                    segment.title.clone(),
                );
            }
        }
        Ok(Self { titles })
    }

    /// How an account stands: the cells of [`segment_columns`].
    pub(crate) fn cells(
        &self,
        segmentation: &str,
        state: MembershipState,
        segment: &str,
    ) -> [Cell; 2] {
        if state != MembershipState::Member {
            return standing(state);
        }
        let known = self
            .titles
            .get(&(segmentation.to_owned(), segment.to_owned()));
        [known.map_or(segment, String::as_str), segment].map(Cell::text)
    }
}

/// The columns of a segment: its name, and its key, which people see only where the next command needs it.
pub(crate) fn segment_columns(key: &str, title: &str) -> [Column; 2] {
    [
        Column::left(format!("{key}_name"), title),
        Column::unseen(key),
    ]
}

/// The cells of a standing outside of all segments.
pub(crate) fn standing(state: MembershipState) -> [Cell; 2] {
    words(state).map(Cell::text)
}

/// The same in one cell.
pub(crate) fn place(state: MembershipState) -> Cell {
    let [title, key] = words(state);
    Cell::titled(title, key)
}

/// A standing outside of all segments, for people and for programs.
fn words(state: MembershipState) -> [&'static str; 2] {
    match state {
        MembershipState::Unspecified | MembershipState::Member => ["(not known)", ""],
        MembershipState::None => ["(in none)", "none"],
        MembershipState::Abstained => ["(not enough data)", "abstained"],
    }
}

/// The position at which an import is complete.
pub(crate) fn position(position: &str) -> Block {
    let mut block = Block::new("position", "", vec![Column::left("position", "Position")])
        .noted("Pass it as --at-least to read what includes the import.");
    block.rows.push(vec![Cell::text(position)]);
    block
}

/// The id of an entity.
pub(crate) fn id_of(entity: Option<&EntityRef>) -> Cell {
    entity.map_or(Cell::Nothing, |entity| Cell::text(entity.id.clone()))
}

/// Reasons in words; amounts are in a currency.
pub(crate) fn why(reasons: &[Reason], currency: &str) -> Cell {
    let texts = reasons.iter().map(|one| reason(one, currency));
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() {
        Cell::Nothing
    } else {
        Cell::List(texts)
    }
}

fn reason(reason: &Reason, currency: &str) -> String {
    if !reason.text.is_empty() {
        return reason.text.clone();
    }
    let name = &reason.feature;
    let value = match reason.value.as_str() {
        "" => "unknown".to_owned(),
        value => in_words(name, value, currency),
    };
    if reason.previous_value.is_empty() || reason.previous_value == reason.value {
        format!("{name} is {value}")
    } else {
        let previous = in_words(name, &reason.previous_value, currency);
        format!("{name} is {value}, was {previous}")
    }
}

/// A feature's value within a sentence: as it came, or as money.
fn in_words(name: &str, value: &str, currency: &str) -> String {
    match value.parse() {
        Ok(minor) if name.ends_with(MINOR) => format::money(minor, currency),
        Ok(_) | Err(_) => value.to_owned(),
    }
}

/// A feature's value that came as text.
pub(crate) fn feature(name: &str, text: &str, currency: &str) -> Cell {
    if name.ends_with(MINOR)
        && let Ok(minor) = text.parse()
    {
        return Cell::money(minor, currency);
    }
    if let Ok(integer) = text.parse() {
        return Cell::Integer(integer);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Cell::Number { value, decimals: 2 },
        _ => Cell::text(text),
    }
}

/// A sum of a feature over accounts.
pub(crate) fn sum(name: &str, sum: f64, currency: &str) -> Cell {
    if name.ends_with(MINOR) {
        return Cell::money(format::whole(sum), currency);
    }
    Cell::Number {
        value: sum,
        decimals: 2,
    }
}

#[cfg(test)]
mod tests;
