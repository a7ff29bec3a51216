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
    pub(crate) fn number<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(decimal) = self.decimal else {
            return Cow::Borrowed(text);
        };
        let other = if decimal == ',' { '.' } else { ',' };
        let plain = text.chars().filter_map(|letter| match letter {
            _ if letter == decimal => Some('.'),
            _ if letter == other || letter.is_whitespace() => None,
            _ if GROUPS.contains(&letter) || SIGNS.contains(&letter) => None,
            _ => Some(letter),
        });
        Cow::Owned(plain.collect())
    }

    /// Whether a text is a number: a whole one, or any.
    pub(crate) fn is_number(&self, text: &str, is_whole: bool) -> bool {
        let is_written_so = self.decimal.is_none_or(|decimal| is_grouped(text, decimal));
        let text = self.number(text);
        is_written_so
            && if is_whole {
                values::integer::<u64>(&text).is_ok()
            } else {
                values::decimal(&text).is_ok()
            }
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
        match self.decimal {
            Some(decimal) if is_grouped(text, decimal) => values::guessed(&self.number(text)),
            None => values::guessed(text),
            // What would be a number elsewhere is none here.
            Some(_) => Ok(match values::guessed(text)? {
                Value {
                    kind: Some(Kind::Number(_)),
                } => Value {
                    kind: Some(Kind::Text(text.to_owned())),
                },
                other => other,
            }),
        }
    }
}

/// Whether a text is a number with its digits in groups of three, or with the decimal sign: `1.234,5` or `0,5` where that is a comma. A
/// text such as `10.12` is none then, for it may be a version.
fn is_grouped(text: &str, decimal: char) -> bool {
    let group = if decimal == ',' { '.' } else { ',' };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.trim_start_matches('-').trim_matches(SIGNS).trim();
    let (whole, part) = match text.split_once(decimal) {
        Some((whole, part)) => (whole, Some(part)),
        None => (text, None),
    };
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    let mut n_groups = 0;
    let are_groups = groups.all(|group| {
        n_groups += 1;
        group.len() == 3 && digits(group)
    });
    let is_first = digits(first) && (n_groups == 0 || first.len() <= 3);
    is_first && are_groups && part.is_none_or(digits)
}

#[cfg(test)]
mod tests;
