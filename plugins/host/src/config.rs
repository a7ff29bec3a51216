//! Configurations: the part of JSON Schema 2020-12 that flat objects need, defaults, and the canonical text.
//!
//! Served keywords: `type`, `properties`, `required`, `additionalProperties` (true or false) of the object; `type`
//! (integer, number, string, boolean, array), `default`, `minimum`, `maximum`, `enum` of a property; `items` (one of the others),
//! `minItems`, `maxItems`, `uniqueItems` of an array; and annotations. A schema with any other keyword is refused, so that no rule
//! is silently not applied.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// Items of an array, at most.
const MAX_ITEMS: usize = 10_000;

const ANNOTATIONS: [&str; 6] = [
    "title",
    "description",
    "examples",
    "$schema",
    "$id",
    "$comment",
];

/// The rules and defaults of a segmenter's configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfigSchema {
    properties: BTreeMap<String, Property>,
    required: Vec<String>,
    open: bool,
    json: Value,
}

#[derive(Debug, Clone)]
struct Property {
    kind: Kind,
    default: Option<Value>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    choices: Vec<Value>,
    /// The rules of an array.
    list: Option<Box<List>>,
}

/// The rules of an array.
#[derive(Debug, Clone)]
struct List {
    item: Property,
    lengths: RangeInclusive<usize>,
    is_unique: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    Text,
    Boolean,
    List,
}

/// A value of a configuration that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// JSON pointer, for example `/onboarding_days`; empty for the whole document.
    pub pointer: String,
    /// The rule, and what would fit.
    pub message: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config \"{}\": {}", self.pointer, self.message)
    }
}

impl Error for ConfigFault {}

/// A place in a schema and what is wrong there.
type SchemaFault = (String, String);

impl ConfigSchema {
    pub(crate) fn parse(schema: &Value) -> Result<Self, SchemaFault> {
        let object = schema
            .as_object()
            .ok_or_else(|| (String::new(), "must be an object".to_owned()))?;
        let known = ["type", "properties", "required", "additionalProperties"];
        only_known(object, &known)?;
        if object.get("type") != Some(&Value::from("object")) {
            return Err(("/type".to_owned(), "must be \"object\"".to_owned()));
        }
        let open = match object.get("additionalProperties") {
            None => true,
            Some(Value::Bool(open)) => *open,
            Some(_) => {
                return Err((
                    "/additionalProperties".to_owned(),
                    "must be true or false".to_owned(),
                ));
            },
        };
        let mut properties = BTreeMap::new();
        let declared = match object.get("properties") {
            None => &Map::new(),
            Some(value) => value
                .as_object()
                .ok_or_else(|| ("/properties".to_owned(), "must be an object".to_owned()))?,
        };
        for (key, value) in declared {
            let at =
                |(pointer, message)| (format!("/properties/{}{pointer}", escaped(key)), message);
            properties.insert(key.clone(), Property::parse(value).map_err(at)?);
        }
        let mut required = Vec::new();
        for name in object
            .get("required")
            .and_then(Value::as_array)
            .unwrap_or(&Vec::new())
        {
            let name = name.as_str().filter(|name| properties.contains_key(*name));
            let Some(name) = name else {
                return Err((
                    "/required".to_owned(),
                    "must list names of properties".to_owned(),
                ));
            };
            required.push(name.to_owned());
        }
        Ok(Self {
            properties,
            required,
            open,
            json: schema.clone(),
        })
    }

    /// The schema as the author wrote it, for forms and documentation; null if the segmenter has no configuration.
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// Configurations at the edges of what is allowed, canonical: a given one with each property at its least, its greatest, or an
    /// odd value.
    pub(crate) fn edges(&self, given: &Map<String, Value>) -> BTreeSet<String> {
        let odd = [
            0.into(),
            1.into(),
            (-1).into(),
            i64::MAX.into(),
            i64::MIN.into(),
            f64::MAX.into(),
            f64::MIN_POSITIVE.into(),
            "".into(),
            "x".repeat(1_000).into(),
            false.into(),
            true.into(),
            Value::Array(Vec::new()),
        ];
        let mut edges = BTreeSet::new();
        for (key, property) in &self.properties {
            let bounds = [property.minimum, property.maximum].into_iter().flatten();
            let values = odd.iter().cloned().chain(bounds.map(Value::from));
            for value in values.chain(property.choices.iter().cloned()) {
                let mut config = given.clone();
                config.insert(key.clone(), value);
                edges.extend(self.canonical(&Value::Object(config).to_string()));
            }
        }
        edges
    }

