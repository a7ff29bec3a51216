//! Business numbers.

use std::collections::BTreeMap;

use sextant_proto::common::v1::{Date, Ratio};
use sextant_proto::metrics::v1::{
    CausePart, GetChurnResponse, GetRevenueResponse, GetWaterfallResponse, ListMovementsResponse,
    Movement, Revenue, WaterfallMonth,
};

use crate::output::format::{self, rounded, steps_that_add_up};
use crate::output::{Block, Cell, Column};
use crate::view::{id_of, segment_columns};

/// Titles of the segments that a metric is broken down by.
pub(crate) type SegmentTitles = BTreeMap<String, String>;

fn name(segment: &str, titles: &SegmentTitles) -> [Cell; 2] {
    if segment.is_empty() {
        return ["(in none)", "none"].map(Cell::text);
    }
    let title = titles.get(segment).map_or(segment, String::as_str);
    [title, segment].map(Cell::text)
}

fn total() -> [Cell; 2] {
    ["All accounts", "total"].map(Cell::text)
}

/// Recurring revenue, in total and by segment.
pub(crate) fn revenue(answer: &GetRevenueResponse, titles: &SegmentTitles) -> Block {
    let mut columns = Vec::from(segment_columns("segment", "Segment"));
    columns.extend([
        Column::right("mrr", "MRR"),
        Column::right("mrr_exact", "MRR, exact (1/10,000 minor unit)"),
        Column::right("paying_accounts", "Paying accounts"),
        Column::right("arpa", "Per paying account"),
    ]);
    let mut block = Block::new("revenue", "", columns);
    let row = |name: [Cell; 2], one: &Revenue| {
        let mut row = Vec::from(name);
        row.extend([
            Cell::money(one.mrr_minor, &answer.currency),
            Cell::Integer(one.mrr_exact),
            Cell::Count(one.paying_accounts),
            one.arpa_minor.map_or(Cell::Undefined, |minor| {
                Cell::money(minor, &answer.currency)
            }),
        ]);
        row
    };
    block.rows.extend(
        answer
            .segments
            .iter()
            .map(|one| row(name(&one.segment, titles), one)),
    );
    block
        .rows
        .extend(answer.total.iter().map(|one| row(total(), one)));
    if block.rows.iter().any(|row| row.contains(&Cell::Undefined)) {
        block = block.noted("Per paying account: - where no account pays, for there is nothing to share the revenue among.");
    }
    block
}

/// The steps of a month in the order in which they are shown, losses negative.
fn steps(month: &WaterfallMonth) -> [(&'static str, &'static str, i64); 7] {
    [
        ("new", "New", month.new_exact),
        ("reactivation", "Returned", month.reactivation_exact),
        ("expansion", "Expansion", month.expansion_exact),
        ("contraction", "Contraction", -month.contraction_exact),
        ("churn", "Churn", -month.churn_exact),
        (
            "fx_revaluation",
            "Exchange rates",
            month.fx_revaluation_exact,
        ),
        ("restatement", "Late data", month.restatement_exact),
    ]
}

/// How recurring revenue got from the start of each month to its end, segment by segment where the answer is broken down;
/// the printed figures of a row add up to the minor unit.
pub(crate) fn waterfall(answer: &GetWaterfallResponse, titles: &SegmentTitles) -> Block {
    let broken_down = !answer.segments.is_empty();
    let mut columns = Vec::new();
    if broken_down {
        columns.extend(segment_columns("segment", "Segment"));
    }
    columns.push(Column::left("month", "Month"));
    columns.push(Column::right("start", "MRR at start"));
    columns
        .extend(steps(&WaterfallMonth::default()).map(|(key, title, _)| Column::right(key, title)));
    if broken_down {
        columns.push(Column::right("transfer", "Moved in or out"));
    }
    columns.push(Column::right("end", "MRR at end"));
    columns.push(Column::right("difference_exact", "Check"));
    columns.push(Column::rare("to_date", "To date"));
    let mut block = Block::new("waterfall", "", columns);
    for one in &answer.segments {
        for month in &one.months {
            let name = name(&one.segment, titles);
            block
                .rows
                .push(waterfall_row(Some(name), month, &answer.currency));
        }
    }
    for month in &answer.months {
        let name = broken_down.then(total);
        block
            .rows
            .push(waterfall_row(name, month, &answer.currency));
    }
    block.note = "Each row adds up: start and all steps give the end. Check is what start and steps miss the end by, in exact ten-thousandths of a minor unit; it is 0 in a waterfall that closes. What is learned of a month after its books have closed is in the first open month as late data; `metrics revenue` of a past day counts it at its day.".to_owned();
    if broken_down {
        block.note.push_str(" What an account does in a month belongs to the segment that it was in just before; where it is at the end, its revenue has moved to.");
    }
    block
}

