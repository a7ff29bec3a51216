//! Records that are too large to be sent.

use prost::Message as _;
use serde_json::Value as Json;

use sextant_proto::ingestion::v1::Record;
use sextant_wire::record::MAX_RECORD_BYTES;

use crate::import::{Fault, ndjson};

/// Bytes of tag and length before a record in a message: at most 5 for a length.
const FRAME_BYTES: usize = 6;

/// What a record takes of a message, in bytes.
pub(crate) fn in_message(record: &Record) -> usize {
    record.encoded_len() + FRAME_BYTES
}

/// What is wrong with a record of `bytes` bytes that no message holds: its largest field.
pub(crate) fn too_large(record: &Record, bytes: usize) -> Fault {
    let (field, of_field) = serde_json::from_str(&ndjson::write(record))
        .map_or_else(|_no_json| (String::new(), 0), |json| largest(&json, false));
    Fault::new(
        field.trim_start_matches('.'),
        format!(
            "has {of_field} bytes and its record {bytes}, at most {MAX_RECORD_BYTES} are allowed; shorten or remove it"
        ),
    )
}

/// The path of the largest text below a value, as the contract writes it and with a point before it, and its size in bytes.
/// Names of a map are between brackets.
fn largest(json: &Json, is_map: bool) -> (String, usize) {
    let below = |step: String, value: &Json, is_map: bool| {
        let (path, bytes) = largest(value, is_map);
        (step + &path, bytes)
    };
    let all: Vec<(String, usize)> = match json {
        Json::String(text) => return (String::new(), text.len()),
        Json::Object(fields) if is_map => fields
            .iter()
            .map(|(name, value)| below(format!("[{name:?}]"), value, false))
            .collect(),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let is_map = matches!(name.as_str(), "traits" | "data");
                below(format!(".{name}"), value, is_map)
            })
            .collect(),
        Json::Array(values) => (0_usize..)
            .zip(values)
            .map(|(place, value)| below(format!("[{place}]"), value, false))
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => Vec::new(),
    };
    all.into_iter()
        .max_by_key(|(_, bytes)| *bytes)
        .unwrap_or_default()
}