    /// Checks a configuration and returns its canonical text: every default filled in, names in byte order, no spaces.
    /// An empty text means an empty object. A whole number such as `30.0` is accepted as an integer.
    ///
    /// # Errors
    ///
    /// Every rule that is broken, in the order of the names.
    pub fn canonical(&self, config_json: &str) -> Result<String, Vec<ConfigFault>> {
        let whole = |message: String| {
            vec![ConfigFault {
                pointer: String::new(),
                message,
            }]
        };
        let text = if config_json.trim().is_empty() {
            "{}"
        } else {
            config_json
        };
        let document: Value =
            serde_json::from_str(text).map_err(|error| whole(format!("is not JSON: {error}")))?;
        let Value::Object(given) = document else {
            return Err(whole("must be a JSON object".to_owned()));
        };
        let mut faults = Vec::new();
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        for (key, property) in &self.properties {
            let Some(value) = given.get(key).or(property.default.as_ref()) else {
                continue;
            };
            match property.accept(value) {
                Ok(value) => {
                    values.insert(key.clone(), value);
                },
                Err(message) => faults.push(ConfigFault {
                    pointer: format!("/{}", escaped(key)),
                    message,
                }),
            }
        }
        for key in &self.required {
            if !given.contains_key(key) && !values.contains_key(key) {
                faults.push(ConfigFault {
                    pointer: format!("/{}", escaped(key)),
                    message: "is missing".to_owned(),
                });
            }
        }
        for (key, value) in given {
            if self.properties.contains_key(&key) {
                continue;
            }
            if self.open {
                values.insert(key, value);
            } else {
                faults.push(ConfigFault {
                    pointer: format!("/{}", escaped(&key)),
                    message: self.unknown(),
                });
            }
        }
        if faults.is_empty() {
            Ok(Value::from_iter(values).to_string())
        } else {
            Err(faults)
        }
    }

    fn unknown(&self) -> String {
        let names: Vec<&str> = self.properties.keys().map(String::as_str).collect();
        if names.is_empty() {
            return "is not known; this segmenter has no configuration".to_owned();
        }
        format!("is not known; known are: {}", names.join(", "))
    }
}

impl Property {
    fn parse(value: &Value) -> Result<Self, SchemaFault> {
        let object = value
            .as_object()
            .ok_or_else(|| (String::new(), "must be an object".to_owned()))?;
        let known: &[&str] = match object.get("type").and_then(Value::as_str) {
            Some("array") => &[
                "type",
                "default",
                "items",
                "minItems",
                "maxItems",
                "uniqueItems",
            ],
            _ => &["type", "default", "minimum", "maximum", "enum"],
        };
        only_known(object, known)?;
        let kind = match object.get("type").and_then(Value::as_str) {
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("string") => Kind::Text,
            Some("boolean") => Kind::Boolean,
            Some("array") => Kind::List,
            _ => {
                return Err((
                    "/type".to_owned(),
                    "must be one of: integer, number, string, boolean, array".to_owned(),
                ));
            },
        };
        let bound = |key: &str| match object.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(Some)
                .ok_or_else(|| (format!("/{key}"), "must be a number".to_owned())),
        };
        let choices = match object.get("enum") {
            None => Vec::new(),
            Some(Value::Array(choices)) => choices.clone(),
            Some(_) => return Err(("/enum".to_owned(), "must be an array".to_owned())),
        };
        let (minimum, maximum) = (bound("minimum")?, bound("maximum")?);
        let default = object.get("default").cloned();
        let property = Self {
            kind,
            default,
            minimum,
            maximum,
            choices,
            list: match kind {
                Kind::List => Some(Box::new(List::parse(object)?)),
                _ => None,
            },
        };
        if let Some(default) = &property.default {
            property
                .accept(default)
                .map_err(|message| ("/default".to_owned(), message))?;
        }
        Ok(property)
    }

    /// The value in canonical form, or the rule that it breaks.
    fn accept(&self, value: &Value) -> Result<Value, String> {
        if let Some(list) = &self.list {
            return list.accept(value);
        }
        let (fits, expected) = match self.kind {
            Kind::Integer => (integer(value), "an integer"),
            Kind::Number => (value.is_number().then(|| value.clone()), "a number"),
            Kind::Text => (value.is_string().then(|| value.clone()), "a string"),
            Kind::Boolean => (value.is_boolean().then(|| value.clone()), "true or false"),
            Kind::List => (None, "an array"),
        };
        let Some(value) = fits else {
            return Err(format!("{value} is not {expected}"));
        };
        if let Some(number) = value.as_f64() {
            if let Some(minimum) = self.minimum.filter(|minimum| number < *minimum) {
                return Err(format!("{value} is below the minimum {minimum}"));
            }
            if let Some(maximum) = self.maximum.filter(|maximum| number > *maximum) {
                return Err(format!("{value} is above the maximum {maximum}"));
            }
        }
        if !self.choices.is_empty() && !self.choices.contains(&value) {
            let choices: Vec<String> = self.choices.iter().map(Value::to_string).collect();
            return Err(format!("{value} is not one of: {}", choices.join(", ")));
        }
        Ok(value)
    }
}

