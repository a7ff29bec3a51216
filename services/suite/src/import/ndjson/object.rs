//! A JSON object that is taken apart field by field, and knows its path.

use prost_types::Timestamp;
use serde_json::{Map, Value};

use sextant_domain::time::Zone;

use crate::import::Fault;
use crate::import::values::{self, Named};

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
            other => Err(Fault::new(
                path,
                format!("must be an object, not {}", kind(&other)),
            )),
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

    pub(crate) fn text(&mut self, name: &str) -> Result<String, Fault> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong(name, "a text", &other)),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Fault> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    /// A whole number, written as one or as text.
    pub(crate) fn integer<T: TryFrom<i128> + Default>(&mut self, name: &str) -> Result<T, Fault> {
        let Some(value) = self.take(name) else {
            return Ok(T::default());
        };
        let number = match &value {
            Value::Number(number) => number.as_i128(),
            Value::String(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.wrong(name, "a whole number that fits", &value))
    }

    /// A moment as RFC 3339, or as the object that a moment outside of RFC 3339 is written as.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => values::time(&text, self.zone)
                .map(Some)
                .map_err(|problem| Fault::new(self.at(name), problem)),
            Some(value @ Value::Object(_)) => {
                let mut object = Self::new(value, self.at(name), self.zone)?;
                let stamp = Timestamp {
                    seconds: object.integer("seconds")?,
                    nanos: object.integer("nanos")?,
                };
                object.finish(Some(stamp))
            },
            Some(other) => {
                Err(self.wrong(name, "a moment such as \"2026-01-31T09:30:00Z\"", &other))
            },
        }
    }

    /// An enum by name or number.
    pub(crate) fn word<E: Named + Into<i32>>(&mut self, name: &str) -> Result<i32, Fault> {
        match self.take(name) {
            Some(Value::String(text)) => values::word::<E>(&text)
                .map(Into::into)
                .map_err(|problem| Fault::new(self.at(name), problem)),
            None => Ok(0),
            Some(value) => {
                let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                number.ok_or_else(|| {
                    self.wrong(
                        name,
                        &format!("one of {}", values::words::<E>().join(", ")),
                        &value,
                    )
                })
            },
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Fault> {
        let (path, zone) = (self.at(name), self.zone);
        self.take(name)
            .map(|value| Self::new(value, path, zone))
            .transpose()
    }

    /// The elements of a list with their paths.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<(String, Value)>, Fault> {
        let path = self.at(name);
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values
                .into_iter()
                .enumerate()
                .map(|(index, value)| (format!("{path}[{index}]"), value))
                .collect()),
            Some(other) => Err(self.wrong(name, "a list", &other)),
        }
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

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> Fault {
        Fault::new(
            self.at(name),
            format!("must be {expected}, not {}", kind(found)),
        )
    }
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
