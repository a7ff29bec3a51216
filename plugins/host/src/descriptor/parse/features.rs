//! The features of a descriptor, and of a configuration.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{fault, items, optional, read};
use crate::descriptor::{DefaultValue, DescriptorFault, Feature, FeatureType, OnMissing};

/// The features that a descriptor requires, and then those that it can do without.
pub(super) fn of_descriptor(fields: &Map<String, Value>) -> Result<Vec<Feature>, DescriptorFault> {
    if !fields.contains_key("requires") {
        return Err(fault("/requires", "is missing"));
    }
    let mut features = Vec::new();
    for (key, is_required) in [("requires", true), ("optional", false)] {
        let raw: Vec<RawFeature> = items(fields, key)?;
        for (k, raw) in raw.into_iter().enumerate() {
            features.push(feature(raw, &format!("/{key}/{k}"), is_required)?);
        }
    }
    judge_names(&features, "/requires")?;
    Ok(features)
}

/// The features that a configuration asks for on top; all of them are within a scope.
pub(super) fn dynamic(values: &[Value], scope: &[String]) -> Result<Vec<Feature>, DescriptorFault> {
    let mut features = Vec::new();
    for (k, value) in values.iter().enumerate() {
        let at = format!("requirements/{k}");
        let raw: RawFeature = read(value, &at)?;
        let is_required = !raw.optional.unwrap_or(false);
        if !scope.iter().any(|pattern| covers(pattern, &raw.feature)) {
            let message = format!("\"{}\" is outside of feature_scope", raw.feature);
            return Err(fault(format!("{at}/feature"), message));
        }
        features.push(feature(raw, &at, is_required)?);
    }
    Ok(features)
}

/// Refuses features that are listed twice.
pub(super) fn judge_names(features: &[Feature], at: &str) -> Result<(), DescriptorFault> {
    let mut names = BTreeSet::new();
    let mut twice = features.iter().filter(|one| !names.insert(&one.name));
    twice.next().map_or(Ok(()), |one| {
        let message = format!("feature \"{}\" is listed twice", one.name);
        Err(fault(at, message))
    })
}

/// Patterns of the features that a configuration may ask for; `None`: configurations ask for none.
pub(super) fn scope(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, DescriptorFault> {
    if !optional(fields, "dynamic_features")?.unwrap_or(false) {
        return Ok(None);
    }
    let scope: Vec<String> = items(fields, "feature_scope")?;
    if scope.is_empty() {
        let message = "must list what configurations may ask for, such as \"usage.*\"";
        return Err(fault("/feature_scope", message));
    }
    Ok(Some(scope))
}

/// Whether a pattern, a name or the beginning of one before `*`, covers a name.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[derive(Deserialize)]
struct RawFeature {
    feature: String,
    #[serde(rename = "type")]
    kind: String,
    nullable: Option<bool>,
    on_missing: Option<String>,
    default: Option<Value>,
    optional: Option<bool>,
}

fn feature(raw: RawFeature, pointer: &str, is_required: bool) -> Result<Feature, DescriptorFault> {
    let default_policy = (!is_required).then_some("null");
    let at = |name: &str| format!("{pointer}/{name}");
    if raw.feature.is_empty() {
        return Err(fault(at("feature"), "is empty"));
    }
    let Some(kind) = kind(&raw.kind) else {
        let types = "float64, int64, bool, utf8, dictionary<int32, utf8>, timestamp[us, UTC], list<float64>";
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
        ("skip_row" | "fail", None) if !is_required => {
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
    Ok(Feature {
        name: raw.feature,
        is_required,
        kind,
        on_missing,
    })
}

fn kind(text: &str) -> Option<FeatureType> {
    match text.replace(' ', "").as_str() {
        "float64" => Some(FeatureType::Float64),
        "int64" => Some(FeatureType::Int64),
        "bool" => Some(FeatureType::Bool),
        "utf8" => Some(FeatureType::Utf8),
        "dictionary<int32,utf8>" => Some(FeatureType::Dictionary),
        "timestamp[us,UTC]" => Some(FeatureType::Timestamp),
        "list<float64>" => Some(FeatureType::Float64List),
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
        // What stands in for an unknown history cannot be said.
        FeatureType::Float64List => None,
    }
}
