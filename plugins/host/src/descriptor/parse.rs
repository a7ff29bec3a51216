//! From JSON text to a judged descriptor; every complaint carries a JSON pointer.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ConfigSchema;
use crate::check::{Check, Finding};
use crate::descriptor::{
    AbiVersion, DefaultValue, Descriptor, DescriptorFault, Feature, FeatureType, LocalText,
    OnMissing, Segment,
};

/// Positions from here on mean "abstain" and "no segment".
const MAX_SEGMENTS: usize = 0xFFFE;

impl Descriptor {
    /// Reads and judges the text of a descriptor section.
    pub(crate) fn parse(text: &str) -> Result<Self, Finding> {
        let document: Value = serde_json::from_str(text).map_err(|error| {
            Finding::new(
                Check::DescriptorSection,
                "the descriptor is not one JSON document",
            )
            .caused_by(error)
        })?;
        let Value::Object(fields) = document else {
            return Err(schema(fault("", "must be an object")));
        };
        served(&fields)?;
        judge(&fields).map_err(schema)
    }
}

fn schema(fault: DescriptorFault) -> Finding {
    Finding::new(Check::DescriptorSchema, fault.to_string())
}

fn fault(pointer: impl Into<String>, message: impl Into<String>) -> DescriptorFault {
    DescriptorFault {
        pointer: pointer.into(),
        message: message.into(),
    }
}

/// Refuses what the ABI allows and this host does not serve.
fn served(fields: &Map<String, Value>) -> Result<(), Finding> {
    let asks = |key: &str| {
        fields
            .get(key)
            .is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
    };
    for key in ["dynamic_features", "dynamic_segments"] {
        if asks(key) {
            return Err(Finding::new(
                Check::Supported,
                format!("descriptor \"/{key}\": not served by this host"),
            ));
        }
    }
    match fields.get("output").and_then(Value::as_str) {
        Some(output @ ("multi" | "score")) => {
            let what = format!("descriptor \"/output\": \"{output}\" is not served by this host");
            Err(Finding::new(Check::Supported, what))
        },
        _ => Ok(()),
    }
}

fn judge(fields: &Map<String, Value>) -> Result<Descriptor, DescriptorFault> {
    let output: String = required(fields, "output")?;
    if output != "single" {
        return Err(fault(
            "/output",
            format!("\"{output}\" is not one of: single, multi, score"),
        ));
    }
    let mut features = features(fields, "requires", None)?;
    let required_features = features.len();
    features.extend(self::features(fields, "optional", Some("null"))?);
    let mut names = BTreeSet::new();
    for feature in &features {
        if !names.insert(feature.name.as_str()) {
            return Err(fault(
                "/requires",
                format!("feature \"{}\" is listed twice", feature.name),
            ));
        }
    }
    let config_schema = match fields.get("config_schema") {
        None => ConfigSchema::default(),
        Some(value) => ConfigSchema::parse(value)
            .map_err(|(pointer, message)| fault(format!("/config_schema{pointer}"), message))?,
    };
    Ok(Descriptor {
        id: id(fields)?,
        version: version(fields)?,
        abi: abi(fields)?,
        title: required(fields, "title")?,
        description: optional::<LocalText>(fields, "description")?.unwrap_or_default(),
        license: optional(fields, "license")?,
        features,
        required: required_features,
        segments: segments(fields)?,
        config_schema,
        limits: optional(fields, "limits")?.unwrap_or_default(),
        examples: items(fields, "examples")?,
    })
}

/// A value of the right type; serde's own words say what was expected.
fn read<T: DeserializeOwned>(value: &Value, pointer: &str) -> Result<T, DescriptorFault> {
    T::deserialize(value).map_err(|error| fault(pointer, error.to_string()))
}

fn optional<T: DeserializeOwned>(
    fields: &Map<String, Value>,
    key: &str,
) -> Result<Option<T>, DescriptorFault> {
    fields
        .get(key)
        .map(|value| read(value, &format!("/{key}")))
        .transpose()
}

fn required<T: DeserializeOwned>(
    fields: &Map<String, Value>,
    key: &str,
) -> Result<T, DescriptorFault> {
    optional(fields, key)?.ok_or_else(|| fault(format!("/{key}"), "is missing"))
}

/// The items of a list that may be absent.
fn items<T: DeserializeOwned>(
    fields: &Map<String, Value>,
    key: &str,
) -> Result<Vec<T>, DescriptorFault> {
    let list: Vec<Value> = optional(fields, key)?.unwrap_or_default();
    list.iter()
        .enumerate()
        .map(|(k, item)| read(item, &format!("/{key}/{k}")))
        .collect()
}

fn id(fields: &Map<String, Value>) -> Result<String, DescriptorFault> {
    let id: String = required(fields, "id")?;
    let plain = |part: &str| {
        let letters =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        !part.is_empty() && part.bytes().all(letters)
    };
    if id.len() <= 128 && id.contains('.') && id.split('.').all(plain) {
        return Ok(id);
    }
    let message = format!(
        "\"{id}\" is not a reverse-DNS id such as acme.health: parts of [a-z0-9_-], at most 128 bytes"
    );
    Err(fault("/id", message))
}

