use sextant_segmenter::testing::{Session, check_examples};

use super::*;

#[test]
fn examples_of_the_descriptor_hold() {
    check_examples::<Rfm>().unwrap();
}

/// The reasons of one row, one line each.
fn reasons(config: &str, row: &str) -> String {
    let session = Session::<Rfm>::new(config).unwrap();
    let reasons = session.reasons(&format!("[{}]", unmoved(row)), 9).unwrap();
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
fn an_account_without_scores_is_told_what_they_lack() {
    for (row, expected) in [
        (
            r#"[null,null,null,null,null,null,"usage",3,4,null]"#,
            "revenue.mrr_minor +0.00: no subscription is known, so there is no monthly revenue to score",
        ),
        (
            r#"[null,null,null,null,null,null,"usage",null,null,4900]"#,
            "usage.days_since_active +0.00: no use is known",
        ),
        (
            r#"[null,null,null,null,null,null,"purchases",3,4,null]"#,
            "purchase.days_since_last +0.00: no payment is known",
        ),
        (
            "[null,null,null,null,null,null,null,3,4,4900]",
            "rfm.recency +0.00: no account could be scored at the last day close",
        ),
    ] {
        assert_eq!(reasons("{}", row), expected, "{row}");
    }
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
    let unknown = "null,null,null,null,null,null,null";
    let rows = ["0,3,3", "3,6,3", "3,3,-1"].map(|scores| unmoved(&format!("[{scores},{unknown}]")));
    let segments = session.segments(&format!("[{}]", rows.join(","))).unwrap();
    assert_eq!(segments, [None, None, None]);
}

#[test]
fn an_account_stays_while_a_threshold_to_its_segment_is_near() {
    let cases = [
        // scores, what is near, segment at the last close, segment
        ("4,4,1", "null,null,null", "potential_loyalist", "loyal"),
        (
            "4,4,1",
            "null,3,null",
            "potential_loyalist",
            "potential_loyalist",
        ),
        // Near is not enough: it has to lead to where the account was.
        ("4,4,1", "null,3,null", "champions", "loyal"),
        // Both dimensions moved by a little.
        ("4,4,1", "5,3,null", "champions", "champions"),
        ("4,4,1", "3,3,null", "need_attention", "need_attention"),
        // What is no score is not near; a segment of another map was never here.
        ("4,4,1", "9,-3,null", "potential_loyalist", "loyal"),
        ("4,4,1", "null,3,null", "vip", "loyal"),
    ];
    let session = Session::<Rfm>::new("{}").unwrap();
    for (scores, near, previous, expected) in cases {
        let row = format!("[[{scores},null,null,null,null,null,null,null,{near},\"{previous}\"]]");
        let segments = session.segments(&row).unwrap();
        assert_eq!(
            segments,
            [Some(expected.to_owned())],
            "{scores} {near} {previous}"
        );
    }
}

#[test]
fn reasons_say_where_the_margin_keeps_an_account_in_its_segment() {
    let told = |map: &str, row: &str| {
        let session = Session::<Rfm>::new(&format!(r#"{{"map":"{map}"}}"#)).unwrap();
        let reasons = session.reasons(&format!("[[{row}]]"), 9).unwrap();
        let texts: Vec<String> = reasons[0].iter().map(ToString::to_string).collect();
        texts.join(" | ")
    };
    let cases = [
        (
            "ten",
            r#"3,3,3,40,4,null,null,null,null,null,4,null,4,"potential_loyalist""#,
            "rfm.recency +0.50: recency 3 of 5, kept as 4 within 2 % of the border: last purchase 40 days ago \
             | rfm.frequency +0.00: frequency 3 of 5: 4 purchases",
        ),
        // Both are needed.
        (
            "ten",
            r#"4,4,1,null,null,null,null,null,null,null,3,3,null,"need_attention""#,
            "rfm.recency +0.00: recency 4 of 5, kept as 3 within 2 % of the border \
             | rfm.frequency +0.00: frequency 4 of 5, kept as 3 within 2 % of the border",
        ),
        // Its own scores lead there as well; or nothing does, and it moves.
        (
            "ten",
            r#"3,4,3,40,4,null,null,null,null,null,4,5,null,"loyal""#,
            "rfm.frequency +0.50: frequency 4 of 5: 4 purchases \
             | rfm.recency +0.00: recency 3 of 5: last purchase 40 days ago",
        ),
        (
            "ten",
            r#"3,3,3,40,4,null,null,null,null,null,4,null,null,"champions""#,
            "rfm.recency +0.00: recency 3 of 5: last purchase 40 days ago \
             | rfm.frequency +0.00: frequency 3 of 5: 4 purchases",
        ),
        (
            "r_package",
            r#"5,5,4,1,9,250000,null,null,null,null,null,null,5,"champions""#,
            "rfm.recency +1.00: recency 5 of 5: last purchase yesterday \
             | rfm.frequency +1.00: frequency 5 of 5: 9 purchases \
             | rfm.monetary +1.00: monetary value 4 of 5, kept as 5 within 2 % of the border: purchases of 2,500.00 in total",
        ),
    ];
    for (map, row, expected) in cases {
        assert_eq!(told(map, row), expected, "{map} {row}");
    }
}

#[test]
fn segments_have_the_keys_and_the_order_of_the_descriptor() {
    let mut rest = Rfm::DESCRIPTOR;
    for (index, (key, segment)) in Segment::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(segment as u16), index, "{key}");
        let Some((_, behind)) = rest.split_once(&format!(r#"{{"key": "{key}""#)) else {
            panic!("{key} is missing or out of order");
        };
        rest = behind;
    }
}

/// A row with nothing near and no segment at the last close.
fn unmoved(row: &str) -> String {
    format!("{},null,null,null,null]", row.trim_end_matches(']'))
}
