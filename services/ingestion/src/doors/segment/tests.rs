use serde_json::json;

use sextant_proto::ingestion::v1::value::Kind;

use super::*;

const AT: &str = "2026-01-15T11:59:00.250Z";

fn delivery() -> Delivery<'static> {
    Delivery {
        source: "segment",
        kind: None,
        sent_at: None,
        context: None,
    }
}

/// A message with what every message has.
fn message(mut fields: Json) -> Json {
    let object = fields.as_object_mut().unwrap();
    object.insert("messageId".to_owned(), json!("m1"));
    object.insert("timestamp".to_owned(), json!(AT));
    fields
}

fn facts(message: &Json) -> Vec<(String, Fact)> {
    let records = read(message, delivery()).unwrap().into_iter();
    records
        .map(|record| {
            assert_eq!(record.source, "segment");
            assert_eq!(record.time, Some(timestamp(Instant::parse(AT).unwrap())));
            (record.id, record.fact.unwrap())
        })
        .collect()
}

fn refusal(message: &Json) -> String {
    let problem = read(message, delivery()).unwrap_err();
    format!("{} {}", problem.field, problem.reason_name())
}

fn text(text: &str) -> pb::Value {
    pb::Value {
        kind: Some(Kind::Text(text.to_owned())),
    }
}

#[test]
fn identify_says_who_a_user_is() {
    let identify = message(json!({
        "type": "identify", "userId": "u1", "anonymousId": "a1",
        "traits": {"email": "eve@acme.example", "plan": null}
    }));
    let user = pb::UserFact {
        user_id: "u1".into(),
        traits: [("email".to_owned(), text("eve@acme.example"))].into(),
        cleared_traits: vec!["plan".into()],
        anonymous_ids: vec!["a1".into()],
        ..pb::UserFact::default()
    };
    assert_eq!(facts(&identify), [("m1".to_owned(), Fact::User(user))]);
}

#[test]
fn identify_with_a_company_says_where_the_user_is_too() {
    let identify = message(json!({
        "type": "identify", "userId": 7, "traits": {"company": {"id": 42, "name": "Acme"}}
    }));
    let facts = facts(&identify);
    let ids: Vec<&str> = facts.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["m1", "m1/account", "m1/member"]);
    let Fact::Account(account) = &facts[1].1 else {
        panic!("{facts:?}")
    };
    assert_eq!(
        (account.account_id.as_str(), account.name.as_str()),
        ("42", "Acme")
    );
    assert!(account.traits.is_empty());
    let member = pb::AccountUserFact {
        account_id: "42".into(),
        user_id: "7".into(),
        ..pb::AccountUserFact::default()
    };
    assert_eq!(facts[2].1, Fact::AccountUser(member));
}

#[test]
fn group_says_what_an_account_is_and_who_is_in_it() {
    let group = message(json!({
        "type": "group", "userId": "u1", "groupId": "acme",
        "traits": {
            "name": "Acme", "employees": "11-50", "createdAt": "2025-03-01T00:00:00Z",
            "address": {"city": "Łódź", "country": "PL"}
        }
    }));
    let facts = facts(&group);
    let Fact::Account(account) = &facts[0].1 else {
        panic!("{facts:?}")
    };
    assert_eq!(account.name, "Acme");
    assert_eq!(
        account.created_at.unwrap().to_string(),
        "2025-03-01T00:00:00Z"
    );
    let traits: Vec<(&str, &pb::Value)> = account
        .traits
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    assert_eq!(
        traits,
        [
            ("address.city", &text("Łódź")),
            ("address.country", &text("PL")),
            ("country", &text("PL")),
            ("employee_count", &text("11-50")),
        ]
    );
    assert_eq!(facts[1].0, "m1/member");
}

#[test]
fn a_group_of_nobody_is_an_account_alone() {
    let group = message(json!({"type": "group", "groupId": "acme"}));
    assert_eq!(facts(&group).len(), 1);
}

#[test]
fn track_is_an_event_of_the_account_that_its_context_names() {
    let track = message(json!({
        "type": "track", "userId": "u1", "event": "Report Built",
        "context": {"groupId": "acme", "sessionId": 171},
        "properties": {"feature_key": "reports", "quantity": 3, "duration_ms": 1200, "plan": "pro"}
    }));
    let event = pb::EventFact {
        account_id: "acme".into(),
        user_id: "u1".into(),
        r#type: "Report Built".into(),
        feature_key: "reports".into(),
        quantity: 3,
        duration_ms: 1_200,
        session_id: "171".into(),
        data: [("plan".to_owned(), text("pro"))].into(),
        ..pb::EventFact::default()
    };
    assert_eq!(facts(&track), [("m1".to_owned(), Fact::Event(event))]);
}