/// `major.minor.patch`, with an optional pre-release or build part.
fn version(fields: &Map<String, Value>) -> Result<String, DescriptorFault> {
    let version: String = required(fields, "version")?;
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if numbers.len() == 3 && numbers.iter().all(number) {
        return Ok(version);
    }
    Err(fault(
        "/version",
        format!("\"{version}\" is not a semantic version such as 1.4.0"),
    ))
}

fn abi(fields: &Map<String, Value>) -> Result<AbiVersion, DescriptorFault> {
    let text: String = required(fields, "abi")?;
    let parsed = text
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let Some((major, minor)) = parsed else {
        return Err(fault(
            "/abi",
            format!("\"{text}\" is not a version such as 1.0"),
        ));
    };
    Ok(AbiVersion { major, minor })
}

fn segments(fields: &Map<String, Value>) -> Result<Vec<Segment>, DescriptorFault> {
    let segments: Vec<Segment> = items(fields, "segments")?;
    if segments.is_empty() || segments.len() > MAX_SEGMENTS {
        return Err(fault(
            "/segments",
            format!("must list 1 to {MAX_SEGMENTS} segments"),
        ));
    }
    let mut keys = BTreeSet::new();
    for (k, segment) in segments.iter().enumerate() {
        if segment.key.is_empty() || !keys.insert(segment.key.as_str()) {
            return Err(fault(
                format!("/segments/{k}/key"),
                format!("\"{}\" is empty or used twice", segment.key),
            ));
        }
    }
    Ok(segments)
}

#[derive(Deserialize)]
struct RawFeature {
    feature: String,
    #[serde(rename = "type")]
    kind: String,
    nullable: Option<bool>,
    on_missing: Option<String>,
    default: Option<Value>,
}

fn features(
    fields: &Map<String, Value>,
    key: &str,
    default_policy: Option<&str>,
) -> Result<Vec<Feature>, DescriptorFault> {
    if key == "requires" && !fields.contains_key(key) {
        return Err(fault("/requires", "is missing"));
    }
    let raw: Vec<RawFeature> = items(fields, key)?;
    let mut features = Vec::new();
    for (k, raw) in raw.into_iter().enumerate() {
        let at = |name: &str| format!("/{key}/{k}/{name}");
        if raw.feature.is_empty() {
            return Err(fault(at("feature"), "is empty"));
        }
        let Some(kind) = kind(&raw.kind) else {
            let types = "float64, int64, bool, utf8, dictionary<int32, utf8>, timestamp[us, UTC]";
            return Err(fault(
                at("type"),
                format!("\"{}\" is not one of: {types}", raw.kind),
            ));
        };
        let Some(policy) = raw.on_missing.as_deref().or(default_policy) else {
            return Err(fault(
                at("on_missing"),
                "is missing; say skip_row, null, default or fail",
            ));
        };
        let on_missing = match (policy, raw.default) {
            ("default", Some(value)) => match default_value(kind, &value) {
                Some(value) => OnMissing::Default(value),
                None => {
                    return Err(fault(
                        at("default"),
                        format!("{value} does not have type {}", raw.kind),
                    ));
                },
            },
            ("default", None) => {
                return Err(fault(
                    at("default"),
                    "is missing, but on_missing says default",
                ));
            },
            (_, Some(_)) => {
                return Err(fault(
                    at("default"),
                    "is given, but on_missing does not say default",
                ));
            },
            ("null", None) if raw.nullable == Some(false) => {
                return Err(fault(
                    at("nullable"),
                    "must not be false where on_missing says null",
                ));
            },
            ("null", None) => OnMissing::Null,
            ("skip_row" | "fail", None) if default_policy.is_some() => {
                return Err(fault(
                    at("on_missing"),
                    "of an optional feature must be null or default",
                ));
            },
            ("skip_row", None) => OnMissing::SkipRow,
            ("fail", None) => OnMissing::Fail,
            (other, None) => {
                let message = format!("\"{other}\" is not one of: skip_row, null, default, fail");
                return Err(fault(at("on_missing"), message));
            },
        };
        features.push(Feature {
            name: raw.feature,
            kind,
            on_missing,
        });
    }
    Ok(features)
}

fn kind(text: &str) -> Option<FeatureType> {
    match text.replace(' ', "").as_str() {
        "float64" => Some(FeatureType::Float64),
        "int64" => Some(FeatureType::Int64),
        "bool" => Some(FeatureType::Bool),
        "utf8" => Some(FeatureType::Utf8),
        "dictionary<int32,utf8>" => Some(FeatureType::Dictionary),
        "timestamp[us,UTC]" => Some(FeatureType::Timestamp),
        _ => None,
    }
}

fn default_value(kind: FeatureType, value: &Value) -> Option<DefaultValue> {
    match kind {
        FeatureType::Float64 => value.as_f64().map(DefaultValue::Float64),
        FeatureType::Int64 | FeatureType::Timestamp => value.as_i64().map(DefaultValue::Int64),
        FeatureType::Bool => value.as_bool().map(DefaultValue::Bool),
        FeatureType::Utf8 | FeatureType::Dictionary => value
            .as_str()
            .map(|text| DefaultValue::Text(text.to_owned())),
    }
}
