//! JSON to records, field by field as the contract names them.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use serde_json::Value as Json;

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::Record;

use crate::import::ndjson::object::{Object, wrong};
use crate::import::ndjson::plain;
use crate::import::{Fault, contract};

/// A record, as the contract has it; days begin in the zone. What it must hold is for the door to say.
pub(crate) fn record(value: Json, zone: &Zone) -> Result<Record, Fault> {
    let from = Object::new(value, String::new(), zone)?;
    let read = message(from, &contract::record())?;
    Record::decode(read.encode_to_vec().as_slice())
        .map_err(|error| Fault::of_row(format!("is no record: {error}")))
}

fn message(mut from: Object<'_>, of: &MessageDescriptor) -> Result<DynamicMessage, Fault> {
    let mut read = DynamicMessage::new(of.clone());
    for field in of.fields() {
        let Some(json) = from.take(field.name()) else {
            continue;
        };
        let path = from.at(field.name());
        refuse_second(&field, &read, &path)?;
        let value = value(json, path, &field, from.zone())?;
        read.set_field(&field, value);
    }
    from.finish(read)
}

/// Of the fields of a choice only one may be there.
fn refuse_second(field: &FieldDescriptor, read: &DynamicMessage, path: &str) -> Result<(), Fault> {
    match field.containing_oneof() {
        Some(choice) if choice.fields().any(|other| read.has_field(&other)) => {
            let choice = choice.name();
            let problem = format!("is a second {choice}; a record holds one");
            Err(Fault::new(path, problem))
        },
        Some(_) | None => Ok(()),
    }
}

fn value(json: Json, path: String, field: &FieldDescriptor, zone: &Zone) -> Result<Value, Fault> {
    match (field.kind(), json) {
        (Kind::Message(entry), json) if field.is_map() => {
            let kind = entry.map_entry_value_field().kind();
            let (path, fields) = Object::new(json, path, zone)?.into_fields();
            let entries = fields.into_iter().map(|(name, json)| {
                let value = single(json, format!("{path}.{name}"), &kind, zone)?;
                Ok((MapKey::String(name), value))
            });
            let entries: HashMap<_, _> = entries.collect::<Result<_, Fault>>()?;
            Ok(Value::Map(entries))
        },
        (kind, Json::Array(elements)) if field.is_list() => {
            let elements = elements.into_iter().enumerate();
            let read =
                elements.map(|(at, json)| single(json, format!("{path}[{at}]"), &kind, zone));
            read.collect::<Result<_, _>>().map(Value::List)
        },
        (_, json) if field.is_list() => Err(wrong(path, "a list", &json)),
        (kind, json) => single(json, path, &kind, zone),
    }
}

/// One value that is neither a list nor a map.
fn single(json: Json, path: String, kind: &Kind, zone: &Zone) -> Result<Value, Fault> {
    match kind {
        Kind::Message(of) => match of.full_name() {
            plain::TIMESTAMP => plain::dynamic(&plain::time(json, path, zone)?, of),
            plain::VALUE => plain::dynamic(&plain::value(json, path, zone)?, of),
            _ => message(Object::new(json, path, zone)?, of),
        }
        .map(Value::Message),
        Kind::Enum(of) => word(&json, path, of).map(Value::EnumNumber),
        Kind::Bool => match json {
            Json::Bool(flag) => Ok(Value::Bool(flag)),
            other => Err(wrong(path, "true or false", &other)),
        },
        Kind::String => match json {
            Json::String(text) => Ok(Value::String(text)),
            other => Err(wrong(path, "a text", &other)),
        },
        Kind::Double => plain::number(&json, path).map(Value::F64),
        Kind::Int32 => plain::integer(&json, path).map(Value::I32),
        Kind::Int64 => plain::integer(&json, path).map(Value::I64),
        Kind::Uint32 => plain::integer(&json, path).map(Value::U32),
        Kind::Uint64 => plain::integer(&json, path).map(Value::U64),
        // The contract has no others in records; a test reads one of each.
        other => Err(Fault::new(path, format!("cannot be read as {other:?}"))),
    }
}

/// An enum by name or number.
fn word(json: &Json, path: String, of: &EnumDescriptor) -> Result<i32, Fault> {
    if let Json::String(text) = json {
        return contract::word(of, text).map_err(|problem| Fault::new(path, problem));
    }
    let number = json.as_i64().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| {
        let known = contract::words(of).join(", ");
        wrong(path, &format!("one of {known}"), json)
    })
}
