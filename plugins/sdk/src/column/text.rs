//! Columns of text, plain or dictionary-encoded.

use crate::column::raw::{Bitmap, RawColumn};
use crate::{Column, InputError, Kind};

/// A column of text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    keys: Option<Keys<'a>>,
    strings: Strings<'a>,
    position: u16,
}

#[derive(Debug, Clone, Copy)]
struct Keys<'a> {
    keys: &'a [i32],
    validity: Option<Bitmap<'a>>,
}

/// A utf8 array whose text was checked once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strings<'a> {
    offsets: &'a [i32],
    text: &'a str,
    validity: Option<Bitmap<'a>>,
}

impl<'a> Strings<'a> {
    pub(crate) fn open(raw: RawColumn<'a>) -> Result<Self, InputError> {
        let offsets = raw.offsets()?;
        let first = offsets.first().copied().unwrap_or(0);
        let last = offsets.last().copied().unwrap_or(0);
        let (Ok(start), Ok(end)) = (usize::try_from(first), usize::try_from(last)) else {
            return Err(raw.error("a text offset is negative"));
        };
        let Some(length) = end.checked_sub(start) else {
            return Err(raw.error("its text offsets do not ascend"));
        };
        let Ok(text) = str::from_utf8(raw.slice(2, start, length)?) else {
            return Err(raw.error("its text is not UTF-8"));
        };
        Ok(Self {
            offsets,
            text,
            validity: raw.validity()?,
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&'a str> {
        if self.validity.is_some_and(|validity| !validity.get(index)) {
            return None;
        }
        let base = *self.offsets.first()?;
        let start = usize::try_from(self.offsets.get(index)?.checked_sub(base)?).ok()?;
        let end = usize::try_from(self.offsets.get(index + 1)?.checked_sub(base)?).ok()?;
        self.text.get(start..end)
    }
}

impl<'a> Column<'a> for Text<'a> {
    const KIND: Kind = Kind::Text;

    fn open(raw: RawColumn<'a>) -> Result<Self, InputError> {
        let raw = raw.of(Self::KIND)?;
        let (keys, strings) = match raw.dictionary()? {
            Some(values) => (
                Some(Keys {
                    keys: raw.values()?,
                    validity: raw.validity()?,
                }),
                Strings::open(values)?,
            ),
            None => (None, Strings::open(raw)?),
        };
        Ok(Self {
            keys,
            strings,
            position: raw.position(),
        })
    }

    fn position(&self) -> u16 {
        self.position
    }
}

impl<'a> Text<'a> {
    /// The text of a row; `None` if it is absent or the row does not exist.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        self.strings.get(self.index(row)?)
    }

    /// Where the row's text is among the strings.
    #[inline]
    fn index(&self, row: usize) -> Option<usize> {
        let Some(keys) = &self.keys else {
            return Some(row);
        };
        let key = *keys.keys.get(row)?;
        if keys.validity.is_some_and(|validity| !validity.get(row)) {
            return None;
        }
        usize::try_from(key).ok()
    }
}

/// A value that is written as text, for example a status.
pub trait Decode: Copy {
    /// The value of this text; `None` if the text is none that the segmenter knows.
    fn decode(text: &str) -> Option<Self>;
}

/// A column of text decoded to `T`, once per dictionary entry and batch instead of once per row.
#[derive(Debug)]
pub struct Choice<'a, T> {
    text: Text<'a>,
    decoded: Vec<Option<T>>,
}

impl<'a, T: Decode> Column<'a> for Choice<'a, T> {
    const KIND: Kind = Kind::Text;

    fn open(raw: RawColumn<'a>) -> Result<Self, InputError> {
        let text = Text::open(raw)?;
        let decoded = (0..text.strings.len())
            .map(|k| text.strings.get(k).and_then(T::decode))
            .collect();
        Ok(Self { text, decoded })
    }

    fn position(&self) -> u16 {
        self.text.position
    }
}

impl<'a, T: Decode> Choice<'a, T> {
    /// The value of a row; `None` if it is absent, unknown to the segmenter, or the row does not exist.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        *self.decoded.get(self.text.index(row)?)?
    }

    /// The text of a row as the host sent it.
    pub fn text(&self, row: usize) -> Option<&'a str> {
        self.text.get(row)
    }
}
