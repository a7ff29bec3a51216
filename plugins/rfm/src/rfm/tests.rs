use sextant_segmenter::testing::{Session, check_examples};

use super::*;

#[test]
fn examples_of_the_descriptor_hold() {
    check_examples::<Rfm>().unwrap();
}

/// The reasons of one row, one line each.
fn reasons(config: &str, row: &str) -> String {
    let session = Session::<Rfm>::new(config).unwrap();
    let row = row.trim_end_matches(']');
    let reasons = session.reasons(&format!("[{row}]]"), 9).unwrap();
    reasons[0]
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn reasons_speak_of_purchases_when_they_are_known() {
    assert_eq!(
        reasons("{}", "[2,5,3,143,12,null,null,null,null,null]"),
        "rfm.frequency +1.00: frequency 5 of 5: 12 purchases\n\
         rfm.recency -0.50: recency 2 of 5: last purchase 143 days ago"
    );
    assert_eq!(
        reasons("{}", "[4,1,1,1,1,null,null,null,null,null]"),
        "rfm.frequency -1.00: frequency 1 of 5: 1 purchase\nrfm.recency +0.50: recency 4 of 5: last purchase yesterday"
    );
    assert_eq!(
        reasons("{}", "[3,3,3,null,null,null,null,null,null,null]"),
        "rfm.recency +0.00: recency 3 of 5\nrfm.frequency +0.00: frequency 3 of 5"
    );
}

#[test]
fn reasons_speak_of_use_where_the_scores_come_from_use() {
    assert_eq!(
        reasons("{}", r#"[2,5,3,143,12,null,"usage",9,20,4900]"#),
        "rfm.frequency +1.00: frequency 5 of 5: active on 20 of 28 days\n\
         rfm.recency -0.50: recency 2 of 5: last use 9 days ago"
    );
    assert_eq!(
        reasons(
            r#"{"map":"r_package"}"#,
            r#"[3,3,5,1,1,1,"usage",0,1,4900]"#
        ),
        "rfm.monetary +1.00: monetary value 5 of 5: 49.00 a month\n\
         rfm.recency +0.00: recency 3 of 5: last use today\n\
         rfm.frequency +0.00: frequency 3 of 5: active on 1 of 28 days"
    );
}

#[test]
fn money_is_a_reason_only_where_the_map_looks_at_it() {
    assert_eq!(
        reasons(
            r#"{"map":"r_package"}"#,
            "[3,4,1,null,null,123456789,null,null,null,null]"
        ),
        "rfm.monetary -1.00: monetary value 1 of 5: purchases of 1,234,567.89 in total\n\
         rfm.frequency +0.50: frequency 4 of 5\n\
         rfm.recency +0.00: recency 3 of 5"
    );
}

#[test]
fn scores_outside_one_to_five_abstain() {
    let session = Session::<Rfm>::new("{}").unwrap();
    let rows = "[[0,3,3,null,null,null,null,null,null,null],[3,6,3,null,null,null,null,null,null,null],[3,3,-1,null,null,null,null,null,null,null]]";
    assert_eq!(session.segments(rows).unwrap(), [None, None, None]);
}
