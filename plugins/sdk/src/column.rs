//! Typed views of the host's columns, read in place.
//!
//! Every accessor says `None` for a value that is absent, whatever the column's `on_missing`: a segmenter that abstains
//! on `None` is right in every configuration.

mod list;
mod raw;
mod text;
mod wanted;

use std::error::Error;
use std::fmt;

use sextant_segmenter_abi::ArrowArray;

pub use list::List;
pub use raw::RawColumn;
pub use text::{Choice, Decode, Text};
pub use wanted::{AnyColumn, Missing, ValueType, Wanted, WithWanted};

pub(crate) use text::Strings;

use raw::Bitmap;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// float64.
    F64,
    /// int64.
    I64,
    /// bool.
    Bool,
    /// utf8, or dictionary<int32, utf8>.
    Text,
    /// timestamp[us, UTC].
    Timestamp,
    /// list<float64>.
    List,
}

impl Kind {
    /// Whether a column of this kind may have this Arrow format string; for a dictionary, the format of its keys.
    pub(crate) fn accepts(self, format: &str) -> bool {
        match self {
            Self::F64 => format == "g",
            Self::I64 => format == "l",
            Self::Bool => format == "b",
            Self::Text => format == "u" || format == "i",
            Self::Timestamp => format == "tsu:UTC",
            Self::List => format == "+l",
        }
    }
}

/// A column that a segmenter reads: the feature and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name of the feature, for example `usage.active_days_28d`.
    pub feature: &'static str,
    /// What the column holds.
    pub kind: Kind,
}

/// A column of the batch is not what the schema announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// The feature of the column.
    pub feature: String,
    /// What is wrong.
    pub message: &'static str,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column \"{}\": {}", self.feature, self.message)
    }
}

impl Error for InputError {}

/// A typed column.
pub trait Column<'a>: Sized {
    /// What it holds.
    const KIND: Kind;

    /// Opens the host's column.
    ///
    /// # Errors
    ///
    /// A buffer is missing, misaligned or, for text, not UTF-8.
    fn open(raw: RawColumn<'a>) -> Result<Self, InputError>;

    /// Position among the input columns of the plugin, as reasons refer to it.
    fn position(&self) -> u16;
}

/// The columns that a segmenter reads; implemented by [`features!`](crate::features).
pub trait Features<'a>: Sized {
    /// The columns, in the order of the fields.
    const COLUMNS: &'static [ColumnSpec];

    /// Opens every column of a batch.
    ///
    /// # Errors
    ///
    /// A column is not what the schema announced.
    fn open(columns: &mut Columns<'a>) -> Result<Self, InputError>;
}

/// The columns of one batch, handed out in the order of [`Features::COLUMNS`].
#[derive(Debug)]
pub struct Columns<'a> {
    pub(crate) children: &'a [*mut ArrowArray],
    /// For every declared column, its place among `children`.
    pub(crate) positions: &'a [u16],
    pub(crate) specs: &'static [ColumnSpec],
    /// The columns that the configuration asked for, behind those.
    pub(crate) wanted: &'a [Wanted],
    pub(crate) rows: usize,
    pub(crate) next: usize,
}

