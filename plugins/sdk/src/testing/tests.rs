use super::*;
use crate::{Answer, Call, Config, ConfigError, Extra, Reasons, features};

features! {
    struct Row {
        seats: I64 = "revenue.seats",
        share: F64 = "usage.seat_share",
        trial: Bool = "test.trial",
        industry: Text = "firmo.industry",
        first: Timestamp = "purchase.first_at",
    }
}

/// Grades by seats; seat count 13 is a bug.
#[derive(Debug)]
struct Grader {
    large_from: i64,
}

impl Segmenter for Grader {
    type Rows<'a> = Row<'a>;
    const DESCRIPTOR: &'static str = r#"{
        "requires": [{"feature": "revenue.seats", "type": "int64"}, {"feature": "usage.seat_share", "type": "float64"}],
        "optional": [{"feature": "test.trial", "type": "bool"},
                     {"feature": "firmo.industry", "type": "dictionary<int32, utf8>"},
                     {"feature": "purchase.first_at", "type": "timestamp[us, UTC]"}],
        "segments": [{"key": "small"}, {"key": "large"}],
        "config_schema": {"properties": {"large_from": {"type": "integer", "default": 50}}},
        "examples": [
            {"config": {}, "rows": [[50, 0.5, true, "tech", 1], [null, 1, null, null, null]], "expect": ["large", null]},
            {"config": {"large_from": 51}, "rows": [[50, 0.5, false, "tech", 1]], "expect": ["small"]}]
    }"#;
    const EXTRAS: &'static [Extra] = &[Extra::Confidence, Extra::Score];

    fn create(config: &Config) -> Result<Self, ConfigError> {
        let large_from = config.i64("large_from")?;
        if large_from == 0 {
            return Err(ConfigError::at("large_from", "must not be 0"));
        }
        Ok(Self { large_from })
    }

    fn assign(&self, _call: &Call<'_>, rows: &Row<'_>, row: usize) -> Answer {
        match rows.seats.get(row) {
            None => Answer::ABSTAIN,
            Some(0) => Answer::NO_SEGMENT,
            Some(13) => panic!("thirteen seats"),
            Some(seats) => Answer::segment(u16::from(seats >= self.large_from))
                .with_score(0.5)
                .with_confidence(1.0),
        }
    }

    fn explain(&self, _call: &Call<'_>, rows: &Row<'_>, row: usize, reasons: &mut Reasons) {
        if let Some(share) = rows.share.get(row) {
            reasons.push(&rows.share, 0.25, format!("share {share}"));
        }
        if let Some(seats) = rows.seats.get(row) {
            reasons.push(&rows.seats, -1.0, format!("{seats} seats"));
        }
        if let (Some(true), Some(industry)) = (rows.trial.get(row), rows.industry.get(row)) {
            reasons.push(&rows.industry, f32::NAN, industry);
        }
        if let Some(first) = rows.first.get(row) {
            reasons.push(&rows.first, 0.5, first.to_string());
        }
    }
}

#[test]
fn examples_of_the_descriptor_hold() {
    check_examples::<Grader>().unwrap();
}

#[test]
fn segments_come_back_by_key() {
    let session = Session::<Grader>::new("{}").unwrap();
    let answers = session
        .segments(r#"[[1,0,null,null,null],[50,0,null,null,null],[0,0,null,null,null]]"#)
        .unwrap();
    assert_eq!(
        answers,
        [Some("small"), Some("large"), Some("")].map(|key| key.map(str::to_owned))
    );
    assert_eq!(
        session.segments("[]").unwrap(),
        Vec::<Option<String>>::new()
    );
}

#[test]
fn reasons_are_ordered_by_strength_and_cut() {
    let session = Session::<Grader>::new("{}").unwrap();
    let rows = r#"[[7,0.5,true,"tech",9],[null,null,null,null,null]]"#;
    let all = session.reasons(rows, 9).unwrap();
    let text: Vec<String> = all[0].iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "revenue.seats -1.00: 7 seats",
            "purchase.first_at +0.50: 9",
            "usage.seat_share +0.25: share 0.5",
            "firmo.industry +0.00: tech"
        ]
    );
    assert!(all[1].is_empty());
    assert_eq!(session.reasons(rows, 2).unwrap()[0].len(), 2);
    // A letter of two bytes is left out whole.
    let long = format!(r#"[[null,null,true,"a{}",null]]"#, "\u{e9}".repeat(600));
    let reasons = session.reasons(&long, 9).unwrap();
    assert_eq!(reasons[0][0].text.len(), 1_023);
}

#[test]
fn a_refused_config_names_its_value() {
    let refusal = Session::<Grader>::new(r#"{"large_from":0}"#).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "code 1, field \"/large_from\": must not be 0"
    );
}

#[test]
fn a_panic_is_an_error_and_poisons_the_instance() {
    let session = Session::<Grader>::new("{}").unwrap();
    let refusal = session.segments("[[13,0,null,null,null]]").unwrap_err();
    assert_eq!(refusal.to_string(), "code 9, field \"\": thirteen seats");
    let refusal = session.segments("[[1,0,null,null,null]]").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "code 10, field \"\": the instance failed before; destroy it"
    );
}

/// Reads a feature that its descriptor does not list.
#[derive(Debug)]
struct Forgetful;

impl Segmenter for Forgetful {
    type Rows<'a> = Row<'a>;
    const DESCRIPTOR: &'static str =
        r#"{"requires": [{"feature": "revenue.seats", "type": "float64"}]}"#;

    fn create(_config: &Config) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn assign(&self, _call: &Call<'_>, _rows: &Row<'_>, _row: usize) -> Answer {
        Answer::NO_SEGMENT
    }

    fn explain(&self, _call: &Call<'_>, _rows: &Row<'_>, _row: usize, _reasons: &mut Reasons) {}
}

#[test]
fn columns_that_differ_from_the_descriptor_are_refused_at_bind() {
    let refusal = Session::<Forgetful>::new("{}").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "code 2, field \"revenue.seats\": the segmenter reads I64, the column has Arrow format \"g\""
    );
}