impl List {
    fn parse(object: &Map<String, Value>) -> Result<Self, SchemaFault> {
        let missing = || ("/items".to_owned(), "is missing".to_owned());
        let item = object.get("items").ok_or_else(missing)?;
        let at = |(pointer, message)| (format!("/items{pointer}"), message);
        let item = Property::parse(item).map_err(at)?;
        if item.kind == Kind::List {
            return Err(("/items/type".to_owned(), "must not be array".to_owned()));
        }
        let length = |key: &str, absent: usize| match object.get(key) {
            None => Ok(absent),
            Some(value) => {
                let length = value.as_u64().and_then(|length| length.try_into().ok());
                length.ok_or_else(|| (format!("/{key}"), "must be a length".to_owned()))
            },
        };
        let is_unique = match object.get("uniqueItems") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| {
                (
                    "/uniqueItems".to_owned(),
                    "must be true or false".to_owned(),
                )
            })?,
        };
        Ok(Self {
            item,
            lengths: length("minItems", 0)?..=length("maxItems", MAX_ITEMS)?.min(MAX_ITEMS),
            is_unique,
        })
    }

    /// The array in canonical form, or the rule that it breaks.
    fn accept(&self, value: &Value) -> Result<Value, String> {
        let Some(items) = value.as_array() else {
            return Err(format!("{value} is not an array"));
        };
        let (least, most) = (self.lengths.start(), self.lengths.end());
        if items.len() < *least {
            return Err(format!("has {} items, the least is {least}", items.len()));
        }
        if items.len() > *most {
            return Err(format!("has {} items, the most is {most}", items.len()));
        }
        let (mut accepted, mut known) = (Vec::with_capacity(items.len()), BTreeSet::new());
        for (k, item) in items.iter().enumerate() {
            let item = self.item.accept(item);
            let item = item.map_err(|message| format!("item {k}: {message}"))?;
            if self.is_unique && !known.insert(item.to_string()) {
                return Err(format!("item {k}: {item} is there twice"));
            }
            accepted.push(item);
        }
        Ok(accepted.into())
    }
}

/// The value as an integer: JSON from languages with one number type writes 30 as 30.0.
fn integer(value: &Value) -> Option<Value> {
    if let Some(whole) = value.as_i64() {
        return Some(Value::from(whole));
    }
    let number = value
        .as_f64()
        .filter(|number| number.fract().abs() < f64::MIN_POSITIVE)?;
    format!("{number:.0}").parse::<i64>().ok().map(Value::from)
}

fn only_known(object: &Map<String, Value>, known: &[&str]) -> Result<(), SchemaFault> {
    let served =
        |key: &&String| known.contains(&key.as_str()) || ANNOTATIONS.contains(&key.as_str());
    match object.keys().find(|key| !served(key)) {
        None => Ok(()),
        Some(key) => Err((
            format!("/{}", escaped(key)),
            "this keyword is not served by this host".to_owned(),
        )),
    }
}

/// A name as a part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
