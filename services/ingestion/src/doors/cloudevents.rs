//! Events in the format of CloudEvents 1.0, as records: one in a body (structured), several (batched), or its attributes in the
//! headers of what it carries (binary).
//!
//! Which account it happened in says the extension `accountid`; without it, the account that the user of `userid` or
//! `anonymousid` is in. `sessionid` names the session. Other attributes and the members of `data` are kept as data.

use http::HeaderMap;
use percent_encoding::percent_decode;
use serde_json::{Map, Value as Json};

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

use crate::admission::Arrived;
use crate::doors::{json, product, request};

/// What all attributes in headers begin with.
const HEADER_PREFIX: &str = "ce-";
/// The version that is read.
const VERSION: &str = "1.0";
/// Attributes that a record has a place of its own for.
const PLACED: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "sentat",
    "accountid",
    "userid",
    "anonymousid",
    "sessionid",
];

/// The record of an event; of what cannot be understood the one that is refused.
pub(crate) fn record(event: &Json) -> Arrived {
    match read(event) {
        Ok(record) => Arrived::of(record),
        Err(problem) => {
            let named = |name: &str| event.get(name).and_then(Json::as_str);
            let record = pb::Record {
                source: named("source").unwrap_or_default().to_owned(),
                id: named("id").unwrap_or_default().to_owned(),
                original: event.to_string().into(),
                ..pb::Record::default()
            };
            Arrived::refused(record, problem)
        },
    }
}

fn read(event: &Json) -> Result<pb::Record, Problem> {
    let Json::Object(event) = event else {
        let message = "is no object; an event is one";
        return Err(Problem::field(ErrorReason::FieldInvalid, "", message));
    };
    if text(event, "specversion")? != VERSION {
        let message = "must be \"1.0\"";
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "specversion",
            message,
        ));
    }
    let time = text(event, "time")?;
    if time.is_empty() {
        let message = "must be set: with source and id it says which event this is";
        return Err(Problem::field(ErrorReason::FieldMissing, "time", message));
    }
    let sent_at = text(event, "sentat")?;
    let mut fact = pb::EventFact {
        account_id: text(event, "accountid")?.to_owned(),
        user_id: text(event, "userid")?.to_owned(),
        anonymous_id: text(event, "anonymousid")?.to_owned(),
        session_id: text(event, "sessionid")?.to_owned(),
        r#type: text(event, "type")?.to_owned(),
        ..pb::EventFact::default()
    };
    let mut data = data(event)?;
    product::use_of(&mut fact, &mut data);
    fact.data = json::values(&data).set;
    Ok(pb::Record {
        source: text(event, "source")?.to_owned(),
        id: text(event, "id")?.to_owned(),
        time: Some(timestamp(json::moment(time, "time")?)),
        sent_at: match sent_at {
            "" => None,
            sent_at => Some(timestamp(json::moment(sent_at, "sentat")?)),
        },
        fact: Some(Fact::Event(fact)),
        ..pb::Record::default()
    })
}

/// What the event carries, and its attributes that have no other place.
fn data(event: &Map<String, Json>) -> Result<Map<String, Json>, Problem> {
    if event.contains_key("data_base64") {
        let message = "is not taken: send data as JSON or text";
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "data_base64",
            message,
        ));
    }
    let mut all = match event.get("data") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(members)) => members.clone(),
        Some(other) => Map::from_iter([("data".to_owned(), other.clone())]),
    };
    for (name, value) in event {
        if name != "data" && name != "datacontenttype" && !PLACED.contains(&name.as_str()) {
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(all)
}

fn text<'e>(event: &'e Map<String, Json>, name: &str) -> Result<&'e str, Problem> {
    match event.get(name) {
        None | Some(Json::Null) => Ok(""),
        Some(Json::String(text)) => Ok(text),
        Some(_) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            name,
            "must be a text",
        )),
    }
}

/// Whether the attributes of an event are in headers.
pub(crate) fn is_binary(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion")
}

/// An event whose attributes are in headers; what it carries is JSON, or else a text.
///
/// # Errors
/// MALFORMED where it carries neither.
pub(crate) fn of_headers(headers: &HeaderMap, body: &[u8]) -> Result<Json, Problem> {
    let malformed = |message: String| Problem::new(ErrorReason::Malformed, message);
    let mut event = Map::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(HEADER_PREFIX) else {
            continue;
        };
        let value = decoded(value.as_bytes())
            .ok_or_else(|| malformed(format!("header \"ce-{name}\" is no text")))?;
        event.insert(name.to_owned(), Json::String(value));
    }
    let kind = headers.get(http::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("json");
    if body.is_empty() {
        return Ok(Json::Object(event));
    }
    let data = if kind.contains("json") {
        request::json(body)?
    } else {
        let text = std::str::from_utf8(body)
            .map_err(|_binary| malformed("the body is neither JSON nor text".to_owned()))?;
        Json::String(text.to_owned())
    };
    event.insert("data".to_owned(), data);
    Ok(Json::Object(event))
}

/// A header's value with what is written as `%E2` in it, as the HTTP binding writes all that is not printable ASCII.
fn decoded(value: &[u8]) -> Option<String> {
    let text = percent_decode(value).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests;
