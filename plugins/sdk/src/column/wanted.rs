//! Columns that a configuration asks for, beside those that every configuration reads.

use std::fmt::Write as _;

use crate::column::raw::RawColumn;
use crate::json::Json;
use crate::{Bool, Column, Columns, F64, Features, I64, InputError, Kind, List, Text, Timestamp};

/// A feature that a configuration needs. It has to be within the descriptor's `feature_scope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub(crate) feature: String,
    pub(crate) kind: ValueType,
    missing: Missing,
}

/// Type of a feature, as a descriptor says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// float64.
    Float64,
    /// int64.
    Int64,
    /// bool.
    Bool,
    /// dictionary<int32, utf8>: how texts arrive from the feature table.
    Text,
    /// timestamp[us, UTC].
    Timestamp,
    /// list<float64>.
    Float64List,
}

impl ValueType {
    const fn name(self) -> &'static str {
        match self {
            Self::Float64 => "float64",
            Self::Int64 => "int64",
            Self::Bool => "bool",
            Self::Text => "dictionary<int32, utf8>",
            Self::Timestamp => "timestamp[us, UTC]",
            Self::Float64List => "list<float64>",
        }
    }

    pub(crate) const fn of(self) -> Kind {
        match self {
            Self::Float64 => Kind::F64,
            Self::Int64 => Kind::I64,
            Self::Bool => Kind::Bool,
            Self::Text => Kind::Text,
            Self::Timestamp => Kind::Timestamp,
            Self::Float64List => Kind::List,
        }
    }
}

/// What happens to a row that lacks a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is not shown; the segmenter abstains, and the feature is named.
    SkipRow,
    /// It is shown without the value.
    Null,
}

impl Wanted {
    /// A feature by its name in the catalogue.
    pub fn new(feature: impl Into<String>, kind: ValueType, missing: Missing) -> Self {
        Self {
            feature: feature.into(),
            kind,
            missing,
        }
    }

    fn write(&self, text: &mut String) {
        let on_missing = match self.missing {
            Missing::SkipRow => "skip_row",
            Missing::Null => "null",
        };
        let (feature, kind) = (Json::Text(self.feature.clone()), self.kind.name());
        // Writing to a string cannot fail.
        let _infallible = write!(
            text,
            r#"{{"feature":{feature},"type":"{kind}","on_missing":"{on_missing}"}}"#
        );
    }

    /// The list as the host reads it.
    pub(crate) fn list(wanted: &[Self]) -> String {
        let mut text = "[".to_owned();
        for (k, one) in wanted.iter().enumerate() {
            text.push_str(if k == 0 { "" } else { "," });
            one.write(&mut text);
        }
        text.push(']');
        text
    }
}

/// A column whose type the configuration decided on.
#[derive(Debug, Clone, Copy)]
pub enum AnyColumn<'a> {
    /// float64.
    F64(F64<'a>),
    /// int64.
    I64(I64<'a>),
    /// bool.
    Bool(Bool<'a>),
    /// Text.
    Text(Text<'a>),
    /// timestamp[us, UTC].
    Timestamp(Timestamp<'a>),
    /// list<float64>.
    List(List<'a>),
}

impl<'a> AnyColumn<'a> {
    pub(crate) fn open(kind: Kind, raw: RawColumn<'a>) -> Result<Self, InputError> {
        Ok(match kind {
            Kind::F64 => Self::F64(F64::open(raw)?),
            Kind::I64 => Self::I64(I64::open(raw)?),
            Kind::Bool => Self::Bool(Bool::open(raw)?),
            Kind::Text => Self::Text(Text::open(raw)?),
            Kind::Timestamp => Self::Timestamp(Timestamp::open(raw)?),
            Kind::List => Self::List(List::open(raw)?),
        })
    }

    /// The number of a row: of a boolean 0 or 1; `None` if it is absent, or no number.
    #[inline]
    pub fn number(&self, row: usize) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "models work with floats; counts and amounts below 2^53 are exact"
        )]
        match self {
            Self::F64(column) => column.get(row),
            Self::I64(column) => column.get(row).map(|value| value as f64),
            Self::Bool(column) => column.get(row).map(f64::from),
            Self::Text(_) | Self::Timestamp(_) | Self::List(_) => None,
        }
    }

    /// Position among the input columns of the plugin, as reasons refer to it.
    pub fn position(&self) -> u16 {
        match self {
            Self::F64(column) => column.position(),
            Self::I64(column) => column.position(),
            Self::Bool(column) => column.position(),
            Self::Text(column) => column.position(),
            Self::Timestamp(column) => column.position(),
            Self::List(column) => column.position(),
        }
    }
}

/// The columns that every configuration reads, and those that this one asked for with
/// [`Segmenter::features`](crate::Segmenter::features).
#[derive(Debug)]
pub struct WithWanted<'a, R> {
    /// Those of every configuration, declared with [`features!`](crate::features).
    pub fixed: R,
    /// Those of this one, in the order in which they were asked for.
    pub wanted: Vec<AnyColumn<'a>>,
}

impl<'a, R: Features<'a>> Features<'a> for WithWanted<'a, R> {
    const COLUMNS: &'static [crate::ColumnSpec] = R::COLUMNS;

    fn open(columns: &mut Columns<'a>) -> Result<Self, InputError> {
        Ok(Self {
            fixed: R::open(columns)?,
            wanted: columns.wanted()?,
        })
    }
}

/// No columns that every configuration reads.
impl<'a> Features<'a> for () {
    const COLUMNS: &'static [crate::ColumnSpec] = &[];

    fn open(_columns: &mut Columns<'a>) -> Result<Self, InputError> {
        Ok(())
    }
}