#[test]
fn a_quantity_that_is_no_count_stays_among_the_data() {
    let track = message(json!({
        "type": "track", "userId": "u1", "event": "Bought", "properties": {"quantity": -2, "feature_key": 3}
    }));
    let facts = facts(&track);
    let Fact::Event(event) = &facts[0].1 else {
        panic!("{facts:?}")
    };
    assert_eq!((event.quantity, event.feature_key.as_str()), (0, ""));
    assert_eq!(event.data.len(), 2);
}

#[test]
fn the_events_of_the_b2b_specification_say_what_they_are_about() {
    let named = |event: &str, properties: Json| {
        let track = message(json!({
            "type": "track", "userId": "u1", "event": event, "context": {"groupId": "acme"}, "properties": properties
        }));
        facts(&track)
    };
    let created = named("Account Created", json!({"account_name": "Acme"}));
    let Fact::Account(account) = &created[1].1 else {
        panic!("{created:?}")
    };
    assert_eq!(account.name, "Acme");
    for (event, left) in [
        ("Account Added User", false),
        ("Account Removed User", true),
    ] {
        let facts = named(event, json!({}));
        let Fact::AccountUser(member) = &facts[1].1 else {
            panic!("{facts:?}")
        };
        assert_eq!(member.left, left);
    }
}

#[test]
fn pages_and_screens_are_events_with_a_name() {
    for kind in ["page", "screen"] {
        let visit = message(json!({
            "type": kind, "anonymousId": "a1", "name": "Pricing", "context": {"groupId": "acme"},
            "properties": {"path": "/pricing"}
        }));
        let facts = facts(&visit);
        let Fact::Event(event) = &facts[0].1 else {
            panic!("{facts:?}")
        };
        assert_eq!(
            (event.r#type.as_str(), event.anonymous_id.as_str()),
            (kind, "a1")
        );
        assert_eq!(event.data["name"], text("Pricing"));
        assert_eq!(event.data["path"], text("/pricing"));
    }
}

#[test]
fn alias_says_under_which_other_id_a_user_was_seen() {
    let alias = message(json!({"type": "alias", "userId": "u1", "previousId": "a1"}));
    let Fact::User(user) = &facts(&alias)[0].1 else {
        panic!()
    };
    assert_eq!(
        (user.user_id.as_str(), &*user.anonymous_ids),
        ("u1", &["a1".to_owned()][..])
    );
}

#[test]
fn what_cannot_be_understood_says_where_and_is_kept() {
    let without = |name: &str| {
        let mut track = message(json!({"type": "track", "userId": "u1", "event": "x"}));
        track.as_object_mut().unwrap().shift_remove(name);
        refusal(&track)
    };
    assert_eq!(without("messageId"), "messageId FIELD_MISSING");
    assert_eq!(without("timestamp"), "timestamp FIELD_MISSING");
    assert_eq!(without("event"), "event FIELD_MISSING");
    assert_eq!(without("type"), "type FIELD_MISSING");
    assert_eq!(
        refusal(&message(json!({"type": "delete"}))),
        "type FIELD_INVALID"
    );
    assert_eq!(refusal(&json!(7)), " FIELD_INVALID");
    let other = |name: &str, value: Json| {
        let mut track = message(json!({"type": "track", "userId": "u1", "event": "x"}));
        track
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value);
        refusal(&track)
    };
    assert_eq!(
        other("timestamp", json!("today")),
        "timestamp FIELD_INVALID"
    );
    assert_eq!(
        other("timestamp", json!(1_768_478_400)),
        "timestamp FIELD_INVALID"
    );
    assert_eq!(other("userId", json!(["u1"])), "userId FIELD_INVALID");
    assert_eq!(other("properties", json!("x")), "properties FIELD_INVALID");
    let group = other("context", json!({"groupId": {"id": 1}}));
    assert_eq!(group, "context.groupId FIELD_INVALID");
}

#[test]
fn a_batch_says_once_what_holds_for_its_messages() {
    let sent_at = json!("2026-01-15T12:00:00Z");
    let context = json!({"groupId": "acme"});
    let of_batch = Delivery {
        sent_at: Some(&sent_at),
        context: Some(&context),
        ..delivery()
    };
    let track = message(json!({"type": "track", "userId": "u1", "event": "x"}));
    let record = &read(&track, of_batch).unwrap()[0];
    assert_eq!(record.sent_at.unwrap().to_string(), "2026-01-15T12:00:00Z");
    let Some(Fact::Event(event)) = &record.fact else {
        panic!("{record:?}")
    };
    assert_eq!(event.account_id, "acme");
}
