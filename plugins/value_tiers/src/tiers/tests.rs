use sextant_segmenter::testing::{Session, check_examples};

use super::*;

#[test]
fn examples_of_the_descriptor_hold() {
    check_examples::<ValueTiers>().unwrap();
}

fn reasons(config: &str, row: &str) -> String {
    let session = Session::<ValueTiers>::new(config).unwrap();
    let reasons = session.reasons(&format!("[{row}]"), 9).unwrap();
    reasons[0]
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn reasons_name_the_share_below_and_the_start_of_the_next_tier() {
    assert_eq!(
        reasons("{}", "[125000,93]"),
        "revenue.mrr_percentile +1.00: more revenue than 93 % of the paying accounts; strategic starts at 99 %\n\
         revenue.mrr_minor +0.00: 1,250.00 a month"
    );
    assert_eq!(
        reasons("{}", "[125000,null]"),
        "revenue.mrr_percentile +1.00: how many of the paying accounts have less revenue is not known yet\n\
         revenue.mrr_minor +0.00: 1,250.00 a month"
    );
    assert_eq!(
        reasons(r#"{"mode":"cut_points"}"#, "[125000,null]"),
        "revenue.mrr_minor +1.00: 1,250.00 a month; high starts at 2,000.00"
    );
    assert_eq!(
        reasons(r#"{"mode":"cut_points"}"#, "[2000000,null]"),
        "revenue.mrr_minor +1.00: 20,000.00 a month"
    );
    assert_eq!(
        reasons("{}", "[0,null]"),
        "revenue.mrr_minor +1.00: no recurring revenue at present"
    );
}

#[test]
fn tiers_that_do_not_descend_are_refused_by_name() {
    let refusal = Session::<ValueTiers>::new(r#"{"high_percentile":99.5}"#).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "code 1, field \"/high_percentile\": must not be above strategic_percentile"
    );
    let refusal = Session::<ValueTiers>::new(r#"{"medium_from_minor":200001}"#).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "code 1, field \"/medium_from_minor\": must not be above high_from_minor"
    );
}

#[test]
fn a_percentile_that_is_not_a_number_abstains() {
    let session = Session::<ValueTiers>::new("{}").unwrap();
    assert_eq!(
        session.segments("[[100,null],[-5,null]]").unwrap(),
        [None, Some("not_paying".to_owned())]
    );
}

#[test]
fn more_revenue_never_lowers_the_tier() {
    let session = Session::<ValueTiers>::new(r#"{"mode":"cut_points"}"#).unwrap();
    let rows: Vec<String> = (0..200).map(|k| format!("[{},null]", k * 7_000)).collect();
    let tiers = session.segments(&format!("[{}]", rows.join(","))).unwrap();
    let order = ["not_paying", "low", "medium", "high", "strategic"];
    let ranks = tiers
        .iter()
        .map(|tier| order.iter().position(|name| Some(*name) == tier.as_deref()));
    assert!(ranks.is_sorted());
}