impl<'a> Columns<'a> {
    /// Opens the next column.
    ///
    /// # Errors
    ///
    /// The column is not there or not what the schema announced.
    pub fn column<C: Column<'a>>(&mut self) -> Result<C, InputError> {
        let specs = self.specs;
        let missing = || missing("");
        let spec = specs.get(self.next).ok_or_else(missing)?;
        C::open(self.raw(spec.kind, spec.feature)?)
    }

    /// Opens the columns that the configuration asked for.
    ///
    /// # Errors
    ///
    /// As [`column`](Self::column).
    pub fn wanted(&mut self) -> Result<Vec<AnyColumn<'a>>, InputError> {
        let wanted = self.wanted.iter();
        let columns = wanted.map(|one| {
            let kind = one.kind.of();
            AnyColumn::open(kind, self.raw(kind, &one.feature)?)
        });
        columns.collect()
    }

    fn raw(&mut self, kind: Kind, feature: &'a str) -> Result<RawColumn<'a>, InputError> {
        let missing = || missing(feature);
        let Some(&position) = self.positions.get(self.next) else {
            return Err(missing());
        };
        let Some(&child) = self.children.get(usize::from(position)) else {
            return Err(missing());
        };
        self.next += 1;
        // SAFETY: NULL, or a child of the host's batch, which is valid for `'a`.
        #[expect(unsafe_code, reason = "follows a pointer of the host's batch")]
        let Some(array) = (unsafe { child.as_ref() }) else {
            return Err(missing());
        };
        if usize::try_from(array.length) != Ok(self.rows) {
            return Err(InputError {
                feature: feature.to_owned(),
                message: "its length is not the length of the batch",
            });
        }
        // SAFETY: the array is a child of the host's batch, so it holds what its schema says for `'a`; `bind` compared
        // the schema with the declared kind.
        #[expect(unsafe_code, reason = "opens a column of the host's batch")]
        unsafe {
            RawColumn::new(array, Some(kind), feature, position)
        }
    }
}

fn missing(feature: &str) -> InputError {
    InputError {
        feature: feature.to_owned(),
        message: "the batch has no such column",
    }
}

macro_rules! plain_column {
    ($(#[$meta:meta])* $name:ident, $kind:ident, $value:ty) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a> {
            values: &'a [$value],
            validity: Option<Bitmap<'a>>,
            position: u16,
        }

        impl<'a> Column<'a> for $name<'a> {
            const KIND: Kind = Kind::$kind;

            fn open(raw: RawColumn<'a>) -> Result<Self, InputError> {
                let raw = raw.of(Self::KIND)?;
                Ok(Self { values: raw.values()?, validity: raw.validity()?, position: raw.position() })
            }

            fn position(&self) -> u16 {
                self.position
            }
        }

        impl $name<'_> {
            /// The value of a row; `None` if it is absent or the row does not exist.
            #[inline]
            pub fn get(&self, row: usize) -> Option<$value> {
                let value = *self.values.get(row)?;
                self.validity.is_none_or(|validity| validity.get(row)).then_some(value)
            }
        }
    };
}

plain_column! {
    /// A column of 64-bit integers: counts, days, money in minor units.
    I64, I64, i64
}
plain_column! {
    /// A column of 64-bit floats: shares, ratios, scores. Absent is `None`; NaN is a value.
    F64, F64, f64
}
plain_column! {
    /// A column of instants, in microseconds since 1970-01-01 UTC.
    Timestamp, Timestamp, i64
}

/// A column of booleans.
#[derive(Debug, Clone, Copy)]
pub struct Bool<'a> {
    values: Option<Bitmap<'a>>,
    rows: usize,
    validity: Option<Bitmap<'a>>,
    position: u16,
}

impl<'a> Column<'a> for Bool<'a> {
    const KIND: Kind = Kind::Bool;

    fn open(raw: RawColumn<'a>) -> Result<Self, InputError> {
        let raw = raw.of(Self::KIND)?;
        let values = raw.bits(1)?;
        if values.is_none() && raw.rows() > 0 {
            return Err(raw.error("its values are missing"));
        }
        Ok(Self {
            values,
            rows: raw.rows(),
            validity: raw.validity()?,
            position: raw.position(),
        })
    }

    fn position(&self) -> u16 {
        self.position
    }
}

impl Bool<'_> {
    /// The value of a row; `None` if it is absent or the row does not exist.
    #[inline]
    pub fn get(&self, row: usize) -> Option<bool> {
        let present = row < self.rows && self.validity.is_none_or(|validity| validity.get(row));
        if present {
            self.values.map(|values| values.get(row))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
