//! The descriptor of a segmenter: what it reads, what it answers, how it is configured.

mod parse;

pub(crate) use parse::MAX_LIST_BYTES;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use arrow_schema::{DataType, TimeUnit};
use serde::Deserialize;
use serde_json::Value;

use crate::ConfigSchema;

/// A judged descriptor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Descriptor {
    /// Reverse-DNS id, for example `sextant.rfm`.
    pub id: String,
    /// Semantic version of the segmenter.
    pub version: String,
    /// Lowest host ABI that it runs with.
    pub abi: AbiVersion,
    /// Name for people.
    pub title: LocalText,
    /// What it does, for people.
    pub description: LocalText,
    /// SPDX expression.
    pub license: Option<String>,
    /// What it answers.
    pub output: Output,
    /// Input columns, in the order of the plugin: the required features, the optional ones, and then those that a configuration
    /// needs.
    pub features: Vec<Feature>,
    /// Patterns of the features that a configuration may need on top, such as `usage.*`; `None`: none may.
    pub dynamic_features: Option<Vec<String>>,
    /// Outcomes; an answer is a position in this list. Empty until it is configured, where configurations have their own.
    pub segments: Vec<Segment>,
    /// The most segments of a configuration, where configurations have their own.
    pub dynamic_segments: Option<usize>,
    /// What its states are marked with, if it has to be fitted.
    pub state_version: Option<u32>,
    /// Rules and defaults of the configuration.
    pub config_schema: ConfigSchema,
    /// Declared appetite.
    pub limits: Limits,
    /// Rows with their expected segments.
    pub examples: Vec<Example>,
}

/// A version `major.minor` of the ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbiVersion {
    /// Breaking changes.
    pub major: u16,
    /// Additions.
    pub minor: u16,
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text by language (BCP 47 tag). A plain string in the descriptor is English.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "TextOrTexts")]
pub struct LocalText(BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrTexts {
    Text(String),
    Texts(BTreeMap<String, String>),
}

impl From<TextOrTexts> for LocalText {
    fn from(text: TextOrTexts) -> Self {
        match text {
            TextOrTexts::Text(english) => Self::english(&english),
            TextOrTexts::Texts(texts) => Self(texts),
        }
    }
}

impl LocalText {
    fn english(text: &str) -> Self {
        Self(BTreeMap::from([("en".to_owned(), text.to_owned())]))
    }

    /// The text in a language, else in English, else in any; empty if there is none.
    pub fn get(&self, language: &str) -> &str {
        let text = self
            .0
            .get(language)
            .or_else(|| self.0.get("en"))
            .or_else(|| self.0.values().next());
        text.map_or("", String::as_str)
    }

    /// Every language with its text.
    pub const fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// What a segmenter answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A segment.
    Single,
    /// A score, which the segments' [`from_score`](Segment::from_score) cut.
    Score,
}

/// A feature that the segmenter reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Name in the feature catalogue.
    pub name: String,
    /// False: where the catalogue does not have it, it is unknown for every row.
    pub is_required: bool,
    /// Type of its column.
    pub kind: FeatureType,
    /// What happens to a row without a value.
    pub on_missing: OnMissing,
}

/// Type of an input column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureType {
    /// float64.
    Float64,
    /// int64.
    Int64,
    /// bool.
    Bool,
    /// utf8.
    Utf8,
    /// dictionary<int32, utf8>.
    Dictionary,
    /// timestamp[us, UTC].
    Timestamp,
    /// list<float64>.
    Float64List,
}

impl FeatureType {
    /// The Arrow type of the column.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Float64 => DataType::Float64,
            Self::Int64 => DataType::Int64,
            Self::Bool => DataType::Boolean,
            Self::Utf8 => DataType::Utf8,
            Self::Dictionary => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            },
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Float64List => DataType::new_list(DataType::Float64, true),
        }
    }
}

/// What the host does with a row that lacks a feature, before the segmenter sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum OnMissing {
    /// The segmenter does not see the row; it abstains, and the feature is named.
    SkipRow,
    /// The segmenter sees a null.
    Null,
    /// The segmenter sees this value.
    Default(DefaultValue),
    /// The whole call fails.
    Fail,
}

/// The value that stands in for a missing one.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// float64.
    Float64(f64),
    /// int64 or timestamp.
    Int64(i64),
    /// bool.
    Bool(bool),
    /// utf8 or dictionary.
    Text(String),
}

/// An outcome.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Segment {
    /// Stable id.
    pub key: String,
    /// Name for people.
    #[serde(default)]
    pub title: LocalText,
    /// Meaning, for people.
    #[serde(default)]
    pub description: LocalText,
    /// `#rrggbb`.
    #[serde(default)]
    pub color: Option<String>,
    /// How good it is to have an account here: 1 is the best, and of equal ranks neither is worse; `None`: cannot be
    /// compared. The order for people is that of the list.
    #[serde(default)]
    pub rank: Option<u32>,
    /// Name of the play that belongs to it.
    #[serde(default)]
    pub playbook: Option<String>,
    /// Least score of the accounts in it, where the segmenter answers scores; `None`: of all that reach no other segment.
    #[serde(default)]
    pub from_score: Option<f32>,
}

/// Declared appetite of a segmenter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// Memory in MiB.
    pub memory_mb: Option<u32>,
    /// Time per thousand rows, in milliseconds.
    pub ms_per_1k_rows: Option<f64>,
    /// Threads.
    pub threads: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mb: None,
            ms_per_1k_rows: None,
            threads: 1,
        }
    }
}

impl Limits {
    /// Time per thousand rows that is planned with, in milliseconds: 2 where none is declared.
    pub fn planned_ms_per_1k_rows(&self) -> f64 {
        self.ms_per_1k_rows.unwrap_or(2.0)
    }
}

/// Rows with the answers that the author promises.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Example {
    /// Configuration.
    pub config: Value,
    /// Values in column order.
    pub rows: Vec<Vec<Value>>,
    /// Segment key per row; null: abstains; empty: in no segment.
    pub expect: Vec<Option<String>>,
    /// Rows that it is fitted to before, if it has to be fitted.
    #[serde(default)]
    pub fit: Vec<Vec<Value>>,
}

/// A place in the descriptor that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorFault {
    /// JSON pointer.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for DescriptorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor \"{}\": {}", self.pointer, self.message)
    }
}

impl Error for DescriptorFault {}

impl Descriptor {
    /// Whether a segmenter may be called so: parts of [a-z0-9_-] with dots between them, at most 128 bytes, such as acme.health.
    #[must_use]
    pub fn is_id(id: &str) -> bool {
        let letters =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        let plain = |part: &str| !part.is_empty() && part.bytes().all(letters);
        id.len() <= 128 && id.contains('.') && id.split('.').all(plain)
    }

    /// The features that the catalogue must have.
    pub fn required(&self) -> impl Iterator<Item = &Feature> {
        self.features.iter().filter(|feature| feature.is_required)
    }

    /// Whether a configuration decides on features or segments.
    pub const fn is_dynamic(&self) -> bool {
        self.dynamic_features.is_some() || self.dynamic_segments.is_some()
    }

    /// Position of a segment by its key, as answers carry it.
    pub fn segment_index(&self, key: &str) -> Option<u16> {
        self.segments
            .iter()
            .zip(0_u16..)
            .find(|(segment, _)| segment.key == key)
            .map(|(_, index)| index)
    }
}

#[cfg(test)]
mod tests;