/// A month's row; the transfer has a column only where rows have a segment.
fn waterfall_row(segment: Option<[Cell; 2]>, month: &WaterfallMonth, currency: &str) -> Vec<Cell> {
    let mut exact = steps(month).map(|(_, _, exact)| exact).to_vec();
    if segment.is_some() {
        exact.push(month.transfer_exact);
    }
    let money = |minor: i64| Cell::money(minor, currency);
    let mut row: Vec<Cell> = segment.into_iter().flatten().collect();
    row.push(month_of(month.month.as_ref()));
    row.push(money(rounded(month.start_exact)));
    row.extend(
        steps_that_add_up(month.start_exact, &exact)
            .into_iter()
            .map(money),
    );
    row.push(money(rounded(month.end_exact)));
    let sum = exact
        .iter()
        .fold(month.start_exact, |sum, step| sum.saturating_add(*step));
    row.push(Cell::Integer(sum.saturating_sub(month.end_exact)));
    row.push(Cell::Flag(month.to_date));
    row
}

fn month_of(date: Option<&Date>) -> Cell {
    date.map_or(Cell::Nothing, |date| {
        Cell::text(format!("{:04}-{:02}", date.year, date.month))
    })
}

/// Losses of a period by the segment at its start.
pub(crate) fn churn(answer: &GetChurnResponse, titles: &SegmentTitles) -> Block {
    let mut columns = Vec::from(segment_columns("segment", "Segment at start"));
    columns.extend([
        Column::right("lost_accounts", "Lost"),
        Column::right("accounts_at_start", "Of accounts"),
        Column::right("logo_churn", "Accounts lost"),
        Column::right("gross_revenue_churn", "Revenue lost"),
        Column::right("net_revenue_churn", "Net of growth"),
    ]);
    let mut block = Block::new("churn", "", columns);
    let segments = answer
        .segments
        .iter()
        .map(|one| (name(&one.segment, titles), one));
    for (segment, one) in segments.chain(answer.total.iter().map(|one| (total(), one))) {
        let logos = one.logo_churn.as_ref();
        // Of nobody, nobody was lost.
        let count = |of: fn(&Ratio) -> i64| Cell::Integer(logos.map_or(0, of));
        let mut row = Vec::from(segment);
        row.extend([
            count(|ratio| ratio.numerator),
            count(|ratio| ratio.denominator),
            ratio(logos),
            ratio(one.gross_revenue_churn.as_ref()),
            ratio(one.net_revenue_churn.as_ref()),
        ]);
        block.rows.push(row);
    }
    if block.rows.iter().any(|row| row.contains(&Cell::Undefined)) {
        block = block.noted("A rate is - where there was nothing at the start that could be lost: no account, or no revenue.");
    }
    block
}

/// A rate, which has no value where there is nothing to divide by.
fn ratio(ratio: Option<&Ratio>) -> Cell {
    ratio.map_or(Cell::Undefined, |ratio| Cell::Ratio {
        numerator: ratio.numerator,
        denominator: ratio.denominator,
    })
}

/// Why revenue changed: the cause, or each of several with what it brought.
fn causes(movement: &Movement, currency: &str) -> Cell {
    if movement.parts.len() < 2 {
        return Cell::text(movement.cause.clone());
    }
    let part = |part: &CausePart| {
        let brought = format::money(rounded(part.delta_exact), currency);
        format!("{} {brought}", part.cause)
    };
    let parts: Vec<String> = movement.parts.iter().map(part).collect();
    Cell::titled(parts.join(", "), &movement.cause)
}

/// Single changes of recurring revenue; with the segment just before where titles of segments are given.
pub(crate) fn movements(answer: &ListMovementsResponse, titles: &SegmentTitles) -> Block {
    let mut columns = vec![
        Column::left("at", "When"),
        Column::left("account", "Account"),
        Column::left("kind", "Change"),
        Column::right("before", "MRR before"),
        Column::right("delta", "Change of MRR"),
        Column::right("after", "MRR after"),
        Column::left("cause", "Cause"),
    ];
    if !titles.is_empty() {
        columns.extend(segment_columns("segment", "Segment before"));
    }
    let mut block = Block::new("movements", "Changes of recurring revenue", columns);
    for one in &answer.movements {
        let (before, after) = (rounded(one.before_exact), rounded(one.after_exact));
        let money = |minor: i64| Cell::money(minor, &answer.currency);
        let kind = one
            .kind()
            .as_str_name()
            .trim_start_matches("MOVEMENT_KIND_")
            .to_lowercase();
        let mut row = vec![
            Cell::moment(one.at.as_ref()),
            id_of(one.account.as_ref()),
            Cell::text(kind),
            money(before),
            money(after.saturating_sub(before)),
            money(after),
            causes(one, &answer.currency),
        ];
        if !titles.is_empty() {
            row.extend(name(&one.segment, titles));
        }
        block.rows.push(row);
    }
    block
}
