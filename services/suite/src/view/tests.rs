use sextant_domain::time::Zone;
use sextant_proto::common::v1::Ratio;
use sextant_proto::metrics::v1::{Churn, GetChurnResponse, GetRevenueResponse, Revenue};
use sextant_proto::scoring::v1::{Score, ScoreState};
use sextant_proto::segmentation::v1::{
    FeatureSum, ListSegmentsResponse, Member, Membership, MembershipState, Reason, SegmentSummary,
    Transition,
};

use super::{
    MemberColumns, SegmentTitles, Titles, churn, feature, members, memberships, revenue, scores,
    segment_columns, segments, sum, transitions, why, with_keys,
};
use crate::output::{Block, Cell, Document, Format, Look, Style};

#[test]
fn an_unknown_score_is_blank_and_not_zero() {
    let score = |model: &str, value| Score {
        model: model.to_owned(),
        value,
        ..Score::default()
    };
    let block = scores(
        &[
            score("rfm", None),
            score("clv", None),
            score("rfm", Some(0.0)),
            score("clv", Some(0.0)),
        ],
        "USD",
    );
    let shown: Vec<String> = block
        .rows
        .iter()
        .map(|row| row[1].shown(&Zone::utc()))
        .collect();
    assert_eq!(shown, ["", "", "0", "0.00 USD"]);
}

#[test]
fn a_score_without_a_model_shows_no_share_of_it() {
    let score = |state: ScoreState, missing: &[&str]| Score {
        state: state.into(),
        missing: missing.iter().map(|name| (*name).to_owned()).collect(),
        ..Score::default()
    };
    let scores = scores(
        &[
            score(ScoreState::NoModel, &["rfm.recency", "rfm.frequency"]),
            score(ScoreState::InsufficientData, &["usage.days_since_active"]),
        ],
        "USD",
    );
    let shown: Vec<Vec<String>> = scores
        .rows
        .iter()
        .map(|row| {
            row[3..6]
                .iter()
                .map(|cell| cell.shown(&Zone::utc()))
                .collect()
        })
        .collect();
    assert_eq!(
        shown,
        [
            ["no model yet", "", "rfm.recency; rfm.frequency"],
            ["insufficient data", "0.00", "usage.days_since_active"],
        ]
    );
}

#[test]
fn features_are_shown_by_what_they_are() {
    assert_eq!(
        feature("revenue.mrr_minor", "123456", "USD").shown(&Zone::utc()),
        "1,234.56 USD"
    );
    assert_eq!(
        feature("purchase.count", "1234", "USD").shown(&Zone::utc()),
        "1,234"
    );
    assert_eq!(
        feature("clv.alive_probability", "0.98765", "USD").shown(&Zone::utc()),
        "0.99"
    );
    assert_eq!(
        feature("subscription.status", "active", "USD").shown(&Zone::utc()),
        "active"
    );
    assert_eq!(feature("revenue.mrr_minor", "", "USD"), Cell::Nothing);
    assert_eq!(
        sum("clv.value_12m_minor", 100.4, "USD").shown(&Zone::utc()),
        "1.00 USD"
    );
}

#[test]
fn a_reason_without_words_names_its_feature_and_both_values() {
    let reason = Reason {
        feature: "usage.active_days_28d".into(),
        value: "3".into(),
        previous_value: "12".into(),
        ..Reason::default()
    };
    assert_eq!(
        why(&[reason], "USD").shown(&Zone::utc()),
        "usage.active_days_28d is 3, was 12"
    );
    let amount = Reason {
        feature: "revenue.arr_minor".into(),
        value: "120000".into(),
        previous_value: "90050".into(),
        ..Reason::default()
    };
    let unknown = Reason {
        feature: "revenue.arr_minor".into(),
        ..Reason::default()
    };
    assert_eq!(
        why(&[amount, unknown], "USD").shown(&Zone::utc()),
        "revenue.arr_minor is 1,200.00 USD, was 900.50 USD; revenue.arr_minor is unknown"
    );
    assert_eq!(why(&[], "USD"), Cell::Nothing);
}

#[test]
fn a_move_at_the_close_of_a_day_is_told_from_those_before_it() {
    let at = |text: &str| {
        let at = sextant_domain::time::Instant::parse(text).unwrap();
        Transition {
            at: Some(sextant_wire::time::timestamp(at)),
            ..Transition::default()
        }
    };
    let moves = ["2025-12-29T12:00:00Z", "2025-12-29T23:59:59.999999Z"].map(at);
    let block = transitions("transitions", &moves, &Titles::default(), "USD");
    let shown = block.rows.iter().map(|row| row[0].shown(&Zone::utc()));
    let shown: Vec<String> = shown.collect();
    assert_eq!(shown, ["2025-12-29 12:00:00", "2025-12-29 close"]);
}

