//! Segments and their members.

use sextant_proto::segmentation::v1::{
    ListSegmentsResponse, Member, MembershipState, SegmentSummary,
};

use crate::output::format::whole;
use crate::output::{Block, Cell, Column, Layout};
use crate::view::{ENTERED, MINOR, Titles, feature, id_of, segment_columns, standing, sum, why};

/// The segments of a segmentation; each sum has its share of the total beside it where it is money.
pub(crate) fn segments(
    answer: &ListSegmentsResponse,
    sums: &[(&str, &str)],
    currency: &str,
) -> Block {
    let mut columns = Vec::from(segment_columns("segment", "Segment"));
    columns.push(Column::right("accounts", "Accounts"));
    columns.push(Column::right("accounts_share", "Share"));
    for (name, title) in sums {
        columns.push(Column::right(*name, *title));
        if name.ends_with(MINOR) {
            columns.push(Column::right(format!("{name}_share"), "Share"));
        }
    }
    let mut block = Block::new("segments", "", columns);
    for summary in &answer.segments {
        let mut row = Vec::from(name(summary));
        row.push(Cell::Count(summary.accounts));
        row.push(Cell::share(summary.accounts, answer.accounts));
        for (index, (name, _)) in sums.iter().enumerate() {
            let value = sum_at(summary, index);
            row.push(value.map_or(Cell::Nothing, |value| sum(name, value, currency)));
            if name.ends_with(MINOR) {
                let total: f64 = answer
                    .segments
                    .iter()
                    .filter_map(|one| sum_at(one, index))
                    .sum();
                let ratio = |value: f64| Cell::Ratio {
                    numerator: whole(value),
                    denominator: whole(total),
                };
                row.push(value.map_or(Cell::Nothing, ratio));
            }
        }
        block.rows.push(row);
    }
    if block.rows.iter().any(|row| row.contains(&Cell::Nothing)) {
        block = block
            .noted("A blank sum is unknown of every account of the segment, which is not zero.");
    }
    let unanswered: u64 = answer.segments.iter().map(|one| one.unanswered).sum();
    if unanswered > 0 {
        block = block.noted(format!(
            "For {unanswered} accounts the segmenter has failed: they are where they were, or taken for accounts without enough data. \
             `sextant members` says why."
        ));
    }
    block
}

/// The sum of a feature: zero of an empty segment, nothing where there are accounts and it is known of none of them.
fn sum_at(summary: &SegmentSummary, index: usize) -> Option<f64> {
    summary
        .sums
        .get(index)
        .filter(|sum| sum.known > 0 || summary.accounts == 0)
        .map(|sum| sum.sum)
}

/// The same, with the keys for people, too: other commands ask for segments by key.
pub(crate) fn with_keys(mut segments: Block) -> Block {
    for column in &mut segments.columns {
        if column.layout == Layout::Unseen {
            *column = Column::left("segment", "Key");
        }
    }
    segments
}

fn name(summary: &SegmentSummary) -> [Cell; 2] {
    match (&summary.segment, summary.state()) {
        (Some(segment), MembershipState::Member) => [&segment.title, &segment.key].map(Cell::text),
        (_, state) => standing(state),
    }
}

/// What to show of members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberColumns<'a> {
    /// For programs.
    pub(crate) key: &'static str,
    /// The segmentation.
    pub(crate) segmentation: &'a str,
    /// Features with the titles of their columns, in the order in which they were asked for.
    pub(crate) features: &'a [(&'a str, &'a str)],
    /// Currency of amounts.
    pub(crate) currency: &'a str,
}

/// Accounts of a segmentation.
pub(crate) fn members(members: &[Member], show: MemberColumns<'_>, titles: &Titles) -> Block {
    let mut columns = vec![
        Column::left("account", "Account"),
        Column::left("name", "Name"),
    ];
    columns.extend(segment_columns("segment", "Segment"));
    columns.push(Column::left("entered_at", "Since"));
    columns.extend(
        show.features
            .iter()
            .map(|(name, title)| Column::right(*name, *title)),
    );
    // The past has no other reasons than those of the entry.
    let is_present = members
        .iter()
        .filter_map(|member| member.membership.as_ref())
        .any(|membership| !membership.current_reasons.is_empty());
    if is_present {
        columns.push(Column::prose("current_reasons", "Why, now"));
    }
    columns.push(Column::prose("reasons", ENTERED));
    columns.push(Column::rare("trouble", "Not judged anew"));
    let mut block = Block::new(show.key, "", columns);
    for member in members {
        let Some(membership) = &member.membership else {
            continue;
        };
        let mut row = vec![
            id_of(membership.account.as_ref()),
            Cell::text(member.account_name.clone()),
        ];
        row.extend(titles.cells(show.segmentation, membership.state(), &membership.segment));
        row.push(Cell::moment(membership.entered_at.as_ref()));
        for (index, (name, _)) in show.features.iter().enumerate() {
            let text = member.feature_values.get(index).map_or("", String::as_str);
            row.push(feature(name, text, show.currency));
        }
        if is_present {
            row.push(why(&membership.current_reasons, show.currency));
        }
        row.push(why(&membership.reasons, show.currency));
        row.push(Cell::text(membership.trouble.clone()));
        block.rows.push(row);
    }
    block
}
