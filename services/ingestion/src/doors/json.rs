//! JSON of other formats as values of traits and data.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{Value, ValueList};
use sextant_wire::status::Problem;

/// Objects within objects that become values of their own, such as `address.city`; what lies deeper is kept as JSON text.
const MAX_DEPTH: usize = 4;

/// Named values of an object, and the names of those that are null.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) set: BTreeMap<String, Value>,
    pub(super) cleared: Vec<String>,
}

/// The values of an object. One within it is written as its name, a point, and the names in it.
pub(super) fn values(object: &Map<String, Json>) -> Values {
    let mut values = Values::default();
    add(&mut values, "", object, 0);
    values
}

fn add(to: &mut Values, prefix: &str, object: &Map<String, Json>, depth: usize) {
    for (name, json) in object {
        let name = format!("{prefix}{name}");
        match json {
            Json::Null => to.cleared.push(name),
            Json::Object(inner) if depth < MAX_DEPTH => {
                add(to, &format!("{name}."), inner, depth + 1);
            },
            other => {
                let kind = Some(kind(other));
                to.set.insert(name, Value { kind });
            },
        }
    }
}

/// A list of plain values stays one; everything else that is not plain becomes JSON text.
fn kind(json: &Json) -> Kind {
    let Json::Array(elements) = json else {
        return plain(json);
    };
    let values = elements.iter().map(|element| Value {
        kind: Some(plain(element)),
    });
    Kind::List(ValueList {
        values: values.collect(),
    })
}

fn plain(json: &Json) -> Kind {
    match json {
        Json::Bool(flag) => Kind::Boolean(*flag),
        Json::String(text) => Kind::Text(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Kind::Integer(integer),
            (None, Some(float)) => Kind::Number(float),
            (None, None) => Kind::Text(number.to_string()),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => Kind::Text(json.to_string()),
    }
}

/// A moment as RFC 3339 has it.
pub(super) fn moment(text: &str, path: &str) -> Result<Instant, Problem> {
    /// What is shown of a text that is none.
    const MAX_SHOWN: usize = 40;
    Instant::parse(text).map_err(|_unreadable| {
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        let message = format!(
            "{shown:?} is no moment such as \"2026-01-31T09:30:00Z\", with Z or an offset such as +01:00"
        );
        Problem::field(ErrorReason::FieldInvalid, path, message)
    })
}

#[cfg(test)]
mod tests;
