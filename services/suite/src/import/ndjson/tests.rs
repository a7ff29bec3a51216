use prost::Message as _;
use prost_reflect::{
    DynamicMessage, Kind as FieldKind, MapKey, MessageDescriptor, Value as Dynamic,
};

use sextant_domain::fact::FactKind;
use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::Record;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;

use super::{NdjsonRows, write};
use crate::generate::{Company, Options};
use crate::import::batch::Origin;
use crate::import::{Input, Item, contract};

fn read(text: impl Into<Vec<u8>>) -> Vec<Item> {
    read_in(&Zone::utc(), text)
}

fn read_in(zone: &Zone, text: impl Into<Vec<u8>>) -> Vec<Item> {
    let bytes: &'static [u8] = Box::leak(text.into().into_boxed_slice());
    NdjsonRows::new(Input::of_bytes("file.ndjson", bytes).unwrap(), "file", zone)
        .map(Result::unwrap)
        .collect()
}

fn complaint(text: &str) -> String {
    match read(text).pop() {
        Some(Item::Malformed(complaint)) => complaint.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_back_unchanged() {
    let options = Options {
        accounts: 20,
        months: 3,
        ..Options::default()
    };
    let records: Vec<_> = Company::new(options).unwrap().records().collect();
    assert!(records.len() > 100);
    let text: String = records.iter().map(|record| write(record) + "\n").collect();
    let back: Vec<_> = read(text)
        .into_iter()
        .map(|item| match item {
            Item::Record { record, .. } => *record,
            Item::Malformed(complaint) => panic!("{complaint}"),
        })
        .collect();
    assert_eq!(back, records);
}

/// A message with something in every field; of a choice only what is named, or else its first.
fn filled(of: &MessageDescriptor, chosen: &str) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields() {
        let is_left = field
            .containing_oneof()
            .is_some_and(|choice| !choice.is_synthetic() && field.name() != chosen);
        // What a door keeps of another format is no part of what is sent.
        if is_left || field.name() == "original" {
            continue;
        }
        let value = match field.kind() {
            FieldKind::Message(entry) if field.is_map() => {
                let value = sample(&entry.map_entry_value_field().kind());
                Dynamic::Map([(MapKey::String("a name".to_owned()), value)].into())
            },
            kind if field.is_list() => Dynamic::List(vec![sample(&kind); 2]),
            FieldKind::Message(of) => Dynamic::Message(filled(&of, chosen)),
            kind => sample(&kind),
        };
        message.set_field(&field, value);
    }
    message
}

fn sample(kind: &FieldKind) -> Dynamic {
    match kind {
        FieldKind::Message(of) => Dynamic::Message(filled(of, "text")),
        FieldKind::Enum(of) => Dynamic::EnumNumber(of.values().last().unwrap().number()),
        FieldKind::Bool => Dynamic::Bool(true),
        FieldKind::String => Dynamic::String("a text".to_owned()),
        FieldKind::Double => Dynamic::F64(-0.5),
        FieldKind::Int32 => Dynamic::I32(7),
        FieldKind::Int64 => Dynamic::I64(i64::MIN),
        FieldKind::Uint32 => Dynamic::U32(u32::MAX),
        FieldKind::Uint64 => Dynamic::U64(u64::MAX),
        other => panic!("records have no {other:?} that can be read"),
    }
}

#[test]
fn every_field_of_every_kind_of_fact_is_written_and_read() {
    for kind in FactKind::ALL {
        let whole = filled(&contract::record(), kind.field());
        let record = Record::decode(whole.encode_to_vec().as_slice()).unwrap();
        assert!(record.fact.is_some(), "{kind:?}");
        let line = write(&record);
        assert!(line.contains(&format!("\"{}\":{{", kind.field())), "{line}");
        match read(line.clone() + "\n").pop() {
            Some(Item::Record { record: back, .. }) => assert_eq!(*back, record, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn a_trait_may_be_a_list() {
    let text = r#"{"account":{"account_id":"acme","traits":{"goals":["save time",3]}}}"#;
    let Some(Item::Record { record, .. }) = read(text).pop() else {
        panic!()
    };
    assert!(write(&record).contains(r#""goals":["save time",3]"#));
    let nested = r#"{"account":{"account_id":"acme","traits":{"goals":[["x"]]}}}"#;
    assert!(
        complaint(nested).contains("account.traits.goals[0]"),
        "{}",
        complaint(nested)
    );
}

#[test]
fn other_writings_of_the_same_record_are_read_too() {
    let text = r#"{"time":"2026-01-01","payment":{"accountId":"acme","paymentId":"p1","status":"succeeded","amount":{"minor":"1234","currency":"USD"}}}"#;
    let Some(Item::Record { record, .. }) = read(text).pop() else {
        panic!()
    };
    let Some(Fact::Payment(payment)) = &record.fact else {
        panic!()
    };
    assert_eq!(
        (
            payment.account_id.as_str(),
            payment.amount.as_ref().unwrap().minor,
            payment.status
        ),
        ("acme", 1_234, 2)
    );
    assert_eq!(record.source, "file");
    assert_eq!(record.id.len(), 66);
}

#[test]
fn traits_keep_their_kinds() {
    let text = r#"{"account":{"account_id":"acme","traits":{"a":"x","b":1,"c":1.0,"d":true,"e":{"time":"2026-01-01"},"f":{"number":"NaN"}}}}"#;
    let Some(Item::Record { record, .. }) = read(text).pop() else {
        panic!()
    };
    let Some(Fact::Account(account)) = &record.fact else {
        panic!()
    };
    let kinds: Vec<_> = account
        .traits
        .values()
        .map(|value| value.kind.as_ref().unwrap())
        .collect();
    assert!(matches!(
        kinds[..5],
        [
            Kind::Text(_),
            Kind::Integer(1),
            Kind::Number(_),
            Kind::Boolean(true),
            Kind::Time(_)
        ]
    ));
    assert!(matches!(kinds[5], Kind::Number(number) if number.is_nan()));
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    assert!(
        complaint(r#"{"event":{"account_id":"a","typ":"x"}}"#)
            .contains("field \"event.typ\": is no field of the contract")
    );
    assert!(
        complaint(r#"{"event":{"account_id":7}}"#)
            .contains("field \"event.account_id\": must be a text, not 7")
    );
    assert!(
        complaint(r#"{"event":{"quantity":-1}}"#)
            .contains("must be a whole number that fits, not -1")
    );
    assert!(
        complaint(r#"{"payment":{"status":"paid"}}"#).contains("\"paid\" is none of processing")
    );
    assert!(complaint(r#"{"event":{},"user":{}}"#).contains("a second fact"));
    assert!(complaint(r#"{"time":"today"}"#).contains("field \"time\""));
    let twice = "field \"name\" is there twice";
    assert!(complaint(r#"{"account":{"name":"A","name":"B"}}"#).contains(twice));
    assert!(complaint("[1]\n").contains("must be an object"));
    assert!(complaint("{\"id\":\n").contains("is no JSON"));
    assert!(complaint("{\"id\":\"a").contains("the last line has no line end"));
    assert!(
        complaint("{\"payment\":{\"amount\":{\"minor\":12")
            .contains("the last line has no line end")
    );
    assert!(
        complaint(r#"{"subscription":{"items":[{"price":3}]}}"#)
            .contains("subscription.items[0].price")
    );
}

#[test]
fn bytes_that_are_not_utf8_spoil_one_line_only() {
    let items = read(b"{\"id\":\"\xff\"}\n\n{\"id\":\"b\"}\n".to_vec());
    assert!(
        matches!(&items[0], Item::Malformed(complaint) if complaint.problem.contains("byte 8") && complaint.row == 1)
    );
    assert!(matches!(
        &items[1],
        Item::Record {
            origin: Origin {
                row: 2,
                line: 3,
                ..
            },
            ..
        }
    ));
}

#[test]
fn a_last_object_that_is_whole_needs_no_line_end_and_one_that_is_cut_within_a_letter_does() {
    let whole = r#"{"id":"e1","time":"2026-01-01","event":{"account_id":"é","type":"seen"}}"#;
    assert!(matches!(
        read(whole.to_owned()).as_slice(),
        [Item::Record { .. }]
    ));
    let cut = whole.find('é').unwrap() + 1;
    let items = read(whole.as_bytes()[..cut].to_vec());
    assert!(
        matches!(items.as_slice(), [Item::Malformed(complaint)] if complaint.problem.contains("has no line end")),
        "{items:?}"
    );
}

#[test]
fn a_line_beyond_what_is_read_is_one_bad_row_and_the_next_ones_are_read() {
    let good = r#"{"id":"e1","time":"2026-01-01","event":{"account_id":"acme","type":"seen"}}"#;
    let text = format!("{}\n{good}\n{}", "x".repeat(9 << 20), "y".repeat(8 << 20));
    let items = read(text);
    let complaints: Vec<String> = items
        .iter()
        .map(|item| match item {
            Item::Record { origin, .. } => format!("row {} is read", origin.row),
            Item::Malformed(complaint) => complaint.to_string(),
        })
        .collect();
    assert_eq!(complaints.len(), 3);
    assert!(
        complaints[0].starts_with(
            "row 1 (line 1): is a line of 9437185 bytes, only shorter ones than 8388608"
        ),
        "{complaints:?}"
    );
    assert_eq!(complaints[1], "row 2 is read");
    assert!(
        complaints[2].starts_with("row 3 (line 3): is a line of 8388608 bytes"),
        "{complaints:?}"
    );
}

#[test]
fn a_day_begins_in_the_zone_wherever_a_moment_may_stand() {
    let zone = Zone::parse("America/New_York").unwrap();
    let text = r#"{"time":"2026-03-01","account":{"account_id":"a","created_at":"2026-07-01","traits":{"t":{"time":"2026-03-01"}}}}"#;
    let Some(Item::Record { record, .. }) = read_in(&zone, format!("{text}\n")).pop() else {
        panic!()
    };
    assert_eq!(record.time.unwrap().to_string(), "2026-03-01T05:00:00Z");
    let Some(Fact::Account(account)) = record.fact else {
        panic!()
    };
    assert_eq!(
        account.created_at.unwrap().to_string(),
        "2026-07-01T04:00:00Z"
    );
    let Some(Kind::Time(at)) = account.traits["t"].kind else {
        panic!()
    };
    assert_eq!(at.to_string(), "2026-03-01T05:00:00Z");
}
