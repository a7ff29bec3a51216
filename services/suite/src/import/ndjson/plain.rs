//! JSON to what is written more plainly than the contract has it: numbers, moments, values of traits.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use prost_types::Timestamp;
use serde_json::Value as Json;

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{Value, ValueList};

use crate::import::ndjson::object::{Object, wrong};
use crate::import::{Fault, values};

/// Moments in the contract.
pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";
/// Values of traits and data in the contract.
pub(super) const VALUE: &str = "sextant.ingestion.v1.Value";

/// A message of a type that is known as one of the contract.
pub(super) fn dynamic(
    message: &impl Message,
    of: &MessageDescriptor,
) -> Result<DynamicMessage, Fault> {
    DynamicMessage::decode(of.clone(), message.encode_to_vec().as_slice())
        .map_err(|error| Fault::of_row(format!("is no record: {error}")))
}

/// A whole number, written as one or as text.
pub(super) fn integer<T: TryFrom<i128>>(json: &Json, path: String) -> Result<T, Fault> {
    let number = match json {
        Json::Number(number) => number.as_i128(),
        Json::String(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| wrong(path, "a whole number that fits", json))
}

/// A number, or the word that the JSON mapping of protobuf has for one that JSON cannot write; the door refuses these.
pub(super) fn number(json: &Json, path: String) -> Result<f64, Fault> {
    let number = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    number.ok_or_else(|| wrong(path, "a number", json))
}

/// A moment as RFC 3339 or a day, or as the object that a moment outside of RFC 3339 is written as.
pub(super) fn time(json: Json, path: String, zone: &Zone) -> Result<Timestamp, Fault> {
    match json {
        Json::String(text) => {
            values::time(&text, zone).map_err(|problem| Fault::new(path, problem))
        },
        object @ Json::Object(_) => {
            let mut from = Object::new(object, path, zone)?;
            let mut part = |name: &str| from.take(name).map(|json| (json, from.at(name)));
            let (seconds, nanos) = (part("seconds"), part("nanos"));
            let stamp = Timestamp {
                seconds: seconds.map_or(Ok(0), |(json, path)| integer(&json, path))?,
                nanos: nanos.map_or(Ok(0), |(json, path)| integer(&json, path))?,
            };
            from.finish(stamp)
        },
        other => {
            let expected = "a moment such as \"2026-01-31T09:30:00Z\"";
            Err(wrong(path, expected, &other))
        },
    }
}

/// A value of a trait: a plain value, a list of them, or the object that names its kind.
pub(super) fn value(json: Json, path: String, zone: &Zone) -> Result<Value, Fault> {
    let Json::Array(elements) = json else {
        return plain_value(json, path, zone);
    };
    let elements = elements.into_iter().enumerate();
    let values = elements.map(|(at, json)| plain_value(json, format!("{path}[{at}]"), zone));
    let list = ValueList {
        values: values.collect::<Result<_, _>>()?,
    };
    Ok(Value {
        kind: Some(Kind::List(list)),
    })
}

fn plain_value(json: Json, path: String, zone: &Zone) -> Result<Value, Fault> {
    let kind = match json {
        Json::Null => None,
        Json::Bool(flag) => Some(Kind::Boolean(flag)),
        Json::String(text) => Some(Kind::Text(text)),
        Json::Number(number) => Some(match number.as_i64() {
            Some(integer) => Kind::Integer(integer),
            None => Kind::Number(
                number
                    .as_f64()
                    .ok_or_else(|| Fault::new(&path, "is no number that fits"))?,
            ),
        }),
        list @ Json::Array(_) => {
            let expected = "a text, a number, true or false within a list";
            return Err(wrong(path, expected, &list));
        },
        object @ Json::Object(_) => named_kind(Object::new(object, path, zone)?)?,
    };
    Ok(Value { kind })
}

fn named_kind(mut from: Object<'_>) -> Result<Option<Kind>, Fault> {
    let zone = from.zone();
    if let Some(json) = from.take("time") {
        let at = time(json, from.at("time"), zone)?;
        return from.finish(Some(Kind::Time(at)));
    }
    let path = from.at("number");
    let number = from.take("number").map(|json| number(&json, path));
    let kind = number.transpose()?.map(Kind::Number);
    from.finish(kind)
}
