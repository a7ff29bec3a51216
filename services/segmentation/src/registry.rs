//! The segmenters of this process.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use sextant_domain::money::Currency;
use sextant_plugin_host::{Bound, CallError, Segmenter, State};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::blocking;
use sextant_runtime::config::nearest;
use sextant_wire::status::Problem;

/// Segmenters that can be asked, by id.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    segmenters: BTreeMap<String, Segmenter>,
}

impl Registry {
    /// A registry of the given segmenters.
    #[must_use]
    pub fn new(segmenters: impl IntoIterator<Item = impl Into<Segmenter>>) -> Self {
        let segmenters = segmenters.into_iter().map(Into::into);
        Self {
            segmenters: segmenters
                .map(|segmenter: Segmenter| (segmenter.descriptor().id.clone(), segmenter))
                .collect(),
        }
    }

    /// All segmenters, by id.
    pub fn all(&self) -> impl Iterator<Item = &Segmenter> {
        self.segmenters.values()
    }

    /// A segmenter by id.
    ///
    /// # Errors
    /// SEGMENTER_UNKNOWN, naming the ones that are there.
    pub fn get(&self, id: &str) -> Result<&Segmenter, Problem> {
        self.segmenters.get(id).ok_or_else(|| {
            let known: Vec<&str> = self.segmenters.keys().map(String::as_str).collect();
            let message = format!(
                "segmenter \"{id}\" is not loaded; there are: {}",
                known.join(", ")
            );
            Problem::field(
                ErrorReason::SegmenterUnknown,
                "segmentation.segmenter_id",
                message,
            )
        })
    }
}

/// The property of a configuration that says how many decimal digits amounts have in explanations.
const CURRENCY_DIGITS: &str = "currency_digits";

/// The configuration with the digits of the tenant's base currency, where the segmenter has that property and the caller left it
/// out. What cannot be read is left to the check of the configuration.
pub(crate) fn with_currency(segmenter: &Segmenter, config: &str, base: Currency) -> String {
    let schema = segmenter.descriptor().config_schema.json();
    let known = schema.get("properties");
    let asks = known.is_some_and(|known| known.get(CURRENCY_DIGITS).is_some());
    match serde_json::from_str::<Map<String, Value>>(config) {
        Ok(mut given) if asks => {
            given
                .entry(CURRENCY_DIGITS)
                .or_insert_with(|| base.exponent().into());
            Value::Object(given).to_string()
        },
        _ => config.to_owned(),
    }
}

/// What a segmenter takes over of a configuration that was another version's: the properties that it has, too.
pub(crate) fn taken_over(segmenter: &Segmenter, config: &str) -> String {
    let schema = segmenter.descriptor().config_schema.json();
    let known = schema.get("properties").and_then(Value::as_object);
    let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
    match serde_json::from_str::<Map<String, Value>>(config) {
        Ok(mut given) => {
            given.retain(|name, _| is_known(name));
            Value::Object(given).to_string()
        },
        Err(_unreadable) => "{}".to_owned(),
    }
}

/// An instance bound to feature columns; of a segmenter that learns, with what it has learned. May wait for another process: not for threads of the runtime.
///
/// # Errors
/// CONFIG_INVALID with the JSON pointer, or what the segmenter said.
pub(crate) fn instance(
    segmenter: &Segmenter,
    config: &str,
    state: Option<&State>,
) -> Result<Bound, Problem> {
    let bound = segmenter.bind(config, state, &crate::columns::input_schema());
    bound.map_err(config_problem)
}

/// The configuration with every default filled in, once the segmenter has taken it.
///
/// # Errors
/// As [`instance`].
pub(crate) async fn canonical(segmenter: &Segmenter, config: String) -> Result<String, Problem> {
    let segmenter = segmenter.clone();
    let bound = blocking(move || instance(&segmenter, &config, None)).await?;
    Ok(bound.config().to_owned())
}

fn config_problem(error: CallError) -> Problem {
    let message = match &error {
        CallError::Config(faults) => faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
        CallError::FeatureUnknown { feature } => {
            let schema = crate::columns::input_schema();
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let hint = nearest(feature, names);
            let hint = hint.map_or(String::new(), |name| format!(", did you mean \"{name}\"?"));
            format!("{error}{hint}")
        },
        _ => chain(&error),
    };
    match error {
        // The configuration may be a good one.
        CallError::Lost(_) => Problem::new(ErrorReason::Unavailable, message),
        CallError::DescriptorChanged => Problem::new(ErrorReason::SegmenterState, message),
        _ => Problem::field(ErrorReason::ConfigInvalid, "segmentation.config", message),
    }
}

/// An error with everything behind it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A segmenter as callers see it.
pub(crate) fn to_wire(segmenter: &Segmenter) -> pb::Segmenter {
    let descriptor = segmenter.descriptor();
    pb::Segmenter {
        segmenter_id: descriptor.id.clone(),
        version: descriptor.version.clone(),
        digest: segmenter.digest_hex(),
        title: descriptor.title.get("en").to_owned(),
        description: descriptor.description.get("en").to_owned(),
        required_features: descriptor
            .required()
            .map(|feature| feature.name.clone())
            .collect(),
        config_schema: descriptor.config_schema.json().to_string(),
        segments: descriptor.segments.iter().map(segment_definition).collect(),
        kind: pb::SegmenterKind::BuiltIn.into(),
        state: pb::SegmenterState::Ready.into(),
        ..pb::Segmenter::default()
    }
}

/// A segment as callers see it.
pub(crate) fn segment_definition(segment: &sextant_plugin_host::Segment) -> pb::SegmentDefinition {
    pb::SegmentDefinition {
        key: segment.key.clone(),
        title: segment.title.get("en").to_owned(),
        description: segment.description.get("en").to_owned(),
        color: segment.color.clone().unwrap_or_default(),
        rank: segment.rank.unwrap_or_default(),
    }
}
