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
        reasons("{}", "[125000,93,100]"),
        "revenue.mrr_percentile +1.00: more revenue than 93 % of the paying accounts; strategic starts at 99 %\n\
         revenue.mrr_minor +0.00: 1,250.00 a month"
    );
    assert_eq!(
        reasons("{}", "[125000,null,100]"),
        "revenue.mrr_percentile +1.00: how many of the paying accounts have less revenue is not known yet\n\
         revenue.mrr_minor +0.00: 1,250.00 a month"
    );
    assert_eq!(
        reasons(r#"{"mode":"cut_points"}"#, "[125000,null,100]"),
        "revenue.mrr_minor +1.00: 1,250.00 a month; high starts at 2,000.00"
    );
    assert_eq!(
        reasons(r#"{"mode":"cut_points"}"#, "[2000000,null,100]"),
        "revenue.mrr_minor +1.00: 20,000.00 a month"
    );
    assert_eq!(
        reasons("{}", "[0,null,100]"),
        "revenue.mrr_minor +1.00: no recurring revenue at present"
    );
}

#[test]
fn too_few_paying_accounts_are_not_judged_and_are_told_how_many_it_takes() {
    assert_eq!(
        reasons("{}", "[1000000000,88,9]"),
        "revenue.paying_accounts +1.00: 9 accounts paid at the last day close, too few to tell the tiers apart: \
         strategic starts at 99 %, which takes 100\n\
         revenue.mrr_minor +0.00: 10,000,000.00 a month"
    );
    // A tier that nobody who pays can reach needs nobody.
    let config = r#"{"strategic_percentile":99.5,"high_percentile":66.6,"medium_percentile":50}"#;
    assert_eq!(
        reasons(config, "[900,100,1]"),
        "revenue.paying_accounts +1.00: 1 account paid at the last day close, too few to tell the tiers apart: \
         high starts at 66.6 %, which takes 4\n\
         revenue.mrr_minor +0.00: 9.00 a month"
    );
}

#[test]
fn as_many_accounts_are_needed_as_bring_the_first_one_into_the_highest_tier() {
    for percent in 0..=99_i64 {
        let session = Session::<ValueTiers>::new(&format!(
            r#"{{"strategic_percentile":{percent},"high_percentile":0,"medium_percentile":0}}"#
        ))
        .unwrap();
        // The first of n accounts has more than n - 1 of them.
        for n in 1..=101_i64 {
            let first = 100 * (n - 1) / n;
            let tier = session.segments(&format!("[[900,{first},{n}]]")).unwrap();
            let expected = (first >= percent).then(|| "strategic".to_owned());
            assert_eq!(tier, [expected], "{percent} % of {n}");
        }
    }
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
        session.segments("[[100,null,100],[-5,null,100]]").unwrap(),
        [None, Some("not_paying".to_owned())]
    );
}

#[test]
fn more_revenue_never_lowers_the_tier() {
    let session = Session::<ValueTiers>::new(r#"{"mode":"cut_points"}"#).unwrap();
    let rows: Vec<String> = (0..200)
        .map(|k| format!("[{},null,100]", k * 7_000))
        .collect();
    let tiers = session.segments(&format!("[{}]", rows.join(","))).unwrap();
    let order = ["not_paying", "low", "medium", "high", "strategic"];
    let ranks = tiers
        .iter()
        .map(|tier| order.iter().position(|name| Some(*name) == tier.as_deref()));
    assert!(ranks.is_sorted());
}
