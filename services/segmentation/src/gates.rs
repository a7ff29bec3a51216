//! What a proposed revision may change without a word.

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_store::port::{RevisionRow, SegmentationRow};
use sextant_wire::status::Problem;

use crate::revise::diff_of;

/// Rows that are enough to know what it does, where a tenant has more accounts than are asked about.
const ENOUGH_ROWS: u64 = 10_000;
/// Most accounts and most revenue that may move, in percent.
const MOST_ACCOUNTS: u64 = 15;
const MOST_REVENUE: u64 = 10;
/// What it may cost: so many percent of what the one that decides costs, or so many microseconds for 1,000 rows.
const MOST_COST: u64 = 150;
const CHEAP_US: u32 = 10_000;

/// The gates, judged.
pub(crate) fn of(diff: &pb::ShadowDiff) -> Vec<pb::ShadowGate> {
    vec![
        evaluated(diff),
        share(
            "moved_accounts",
            ("of the accounts", MOST_ACCOUNTS),
            (diff.moved, diff.accounts),
        ),
        share(
            "moved_revenue",
            ("of the monthly recurring revenue", MOST_REVENUE),
            (positive(diff.moved_mrr_minor), positive(diff.mrr_minor)),
        ),
        unanswered(diff),
        cost(diff),
    ]
}

/// The names of those that are not passed, with what was found.
fn not_passed(gates: &[pb::ShadowGate]) -> Vec<String> {
    let failed = gates.iter().filter(|gate| !gate.passed);
    failed
        .map(|gate| format!("{} ({}, {})", gate.name, gate.found, gate.limit))
        .collect()
}

/// What a proposed revision does not pass, as the end of a note; empty: it passes all.
pub(crate) fn accepted(of: &SegmentationRow, proposed: &RevisionRow) -> String {
    match not_passed_by(of, proposed).join(", ") {
        failed if failed.is_empty() => failed,
        failed => format!(" (accepted: {failed})"),
    }
}

fn not_passed_by(of: &SegmentationRow, proposed: &RevisionRow) -> Vec<String> {
    // What it was compared with has to be what decides.
    let diff = diff_of(proposed).filter(|diff| diff.segmentation_version == of.version);
    match diff.map(|diff| diff.gates) {
        None => {
            vec!["evaluated (it was not evaluated yet beside the revision that decides)".to_owned()]
        },
        Some(gates) => not_passed(&gates),
    }
}

/// Whether a proposed revision may decide a segmentation without a word.
///
/// # Errors
/// GATES_NOT_PASSED, naming those that it does not pass.
pub(crate) fn check(of: &SegmentationRow, proposed: &RevisionRow) -> Result<(), Problem> {
    let failed = not_passed_by(of, proposed);
    if failed.is_empty() {
        return Ok(());
    }
    let message = format!(
        "revision {number} does not pass: {}; to activate it all the same, name it with accept_diff and a note",
        failed.join(", "),
        number = proposed.revision,
    );
    Err(Problem::field(
        ErrorReason::GatesNotPassed,
        "revision",
        message,
    ))
}

fn evaluated(diff: &pb::ShadowDiff) -> pb::ShadowGate {
    let is_asked_about_all = diff.unanswered == 0 || diff.rows >= ENOUGH_ROWS;
    pb::ShadowGate {
        name: "evaluated".to_owned(),
        limit: format!("all accounts, or {ENOUGH_ROWS} rows"),
        found: format!(
            "{} of {} accounts, {} rows",
            diff.accounts.saturating_sub(diff.unanswered),
            diff.accounts,
            diff.rows
        ),
        passed: is_asked_about_all,
    }
}

fn share(name: &str, (whole, most): (&str, u64), (part, all): (u64, u64)) -> pb::ShadowGate {
    // In tenths of a percent, rounded up; of nothing, nothing moves.
    let tenths = match all {
        0 => 0,
        all => (u128::from(part) * 1_000).div_ceil(u128::from(all)),
    };
    pb::ShadowGate {
        name: name.to_owned(),
        limit: format!("at most {most} %"),
        found: format!("{}.{} % {whole}", tenths / 10, tenths % 10),
        passed: u128::from(part) * 100 <= u128::from(all) * u128::from(most),
    }
}

fn unanswered(diff: &pb::ShadowDiff) -> pb::ShadowGate {
    let why = if diff.trouble.is_empty() {
        String::new()
    } else {
        format!(": {}", diff.trouble)
    };
    pb::ShadowGate {
        name: "unanswered".to_owned(),
        limit: "no account".to_owned(),
        found: format!("{} accounts without an answer{why}", diff.unanswered),
        passed: diff.unanswered == 0 && diff.trouble.is_empty(),
    }
}

fn cost(diff: &pb::ShadowDiff) -> pb::ShadowGate {
    let cost = diff.cost.unwrap_or_default();
    let (active, proposed) = (cost.active_p50_us, cost.proposed_p50_us);
    let is_little = proposed <= CHEAP_US;
    let is_as_before = u64::from(proposed) * 100 <= u64::from(active) * MOST_COST;
    pb::ShadowGate {
        name: "cost".to_owned(),
        limit: format!("at most {CHEAP_US} us for 1,000 rows, or {MOST_COST} % of now"),
        found: format!("{proposed} us for 1,000 rows at the median, now {active}"),
        passed: is_little || is_as_before,
    }
}

fn positive(minor: i64) -> u64 {
    u64::try_from(minor).unwrap_or(0)
}

#[cfg(test)]
mod tests;
