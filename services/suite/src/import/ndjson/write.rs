//! Records to JSON, field by field as the contract names them.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};
use prost_types::Timestamp;
use serde_json::{Map, Value as Json, json};

use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::Record;
use sextant_proto::ingestion::v1::value::Kind as ValueKind;

use crate::import::ndjson::plain::{TIMESTAMP, VALUE};
use crate::import::{contract, values};

/// Largest integer that JSON readers keep exactly.
const MAX_EXACT: u64 = 1 << 53;

/// A record on one line, without the line's end. Fields that hold their default are left out.
#[must_use]
pub fn write(record: &Record) -> String {
    let whole = DynamicMessage::decode(contract::record(), record.encode_to_vec().as_slice());
    // What a record is encoded as is decoded as one.
    whole
        .map_or(Json::Null, |whole| message(&whole))
        .to_string()
}

fn message(from: &DynamicMessage) -> Json {
    let of = from.descriptor();
    let present = of.fields().filter(|field| from.has_field(field));
    let fields = present.map(|field| {
        let written = value(&from.get_field(&field), &field);
        (field.name().to_owned(), written)
    });
    Json::Object(fields.collect())
}

fn value(value: &Value, field: &FieldDescriptor) -> Json {
    match value {
        Value::List(elements) => elements
            .iter()
            .map(|one| single(one, &field.kind()))
            .collect(),
        Value::Map(entries) => {
            let Kind::Message(entry) = field.kind() else {
                return Json::Null;
            };
            let kind = entry.map_entry_value_field().kind();
            // Maps have no order of their own.
            let mut named: Vec<(String, Json)> = entries
                .iter()
                .map(|(name, one)| (key(name), single(one, &kind)))
                .collect();
            named.sort_by(|(left, _), (right, _)| left.cmp(right));
            Json::Object(named.into_iter().collect::<Map<_, _>>())
        },
        other => single(other, &field.kind()),
    }
}

fn key(name: &MapKey) -> String {
    name.as_str().unwrap_or_default().to_owned()
}

fn single(value: &Value, kind: &Kind) -> Json {
    match (value, kind) {
        (Value::Message(message), Kind::Message(of)) if of.full_name() == TIMESTAMP => {
            typed::<Timestamp>(message).map_or(Json::Null, |at| time(&at))
        },
        (Value::Message(message), Kind::Message(of)) if of.full_name() == VALUE => {
            typed::<pb::Value>(message).map_or(Json::Null, |value| trait_value(&value))
        },
        (Value::Message(one), _) => message(one),
        // A number that names no value is written as it is.
        (Value::EnumNumber(number), Kind::Enum(of)) => of
            .get_value(*number)
            .map_or_else(|| json!(number), |value| json!(value.name())),
        (Value::EnumNumber(number) | Value::I32(number), _) => json!(number),
        (Value::U32(number), _) => json!(number),
        (Value::I64(number), _) => integer((*number).into()),
        (Value::U64(number), _) => integer((*number).into()),
        (Value::F64(number), _) => double(*number),
        (Value::Bool(flag), _) => json!(flag),
        (Value::String(text), _) => json!(text),
        // The contract has no others in records; a test writes one of each.
        (Value::F32(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_), _) => Json::Null,
    }
}

fn typed<T: prost::Message + Default>(message: &DynamicMessage) -> Option<T> {
    message.transcode_to().ok()
}

/// A number, or text where readers of JSON would round it.
fn integer(number: i128) -> Json {
    let exact = number.unsigned_abs() <= u128::from(MAX_EXACT);
    i64::try_from(number)
        .ok()
        .filter(|_| exact)
        .map_or_else(|| json!(number.to_string()), |number| json!(number))
}

fn time(at: &Timestamp) -> Json {
    values::rfc3339(at).map_or_else(
        || json!({"seconds": at.seconds, "nanos": at.nanos}),
        |text| json!(text),
    )
}

/// A number, or the word of the JSON mapping of protobuf for one that JSON cannot write.
fn double(number: f64) -> Json {
    if number.is_finite() {
        json!(number)
    } else if number.is_nan() {
        json!("NaN")
    } else if number > 0.0 {
        json!("Infinity")
    } else {
        json!("-Infinity")
    }
}

/// A plain JSON value where that says the kind too.
fn trait_value(value: &pb::Value) -> Json {
    match &value.kind {
        None => Json::Null,
        Some(ValueKind::Text(text)) => json!(text),
        Some(ValueKind::Boolean(flag)) => json!(flag),
        Some(ValueKind::Integer(number)) => json!(number),
        Some(ValueKind::Number(number)) if number.is_finite() => json!(number),
        Some(ValueKind::Number(number)) => json!({"number": double(*number)}),
        Some(ValueKind::Time(at)) => json!({"time": time(at)}),
        Some(ValueKind::List(list)) => list.values.iter().map(trait_value).collect(),
    }
}
