//! One value of an answer.

use serde_json::{Value, json};

use sextant_domain::time::{Day, Instant, Zone};

use crate::output::format;

/// One value, printed for people and kept exact for programs.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Unknown or not given: blank, `null`.
    Nothing,
    /// Known to have no value, such as an average of nothing: `-`, `null`.
    Undefined,
    /// Text.
    Text(String),
    /// A text for people, and another one for programs.
    Titled {
        /// For people.
        title: String,
        /// For programs.
        key: String,
    },
    /// How many.
    Count(u64),
    /// A whole number.
    Integer(i64),
    /// A number with as many decimals as are meant.
    Number {
        /// The number.
        value: f64,
        /// Decimals for people.
        decimals: usize,
    },
    /// An amount in minor units.
    Money {
        /// Minor units.
        minor: i64,
        /// ISO 4217.
        currency: String,
    },
    /// A part of a whole.
    Ratio {
        /// The part.
        numerator: i64,
        /// The whole.
        denominator: i64,
    },
    /// A day.
    Day(Day),
    /// A moment.
    Moment(Instant),
    /// A moment at which a close may say something: that of its day is told from all others of the day.
    MomentOrClose(Instant),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
}

impl Cell {
    /// Text, or nothing if it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Nothing
        } else {
            Self::Text(text)
        }
    }

    /// A text for people, and another one for programs, which get `null` where it is empty.
    pub fn titled(title: impl Into<String>, key: impl Into<String>) -> Self {
        Self::Titled {
            title: title.into(),
            key: key.into(),
        }
    }

    /// The text for programs; empty, if it is no text.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Text(text) | Self::Titled { key: text, .. } => text,
            _ => "",
        }
    }

    /// An amount of a currency.
    #[must_use]
    pub fn money(minor: i64, currency: &str) -> Self {
        Self::Money {
            minor,
            currency: currency.to_owned(),
        }
    }

    /// A count among a total.
    #[must_use]
    pub fn share(part: u64, whole: u64) -> Self {
        let bounded = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self::Ratio {
            numerator: bounded(part),
            denominator: bounded(whole),
        }
    }

    /// A moment, if there is one.
    #[must_use]
    pub fn moment(at: Option<&prost_types::Timestamp>) -> Self {
        at.and_then(|at| sextant_wire::time::instant(at).ok())
            .map_or(Self::Nothing, Self::Moment)
    }

    /// The same of what a close may have said.
    #[must_use]
    pub fn moment_or_close(at: Option<&prost_types::Timestamp>) -> Self {
        match Self::moment(at) {
            Self::Moment(at) => Self::MomentOrClose(at),
            other => other,
        }
    }

    /// For people, moments by the clocks of a zone. Control characters of foreign texts are blanked: they could move the cursor.
    #[must_use]
    pub fn shown(&self, zone: &Zone) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Undefined => "-".to_owned(),
            Self::Text(text) | Self::Titled { title: text, .. } => printable(text),
            Self::Count(value) => format::count(*value),
            Self::Integer(value) => format::integer(*value),
            Self::Number { value, decimals } => number(*value, *decimals),
            Self::Money { minor, currency } => format::money(*minor, currency),
            Self::Ratio {
                numerator,
                denominator,
            } => format::percent(*numerator, *denominator),
            Self::Day(day) => day.to_string(),
            Self::Moment(at) => format::moment(*at, zone),
            Self::MomentOrClose(at) => format::moment_or_close(*at, zone),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::List(texts) => printable(&texts.join("; ")),
        }
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Nothing | Self::Undefined => Value::Null,
            Self::Titled { key, .. } if key.is_empty() => Value::Null,
            Self::Text(text) | Self::Titled { key: text, .. } => json!(text),
            Self::Count(value) => json!(value),
            Self::Integer(value) => json!(value),
            // A number that is not finite has no JSON; unknown is the nearest truth.
            Self::Number { value, .. } => json!(value),
            Self::Money { minor, currency } => json!({"minor": minor, "currency": currency}),
            Self::Ratio {
                numerator,
                denominator,
            } => json!({"numerator": numerator, "denominator": denominator}),
            Self::Day(day) => json!(day.to_string()),
            Self::Moment(at) | Self::MomentOrClose(at) => json!(at.to_string()),
            Self::Flag(flag) => json!(flag),
            Self::List(texts) => json!(texts),
        }
    }
}

fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (sign, rest) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) = rest
        .split_once('.')
        .map_or((rest, None), |(whole, part)| (whole, Some(part)));
    if !whole.bytes().all(|digit| digit.is_ascii_digit()) {
        return text;
    }
    let whole = format::grouped(whole);
    part.map_or_else(
        || format!("{sign}{whole}"),
        |part| format!("{sign}{whole}.{part}"),
    )
}

fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
