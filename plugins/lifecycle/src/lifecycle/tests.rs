use sextant_segmenter::testing::{Session, check_examples};

use super::*;

#[test]
fn examples_of_the_descriptor_hold() {
    check_examples::<Lifecycle>().unwrap();
}

/// The reasons of a row, one after the other.
fn reasons(row: &str) -> String {
    let session = Session::<Lifecycle>::new("{}").unwrap();
    let reasons = session.reasons(&format!("[{row}]"), 9).unwrap();
    let text: Vec<String> = reasons[0].iter().map(ToString::to_string).collect();
    text.join(" | ")
}

#[test]
fn reasons_say_whether_a_pause_is_too_long() {
    for (row, expected) in [
        (
            r#"["paused",null,3,"paused",300,0,null,"established"]"#,
            "subscription.status +1.00: the subscription is paused \
             | subscription.days_since_churn +0.50: paused for 3 days; counts as churned after 90 days",
        ),
        (
            r#"["paused",null,90,"paused",300,0,null,"paused"]"#,
            "subscription.churn_kind +1.00: paused for so long that it counts as churned \
             | subscription.days_since_churn +0.50: paused 90 days ago",
        ),
    ] {
        assert_eq!(reasons(row), expected, "{row}");
    }
}

#[test]
fn reasons_say_what_decided_in_plain_words() {
    for (row, expected) in [
        (
            r#"["none",null,null,null,12,null,null,null]"#,
            "subscription.status +1.00: no subscription yet | account.age_days +0.00: known for 12 days",
        ),
        (
            r#"["active",null,null,null,1,null,null,null]"#,
            "subscription.paying_days +1.00: the subscription is active and does not pay \
             | account.age_days +0.00: known for 1 day",
        ),
        (
            r#"["active",12,null,null,20,5,353,"trial"]"#,
            "subscription.paying_days +1.00: paying for 12 days; onboarding ends after 30 days \
             | usage.active_days_28d +0.00: active on 5 of the last 28 days",
        ),
        (
            r#"["active",45,null,null,60,null,60,"onboarding"]"#,
            "subscription.paying_days +1.00: paying for 45 days; established from 120 days on \
             | contract.days_to_renewal +0.00: renews in 60 days",
        ),
        (
            r#"["active",200,null,null,210,3,null,"adopting"]"#,
            "subscription.paying_days +1.00: paying for 200 days \
             | usage.active_days_28d +1.00: active on 3 of the last 28 days; established needs 4",
        ),
        (
            r#"["active",200,null,null,210,3,null,"established"]"#,
            "subscription.paying_days +1.00: paying for 200 days \
             | self.previous_segment +1.00: established before, and stays so while the subscription is active \
             | usage.active_days_28d +0.00: active on 3 of the last 28 days",
        ),
        (
            r#"["active",200,null,null,210,4,null,"established"]"#,
            "subscription.paying_days +1.00: paying for 200 days \
             | usage.active_days_28d +0.00: active on 4 of the last 28 days",
        ),
        (
            r#"["active",3,null,null,210,9,null,"paused"]"#,
            "subscription.paying_days +1.00: paying for 3 days; established from 120 days on \
             | self.previous_segment +1.00: back from a pause, and does not start over \
             | usage.active_days_28d +0.00: active on 9 of the last 28 days",
        ),
        (
            r#"["active",4,null,null,211,9,null,"adopting"]"#,
            "subscription.paying_days +1.00: paying for 4 days; established from 120 days on \
             | self.previous_segment +1.00: past onboarding before, and does not start over \
             | usage.active_days_28d +0.00: active on 9 of the last 28 days",
        ),
        (
            r#"["active",1,null,null,400,null,null,"churned_involuntary"]"#,
            "self.previous_segment +1.00: came back after having churned \
             | subscription.paying_days +0.50: paying for 1 day again; counts as won back for 30 days",
        ),
        (
            r#"["cancel_scheduled",200,null,null,210,8,12,"established"]"#,
            "subscription.status +1.00: cancellation is scheduled \
             | contract.days_to_renewal +0.50: the term ends in 12 days",
        ),
        (
            r#"["canceled",null,7,"involuntary",300,0,null,"past_due"]"#,
            "subscription.churn_kind +1.00: left because payments failed \
             | subscription.days_since_churn +0.50: churned 7 days ago",
        ),
        (
            r#"["canceled",null,7,null,300,0,null,null]"#,
            "subscription.churn_kind +1.00: canceled, but it is not known why",
        ),
        (
            r#"["frozen",null,null,null,300,0,null,null]"#,
            "subscription.status +1.00: the status \"frozen\" is not one that this model knows",
        ),
        (r#"[null,null,null,null,300,0,null,null]"#, ""),
    ] {
        assert_eq!(reasons(row), expected, "{row}");
    }
}

#[test]
fn a_status_that_is_not_known_abstains() {
    let session = Session::<Lifecycle>::new("{}").unwrap();
    let rows = r#"[["frozen",1,null,null,1,1,1,null],["canceled",null,1,null,1,1,1,null]]"#;
    assert_eq!(session.segments(rows).unwrap(), [None, None]);
}

#[test]
fn an_unknown_previous_segment_counts_as_none() {
    let session = Session::<Lifecycle>::new("{}").unwrap();
    let rows = r#"[["active",5,null,null,5,null,null,"renamed_stage"]]"#;
    assert_eq!(
        session.segments(rows).unwrap(),
        [Some("onboarding".to_owned())]
    );
}

#[test]
fn days_that_contradict_each_other_are_refused() {
    let refusal = Session::<Lifecycle>::new(r#"{"established_after_days":29}"#).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "code 1, field \"/established_after_days\": must not be below onboarding_days"
    );
}
