use http::HeaderValue;
use serde_json::json;

use sextant_proto::ingestion::v1::value::Kind;

use super::*;

fn event() -> Json {
    json!({
        "specversion": "1.0", "id": "A234-1234-1234", "source": "/billing/meter", "type": "report.built",
        "time": "2026-01-15T11:59:00Z", "accountid": "acme", "userid": "u1", "subject": "reports/7",
        "datacontenttype": "application/json",
        "data": {"feature_key": "reports", "quantity": 3, "pages": 12}
    })
}

fn fact(event: &Json) -> pb::EventFact {
    match read(event).unwrap().fact {
        Some(Fact::Event(fact)) => fact,
        other => panic!("{other:?}"),
    }
}

fn refusal(event: &Json) -> String {
    let problem = read(event).unwrap_err();
    format!("{} {}", problem.field, problem.reason_name())
}

#[test]
fn an_event_is_a_record_with_the_same_identity() {
    let record = read(&event()).unwrap();
    assert_eq!(
        (record.source.as_str(), record.id.as_str()),
        ("/billing/meter", "A234-1234-1234")
    );
    assert_eq!(record.time.unwrap().to_string(), "2026-01-15T11:59:00Z");
    let fact = fact(&event());
    assert_eq!(
        (
            fact.account_id.as_str(),
            fact.user_id.as_str(),
            fact.r#type.as_str()
        ),
        ("acme", "u1", "report.built")
    );
    assert_eq!((fact.feature_key.as_str(), fact.quantity), ("reports", 3));
    let names: Vec<&str> = fact.data.keys().map(String::as_str).collect();
    assert_eq!(names, ["pages", "subject"]);
}

#[test]
fn data_that_is_no_object_is_kept_as_data() {
    let mut event = event();
    event["data"] = json!("done");
    let data = fact(&event).data;
    assert_eq!(data["data"].kind, Some(Kind::Text("done".to_owned())));
}

#[test]
fn what_is_no_event_of_the_version_is_refused_with_its_field() {
    let with = |name: &str, value: Json| {
        let mut event = event();
        event[name] = value;
        refusal(&event)
    };
    assert_eq!(
        with("specversion", json!("0.3")),
        "specversion FIELD_INVALID"
    );
    assert_eq!(with("time", json!("yesterday")), "time FIELD_INVALID");
    assert_eq!(with("time", Json::Null), "time FIELD_MISSING");
    assert_eq!(with("id", json!(7)), "id FIELD_INVALID");
    assert_eq!(
        with("data_base64", json!("AA==")),
        "data_base64 FIELD_INVALID"
    );
    assert_eq!(refusal(&json!([])), " FIELD_INVALID");
}

#[test]
fn attributes_may_be_in_headers() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/caf%C3%A9"),
        ("ce-type", "report.built"),
        ("ce-time", "2026-01-15T11:59:00Z"),
        ("ce-accountid", "acme"),
        ("content-type", "application/json"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    assert!(is_binary(&headers));
    let event = of_headers(&headers, br#"{"pages": 3}"#).unwrap();
    let record = read(&event).unwrap();
    assert_eq!(record.source, "/café");
    assert_eq!(fact(&event).data["pages"].kind, Some(Kind::Integer(3)));
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    let event = of_headers(&headers, b"done").unwrap();
    assert_eq!(
        fact(&event).data["data"].kind,
        Some(Kind::Text("done".to_owned()))
    );
    assert!(of_headers(&headers, b"\xff").is_err());
    headers.insert("ce-subject", HeaderValue::from_static("%ff"));
    assert!(of_headers(&headers, b"").is_err());
}