#[test]
fn a_segment_has_its_key_for_programs_and_its_name_for_people_and_programs() {
    let titles = Titles {
        titles: [(
            ("rfm".to_owned(), "at_risk".to_owned()),
            "At risk".to_owned(),
        )]
        .into(),
    };
    let columns = segment_columns("segment", "Segment");
    for (state, segment, expected) in [
        (MembershipState::Member, "at_risk", ["At risk", "at_risk"]),
        (MembershipState::Member, "new", ["new", "new"]),
        (
            MembershipState::Abstained,
            "",
            ["(not enough data)", "abstained"],
        ),
        (MembershipState::None, "", ["(in none)", "none"]),
    ] {
        let mut block = Block::new("members", "", Vec::from(columns.clone()));
        let cells = titles.cells("rfm", state, segment);
        block.rows.push(Vec::from(cells));
        let printed = |block: Block, format| {
            let look = Look {
                style: Style::Plain,
                zone: Zone::utc(),
            };
            let mut out = Vec::new();
            let document = Document::from(block);
            document.print(format, &look, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let [name, key] = expected;
        assert_eq!(
            printed(block.clone(), Format::Ndjson),
            format!("{{\"segment_name\":\"{name}\",\"segment\":\"{key}\"}}\n")
        );
        let table = printed(block.clone(), Format::Table);
        assert_eq!(table.lines().last().unwrap().trim(), name);
        let table = printed(with_keys(block), Format::Table);
        let last: Vec<&str> = table.lines().last().unwrap().split("  ").collect();
        assert_eq!(last.last().unwrap().trim(), key, "{table}");
    }
}

#[test]
fn the_reasons_of_now_stand_before_those_of_the_entry_and_the_past_has_only_these() {
    let because = |text: &str| Reason {
        text: text.to_owned(),
        ..Reason::default()
    };
    let present = Membership {
        state: MembershipState::Member.into(),
        segment: "champions".to_owned(),
        reasons: vec![because("2 purchases")],
        current_reasons: vec![because("201 purchases")],
        ..Membership::default()
    };
    let past = Membership {
        current_reasons: Vec::new(),
        ..present.clone()
    };
    let show = MemberColumns {
        key: "members",
        segmentation: "rfm",
        features: &[],
        currency: "USD",
    };
    let entered = ("Why it entered (values of that day)", "2 purchases");
    for (membership, expected) in [
        (&present, vec![("Why, now", "201 purchases"), entered]),
        (&past, vec![entered]),
    ] {
        let member = Member {
            membership: Some(membership.clone()),
            ..Member::default()
        };
        let titles = Titles::default();
        for block in [
            members(&[member], show, &titles),
            memberships(std::slice::from_ref(membership), &titles, "USD"),
        ] {
            let cells = block.columns.iter().zip(&block.rows[0]);
            let why: Vec<(&str, String)> = cells
                .filter(|(column, _)| column.title.starts_with("Why"))
                .map(|(column, cell)| (&*column.title, cell.shown(&Zone::utc())))
                .collect();
            let why: Vec<(&str, &str)> =
                why.iter().map(|(title, cell)| (*title, &**cell)).collect();
            assert_eq!(why, expected);
        }
    }
}

#[test]
fn where_nobody_could_be_lost_nobody_was_and_there_is_no_rate() {
    let half = Some(Ratio {
        numerator: 1,
        denominator: 2,
    });
    let answer = GetChurnResponse {
        total: Some(Churn::default()),
        segments: vec![Churn {
            segment: "paused".to_owned(),
            logo_churn: half,
            ..Churn::default()
        }],
        ..GetChurnResponse::default()
    };
    let block = churn(&answer, &SegmentTitles::new());
    let shown = block.rows.iter().map(|row| {
        let cells = row.iter().skip(2).map(|cell| cell.shown(&Zone::utc()));
        cells.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["1 2 50.0% - -", "0 0 - - -"]);
    assert!(block.note.contains("at the start"), "{}", block.note);
}

#[test]
fn a_segment_that_nobody_pays_in_has_no_revenue_per_account_and_an_empty_one_sums_to_zero() {
    let of = |segment: &str, paying_accounts, arpa_minor| Revenue {
        segment: segment.to_owned(),
        paying_accounts,
        arpa_minor,
        ..Revenue::default()
    };
    let answer = GetRevenueResponse {
        currency: "USD".to_owned(),
        segments: vec![of("a", 1, Some(500)), of("b", 0, None)],
        ..GetRevenueResponse::default()
    };
    let block = revenue(&answer, &SegmentTitles::new());
    let per_account = block.rows.iter().map(|row| row.last().unwrap());
    let shown: Vec<String> = per_account.map(|cell| cell.shown(&Zone::utc())).collect();
    assert_eq!(shown, ["5.00 USD", "-"]);
    assert_eq!(
        block.rows[1].last().unwrap().json(),
        serde_json::Value::Null
    );
    assert!(block.note.contains("no account pays"), "{}", block.note);

    let of = |accounts, known| SegmentSummary {
        accounts,
        sums: vec![FeatureSum {
            known,
            ..FeatureSum::default()
        }],
        ..SegmentSummary::default()
    };
    let answer = ListSegmentsResponse {
        segments: vec![of(0, 0), of(2, 0), of(2, 1)],
        accounts: 4,
        ..ListSegmentsResponse::default()
    };
    let name = "revenue.mrr_minor";
    let block = segments(&answer, &[(name, name)], "USD");
    let sums = block.rows.iter().map(|row| row[4].shown(&Zone::utc()));
    assert_eq!(sums.collect::<Vec<_>>(), ["0.00 USD", "", "0.00 USD"]);
    assert!(block.note.contains("not zero"), "{}", block.note);
}
