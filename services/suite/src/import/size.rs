//! Records that are too large to be sent.

use prost::Message as _;
use serde_json::Value as Json;

use sextant_proto::ingestion::v1::Record;

use crate::import::{Fault, ndjson};

/// Bytes of tag and length before a record in a message: at most 5 for a length.
const FRAME_BYTES: usize = 6;

/// What a record takes of a message, in bytes.
pub(crate) fn in_message(record: &Record) -> usize {
    record.encoded_len() + FRAME_BYTES
}

/// What is wrong with a record of `bytes` bytes where `limit` are taken: its largest field.
pub(crate) fn too_large(record: &Record, bytes: usize, limit: usize) -> Fault {
    let (field, of_field) = serde_json::from_str(&ndjson::write(record))
        .map_or_else(|_no_json| (String::new(), 0), |json| largest(&json));
    Fault::new(
        field,
        format!(
            "has {of_field} bytes and its record {bytes}, at most {limit} are taken; shorten or remove it"
        ),
    )
}

/// The path of the largest text below a value, and its size in bytes.
fn largest(json: &Json) -> (String, usize) {
    let below = |name: &str, value: &Json| {
        let (path, bytes) = largest(value);
        if path.is_empty() {
            (name.to_owned(), bytes)
        } else {
            (format!("{name}.{path}"), bytes)
        }
    };
    let all: Vec<(String, usize)> = match json {
        Json::String(text) => return (String::new(), text.len()),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, value)| below(name, value))
            .collect(),
        Json::Array(values) => (0_usize..)
            .zip(values)
            .map(|(place, value)| below(&place.to_string(), value))
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => Vec::new(),
    };
    all.into_iter()
        .max_by_key(|(_, bytes)| *bytes)
        .unwrap_or_default()
}
