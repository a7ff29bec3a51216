//! Columns of lists.

use crate::column::raw::{Bitmap, RawColumn};
use crate::{Column, InputError, Kind};

/// A column of lists of 64-bit floats: a history, such as the logins of each day.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    offsets: &'a [i32],
    validity: Option<Bitmap<'a>>,
    values: &'a [f64],
    values_validity: Option<Bitmap<'a>>,
    position: u16,
}

impl<'a> Column<'a> for List<'a> {
    const KIND: Kind = Kind::List;

    fn open(raw: RawColumn<'a>) -> Result<Self, InputError> {
        let raw = raw.of(Self::KIND)?;
        let items = raw.item()?;
        Ok(Self {
            offsets: raw.offsets()?,
            validity: raw.validity()?,
            values: items.values()?,
            values_validity: items.validity()?,
            position: raw.position(),
        })
    }

    fn position(&self) -> u16 {
        self.position
    }
}

impl<'a> List<'a> {
    /// The items of a row, each absent or a number; `None` if the list is absent or the row does not exist.
    pub fn get(&self, row: usize) -> Option<impl ExactSizeIterator<Item = Option<f64>> + 'a> {
        let start = usize::try_from(*self.offsets.get(row)?).ok()?;
        let end = usize::try_from(*self.offsets.get(row + 1)?).ok()?;
        if self.validity.is_some_and(|validity| !validity.get(row)) {
            return None;
        }
        let validity = self.values_validity;
        let items = self.values.get(start..end)?.iter().enumerate();
        let is_there = move |k: usize| validity.is_none_or(|validity| validity.get(start + k));
        Some(items.map(move |(k, value)| is_there(k).then_some(*value)))
    }
}
