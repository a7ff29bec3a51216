//! A JSON object that is taken apart field by field, and knows its path.

use serde_json::{Map, Value};

use sextant_domain::time::Zone;

use crate::import::Fault;

/// An object; whatever is not taken from it is an error in the end.
#[derive(Debug)]
pub(crate) struct Object<'z> {
    path: String,
    /// Where days begin.
    zone: &'z Zone,
    fields: Map<String, Value>,
}

impl<'z> Object<'z> {
    pub(crate) fn new(value: Value, path: String, zone: &'z Zone) -> Result<Self, Fault> {
        match value {
            Value::Object(fields) => Ok(Self { path, zone, fields }),
            other => Err(wrong(path, "an object", &other)),
        }
    }

    /// The path of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Where days begin.
    pub(crate) fn zone(&self) -> &'z Zone {
        self.zone
    }

    /// A field under its own or its lowerCamelCase name; `null` counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let found = self
            .fields
            .shift_remove(name)
            .or_else(|| self.fields.shift_remove(&camel(name)));
        found.filter(|value| !value.is_null())
    }

    /// All fields that are left, whatever their names.
    pub(crate) fn into_fields(self) -> (String, Map<String, Value>) {
        (self.path, self.fields)
    }

    /// What was read, if nothing is left over.
    pub(crate) fn finish<T>(self, read: T) -> Result<T, Fault> {
        match self.fields.keys().next() {
            None => Ok(read),
            Some(left) => Err(Fault::new(
                self.at(left),
                "is no field of the contract; check its spelling, or put it into traits or data",
            )),
        }
    }
}

/// A value that is something else than was expected.
pub(crate) fn wrong(path: String, expected: &str, found: &Value) -> Fault {
    Fault::new(path, format!("must be {expected}, not {}", kind(found)))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.len() <= 40 => format!("{text:?}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// `account_id` as `accountId`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}
