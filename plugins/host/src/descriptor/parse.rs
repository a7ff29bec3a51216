//! From JSON text to a judged descriptor; every complaint carries a JSON pointer.

mod features;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ConfigSchema;
use crate::check::{Check, Finding};
use crate::descriptor::{AbiVersion, Descriptor, DescriptorFault, LocalText, Output, Segment};

/// Bytes of the longest list of features or segments that a configuration has.
pub(crate) const MAX_LIST_BYTES: usize = 64 << 10;
/// Features of a configuration, with those of the descriptor, at most.
const MAX_FEATURES: usize = 1_024;
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
    match fields.get("output").and_then(Value::as_str) {
        Some("multi") => {
            let what = "descriptor \"/output\": \"multi\" is not served: an account is in one segment of a segmentation";
            Err(Finding::new(Check::Supported, what))
        },
        _ => Ok(()),
    }
}

fn judge(fields: &Map<String, Value>) -> Result<Descriptor, DescriptorFault> {
    let output = match required::<String>(fields, "output")?.as_str() {
        "single" => Output::Single,
        "score" => Output::Score,
        other => {
            let message = format!("\"{other}\" is not one of: single, multi, score");
            return Err(fault("/output", message));
        },
    };
    let config_schema = match fields.get("config_schema") {
        None => ConfigSchema::default(),
        Some(value) => ConfigSchema::parse(value)
            .map_err(|(pointer, message)| fault(format!("/config_schema{pointer}"), message))?,
    };
    let dynamic_segments = dynamic_segments(fields)?;
    let (of_fields, list) = ("/segments", titled(items(fields, "segments")?));
    match dynamic_segments {
        None => judge_segments(&list, of_fields, (MAX_SEGMENTS, output))?,
        Some(_) if !list.is_empty() => {
            let message = "must not be there beside dynamic_segments";
            return Err(fault(of_fields, message));
        },
        Some(_) => {},
    }
    Ok(Descriptor {
        id: id(fields)?,
        version: version(fields)?,
        abi: abi(fields)?,
        title: required(fields, "title")?,
        description: optional::<LocalText>(fields, "description")?.unwrap_or_default(),
        license: optional(fields, "license")?,
        output,
        features: features::of_descriptor(fields)?,
        dynamic_features: features::scope(fields)?,
        segments: list,
        dynamic_segments,
        state_version: optional(fields, "state_version")?,
        config_schema,
        limits: optional(fields, "limits")?.unwrap_or_default(),
        examples: items(fields, "examples")?,
    })
}

/// The most segments of a configuration.
fn dynamic_segments(fields: &Map<String, Value>) -> Result<Option<usize>, DescriptorFault> {
    #[derive(Deserialize)]
    struct Most {
        max: usize,
    }
    let most: Option<Most> = optional(fields, "dynamic_segments")?;
    match most {
        Some(Most { max }) if !(1..=MAX_SEGMENTS).contains(&max) => {
            let message = format!("must be 1 to {MAX_SEGMENTS}");
            Err(fault("/dynamic_segments/max", message))
        },
        most => Ok(most.map(|most| most.max)),
    }
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
    if Descriptor::is_id(&id) {
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

/// Segments without a title are called by their keys.
fn titled(mut segments: Vec<Segment>) -> Vec<Segment> {
    let untitled = segments.iter_mut();
    for segment in untitled.filter(|one| one.title.get("en").is_empty()) {
        segment.title = LocalText::english(&segment.key);
    }
    segments
}

/// Judges a list of segments.
fn judge_segments(
    segments: &[Segment],
    at: &str,
    (most, output): (usize, Output),
) -> Result<(), DescriptorFault> {
    if segments.is_empty() || segments.len() > most {
        return Err(fault(at, format!("must list 1 to {most} segments")));
    }
    let (mut keys, mut cuts) = (BTreeSet::new(), BTreeSet::new());
    for (k, segment) in segments.iter().enumerate() {
        if segment.key.is_empty() || !keys.insert(segment.key.as_str()) {
            return Err(fault(
                format!("{at}/{k}/key"),
                format!("\"{}\" is empty or used twice", segment.key),
            ));
        }
        let at = || format!("{at}/{k}/from_score");
        match (output, segment.from_score) {
            (Output::Single, Some(_)) => {
                return Err(fault(at(), "is for output \"score\""));
            },
            (Output::Score, cut) if !cuts.insert(cut.map(f32::to_bits)) => {
                return Err(fault(
                    at(),
                    "is missing or there twice: one segment may be without",
                ));
            },
            _ => {},
        }
    }
    Ok(())
}

impl Descriptor {
    /// The same with what a configuration reads and answers, as the segmenter writes it.
    ///
    /// # Errors
    /// What it may not read, or is no list of features or segments.
    pub(crate) fn configured(
        &self,
        features_json: &str,
        segments_json: &str,
    ) -> Result<Self, DescriptorFault> {
        let mut configured = self.clone();
        if let Some(scope) = &self.dynamic_features {
            let more = features::dynamic(&list(features_json, "requirements")?, scope)?;
            configured.features.extend(more);
            if configured.features.len() > MAX_FEATURES {
                let message =
                    format!("are more than {MAX_FEATURES} features, with those of the descriptor");
                return Err(fault("requirements", message));
            }
            features::judge_names(&configured.features, "requirements")?;
        }
        if let Some(most) = self.dynamic_segments {
            let at = "segments";
            let values = list(segments_json, at)?;
            let segments = values.iter().enumerate();
            let segments = segments.map(|(k, value)| read(value, &format!("{at}/{k}")));
            configured.segments = titled(segments.collect::<Result<_, _>>()?);
            judge_segments(&configured.segments, at, (most, self.output))?;
        }
        Ok(configured)
    }
}

/// A list that a segmenter has written.
fn list(json: &str, at: &str) -> Result<Vec<Value>, DescriptorFault> {
    if json.len() > MAX_LIST_BYTES {
        let message = format!("has {} bytes, the most are {MAX_LIST_BYTES}", json.len());
        return Err(fault(at, message));
    }
    serde_json::from_str(json).map_err(|error| fault(at, format!("is no JSON array: {error}")))
}
