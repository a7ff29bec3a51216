use sextant_proto::ingestion::v1::{Rejection, Verdict, VerdictKind};

use super::Tally;
use crate::import::batch::{Delivery, Origin, TIME};
use crate::import::{Complaint, Original, Part, Refusal};

fn origin(row: u64, part: Part) -> Origin {
    Origin {
        row,
        line: row + 1,
        part,
        original: Original::NotKept,
        time: TIME,
        header: None,
    }
}

fn verdict(index: u32, kind: VerdictKind) -> Verdict {
    Verdict {
        index,
        kind: kind.into(),
        rejection: None,
    }
}

fn rejection(index: u32) -> Verdict {
    Verdict {
        rejection: Some(Rejection {
            field: "time".into(),
            reason: "TOO_OLD".into(),
            hint: "is older than the 395 days".into(),
        }),
        ..verdict(index, VerdictKind::Rejected)
    }
}

fn malformed(row: u64) -> Complaint {
    Complaint {
        row,
        line: row + 1,
        field: String::new(),
        problem: "is no row".into(),
        refusal: Refusal::Malformed,
        original: Original::NotKept,
    }
}

#[test]
fn the_tally_counts_every_row_under_one_verdict_and_keeps_the_first_complaints() {
    let origins = [
        origin(1, Part::Companion),
        origin(1, Part::Row),
        origin(2, Part::Row),
        origin(3, Part::Row),
        origin(4, Part::Row),
    ];
    let rejected = rejection(2);
    let mut tally = Tally::new(1);
    tally.judge(
        &origins,
        vec![malformed(5)],
        &[
            verdict(1, VerdictKind::Duplicate),
            rejected,
            verdict(3, VerdictKind::Held),
        ],
        Delivery::First,
    );
    assert_eq!(
        (
            tally.rows.accepted,
            tally.rows.duplicate,
            tally.rows.held,
            tally.rows.rejected
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(
        (
            tally.companions.accepted,
            tally.rows_judged(),
            tally.malformed
        ),
        (1, 5, 1)
    );
    assert_eq!(tally.reasons.get("TOO_OLD"), Some(&1));
    // What is stored of a record that was sent twice, and by whom, is not known.
    let twice = [verdict(0, VerdictKind::Duplicate)];
    tally.judge(
        &[origin(6, Part::Row)],
        Vec::new(),
        &twice,
        Delivery::Repeated,
    );
    assert_eq!((tally.rows.duplicate, tally.rows.resent), (1, 1));
    assert_eq!(tally.rows_judged(), 6);
    assert_eq!((tally.complaints.len(), tally.n_more_complaints()), (1, 1));
    assert_eq!(
        tally.complaints[0].to_string(),
        "row 2 (line 3), field \"time\": is older than the 395 days (TOO_OLD)"
    );
    assert!(!tally.is_clean());
}

#[test]
fn complaints_have_the_order_of_the_file_whoever_has_them() {
    let mut tally = Tally::new(9);
    tally.judge(
        &[origin(2, Part::Row), origin(4, Part::Row)],
        [1, 3, 5].map(malformed).to_vec(),
        &[rejection(1)],
        Delivery::First,
    );
    let rows: Vec<u64> = tally.complaints.iter().map(|one| one.row).collect();
    assert_eq!(rows, [1, 3, 4, 5]);
}
