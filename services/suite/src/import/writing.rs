//! How a file writes times and numbers.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use prost_types::Timestamp;

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::Value;
use sextant_proto::ingestion::v1::value::Kind;

use crate::import::values;

/// Signs before or behind an amount that say nothing which its currency does not.
const SIGNS: [char; 4] = ['$', '€', '£', '¥'];
/// What groups the digits of a number beside the sign that is not its decimal one.
const GROUPS: [char; 3] = ['\'', '\u{a0}', '\u{202f}'];

/// How the cells of a file are read.
#[derive(Debug, Clone)]
pub(crate) struct Writing {
    zone: Zone,
    /// The same zone, for times of day.
    clock: TimeZone,
    times: Option<String>,
    decimal: Option<char>,
}

impl Writing {
    /// As our own files are written: RFC 3339 or days, which begin in a zone; numbers with a point and without separators.
    pub(crate) fn new(zone: &Zone) -> Self {
        Self {
            zone: zone.clone(),
            clock: TimeZone::get(zone.name()).unwrap_or(TimeZone::UTC),
            times: None,
            decimal: None,
        }
    }

    /// With times of another format.
    ///
    /// # Errors
    /// A format that no time can be read by.
    pub(crate) fn with_times(mut self, format: &str) -> Result<Self, String> {
        let at = DateTime::constant(2026, 1, 31, 9, 30, 0, 0).to_zoned(self.clock.clone());
        let written = at
            .map_err(|error| error.to_string())
            .and_then(|at| strtime::format(format, &at).map_err(|error| error.to_string()));
        let is_read = written
            .as_ref()
            .is_ok_and(|written| self.parsed(format, written).is_some());
        if !is_read {
            let why = written
                .err()
                .unwrap_or_else(|| "it names no day".to_owned());
            return Err(format!(
                "times is {format:?}, which no time can be read by ({why}); write it such as \"%d.%m.%Y %H:%M\""
            ));
        }
        self.times = Some(format.to_owned());
        Ok(self)
    }

    /// With numbers whose decimals begin with a sign.
    pub(crate) fn with_decimal(self, decimal: char) -> Self {
        Self {
            decimal: Some(decimal),
            ..self
        }
    }

    /// A moment. One that is written as our own files have it is read as well.
    pub(crate) fn time(&self, text: &str) -> Result<Timestamp, String> {
        let Some(format) = &self.times else {
            return values::time(text, &self.zone);
        };
        match self.parsed(format, text) {
            Some(at) => Ok(at),
            None => values::time(text, &self.zone).map_err(|_neither| {
                format!("\"{text}\" is no time of the format \"{format}\" that the map names")
            }),
        }
    }

    fn parsed(&self, format: &str, text: &str) -> Option<Timestamp> {
        let parsed = BrokenDownTime::parse(format, text).ok()?;
        if let Ok(stamp) = parsed.to_timestamp() {
            return Some(values::timestamp(stamp));
        }
        let local = match parsed.to_datetime() {
            Ok(local) => local,
            Err(_a_day) => parsed
                .to_date()
                .ok()?
                .to_datetime(jiff::civil::Time::midnight()),
        };
        let stamp = self.clock.to_timestamp(local).ok()?;
        Some(values::timestamp(stamp))
    }

    /// A number as our own files have it.
    ///
    /// # Errors
    /// One that is not written as numbers of this file are: what it means cannot be told.
    pub(crate) fn number<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, String> {
        let Some(decimal) = self.decimal else {
            return Ok(Cow::Borrowed(text));
        };
        let blanks = |letter: char| if letter == ' ' { '\u{a0}' } else { letter };
        let unified: String = text.chars().map(blanks).collect();
        plain(&unified, decimal).map(Cow::Owned).ok_or_else(|| {
            format!(
                "\"{text}\" is no number whose decimals begin with \"{decimal}\", with its other digits in groups of three or in none"
            )
        })
    }

    /// Whether a text is a number: a whole one, or any.
    pub(crate) fn is_number(&self, text: &str, is_whole: bool) -> bool {
        self.number(text).is_ok_and(|text| {
            if is_whole {
                values::integer::<u64>(&text).is_ok()
            } else {
                values::decimal(&text).is_ok()
            }
        })
    }

    /// A value of a trait, as [`values::guessed`] has it; also a time, or a number, in the way of this file.
    pub(crate) fn value(&self, text: &str) -> Result<Value, String> {
        if let Some(format) = &self.times
            && let Some(at) = self.parsed(format, text)
        {
            return Ok(Value {
                kind: Some(Kind::Time(at)),
            });
        }
        let Some(decimal) = self.decimal else {
            return values::guessed(text);
        };
        let number = plain(text, decimal).map_or(Ok(None), |text| values::guessed(&text).map(Some));
        Ok(match number? {
            Some(number) if !matches!(number.kind, Some(Kind::Text(_))) => number,
            _ => match values::guessed(text)? {
                // What would be a number elsewhere is none here.
                Value {
                    kind: Some(Kind::Number(_)),
                } => Value {
                    kind: Some(Kind::Text(text.to_owned())),
                },
                other => other,
            },
        })
    }
}

/// A number without what groups its digits, and with a point; `None` for a text that is not written as one: `1.234,5` or `0,5` where
/// decimals begin with a comma. `10.12` is none then, for it may be a version, and `12.50` an amount that is written the other way.
fn plain(text: &str, decimal: char) -> Option<String> {
    let group = if decimal == ',' { '.' } else { ',' };
    let is_aside = |letter: char| SIGNS.contains(&letter) || letter.is_whitespace();
    let (sign, text) = match text.trim_matches(is_aside).strip_prefix('-') {
        Some(rest) => ("-", rest.trim_matches(is_aside)),
        None => ("", text.trim_matches(is_aside)),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = match text.split_once(decimal) {
        Some((whole, part)) => (whole, Some(part)),
        None => (text, None),
    };
    // Of one kind in a number.
    let separator = whole
        .chars()
        .find(|letter| *letter == group || GROUPS.contains(letter));
    let groups: Vec<&str> = match separator {
        Some(separator) => whole.split(separator).collect(),
        None => vec![whole],
    };
    let (first, others) = groups.split_first()?;
    let is_first = digits(first) && (others.is_empty() || first.len() <= 3);
    let are_groups = others.iter().all(|group| group.len() == 3 && digits(group));
    if !is_first || !are_groups || !part.is_none_or(digits) {
        return None;
    }
    let whole = groups.concat();
    Some(match part {
        Some(part) => format!("{sign}{whole}.{part}"),
        None => format!("{sign}{whole}"),
    })
}

#[cfg(test)]
mod tests;
