use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{EventFact, Record, Rejection};

use super::*;

fn rejected() -> RejectedRecord {
    let fact = EventFact {
        account_id: "acme".into(),
        ..EventFact::default()
    };
    RejectedRecord {
        record: Some(Record {
            source: "web".into(),
            id: "e1".into(),
            fact: Some(Fact::Event(fact)),
            ..Record::default()
        }),
        rejection: Some(Rejection {
            field: "event.type".into(),
            reason: "FIELD_MISSING".into(),
            hint: "must not be empty".into(),
        }),
        rejection_id: "7".into(),
        ..RejectedRecord::default()
    }
}

#[test]
fn what_is_written_is_read_with_what_was_corrected_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refused.ndjson");
    write(&path, &[rejected()]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"reason\":\"FIELD_MISSING\""), "{text}");
    let corrected = text.replace(
        r#""account_id":"acme""#,
        r#""account_id":"acme","type":"seen""#,
    );
    fs::write(&path, corrected + "\n").unwrap();
    let corrections = read(&path, &Zone::utc()).unwrap();
    assert_eq!(corrections.len(), 1);
    assert_eq!(corrections[0].rejection_id, "7");
    let Some(Fact::Event(event)) = &corrections[0].record.as_ref().unwrap().fact else {
        panic!("{corrections:?}")
    };
    assert_eq!(event.r#type, "seen");
}

#[test]
fn a_line_that_is_no_correction_is_named() {
    let complaint = |line: &str| correction(line, &Zone::utc()).unwrap_err();
    assert!(complaint("{").starts_with("is no JSON object"));
    assert!(complaint(r#"{"record":{}}"#).contains("lacks \"rejection_id\""));
    let misspelled = r#"{"rejection_id":"7","record":{"event":{"typ":"x"}}}"#;
    assert!(
        complaint(misspelled).contains("event.typ"),
        "{}",
        complaint(misspelled)
    );
    let without = correction(r#"{"rejection_id":"7"}"#, &Zone::utc()).unwrap();
    assert_eq!(without.record, None);
}
