//! Instants, calendar days and the zones that turn one into the other.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Microseconds in one day of exactly 24 hours.
pub const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// A calendar day, in days since 1970-01-01, in whatever zone the caller counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// A text that is no instant, day or zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeError {
    /// Not an RFC 3339 instant such as `2026-01-01T00:00:00Z`.
    InstantUnreadable(String),
    /// Not a day such as `2026-01-31`.
    DayUnreadable(String),
    /// Not the name of an IANA zone such as `Europe/Warsaw`.
    ZoneUnknown(String),
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InstantUnreadable(text) => write!(
                f,
                "\"{text}\" is no RFC 3339 instant such as 2026-01-01T00:00:00Z"
            ),
            Self::DayUnreadable(text) => write!(f, "\"{text}\" is no day such as 2026-01-31"),
            Self::ZoneUnknown(text) => {
                write!(f, "\"{text}\" is no IANA time zone such as Europe/Warsaw")
            },
        }
    }
}

impl std::error::Error for TimeError {}

impl Instant {
    /// Reads RFC 3339.
    ///
    /// # Errors
    /// The text is not an RFC 3339 instant.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let stamp: Timestamp = text
            .parse()
            .map_err(|_unreadable| TimeError::InstantUnreadable(text.to_owned()))?;
        Ok(Self(stamp.as_microsecond()))
    }

    /// Whole hours since 1970, rounded down.
    #[must_use]
    pub fn hour(self) -> i32 {
        i32::try_from(self.0.div_euclid(HOUR_US)).unwrap_or(i32::MAX)
    }

    /// The moment `us` microseconds later.
    #[must_use]
    pub fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl Day {
    /// Reads `YYYY-MM-DD`.
    ///
    /// # Errors
    /// The text is not a calendar day.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let date: Date = text
            .parse()
            .map_err(|_unreadable| TimeError::DayUnreadable(text.to_owned()))?;
        Ok(Self::from_date(date))
    }

    /// The day of a calendar date.
    #[must_use]
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().map(Self::from_date)
    }

    /// Year, month 1–12 and day of the month 1–31.
    #[must_use]
    pub fn ymd(self) -> (i16, i8, i8) {
        let date = self.date();
        (date.year(), date.month(), date.day())
    }

    /// Months since 1970-01, to group days by month.
    #[must_use]
    pub fn month(self) -> i32 {
        let date = self.date();
        (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1
    }

    /// First day of the month that is `months` after 1970-01.
    #[must_use]
    pub fn first_of_month(months: i32) -> Self {
        let year = i16::try_from(1970 + months.div_euclid(12)).unwrap_or(i16::MAX);
        let month = i8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
        Self::from_ymd(year, month, 1).unwrap_or(Self(0))
    }

    /// 0 = Monday … 6 = Sunday.
    #[must_use]
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        u8::try_from((self.0 + 3).rem_euclid(7)).unwrap_or(0)
    }

    /// Days from `self` until `other`; negative if `other` is earlier.
    #[must_use]
    pub fn days_until(self, other: Self) -> i32 {
        other.0 - self.0
    }

    /// The day `days` later.
    #[must_use]
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    fn from_date(date: Date) -> Self {
        let epoch = Date::constant(1970, 1, 1);
        let days = epoch.until(date).map_or(0, |span| span.get_days());
        Self(days)
    }

    fn date(self) -> Date {
        let epoch = Date::constant(1970, 1, 1);
        let span = jiff::Span::new().try_days(self.0);
        span.and_then(|span| epoch.checked_add(span))
            .unwrap_or(if self.0 < 0 { Date::MIN } else { Date::MAX })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())
    }
}

/// A time zone by its IANA name, from the data compiled into the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: Box<str>,
    zone: TimeZone,
}

impl Zone {
    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".into(),
            zone: TimeZone::UTC,
        }
    }

    /// Looks a zone up.
    ///
    /// # Errors
    /// No such zone.
    pub fn parse(name: &str) -> Result<Self, TimeError> {
        let zone =
            TimeZone::get(name).map_err(|_unknown| TimeError::ZoneUnknown(name.to_owned()))?;
        Ok(Self {
            name: name.into(),
            zone,
        })
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The calendar day of a moment in this zone.
    #[must_use]
    pub fn day_of(&self, at: Instant) -> Day {
        if self.zone == TimeZone::UTC {
            return Day(i32::try_from(at.0.div_euclid(DAY_US)).unwrap_or(i32::MAX));
        }
        match Timestamp::from_microsecond(at.0) {
            Ok(stamp) => Day::from_date(self.zone.to_datetime(stamp).date()),
            Err(_) => Day(i32::try_from(at.0.div_euclid(DAY_US)).unwrap_or(i32::MAX)),
        }
    }

    /// What a clock in this zone shows at a moment, in whole seconds since its last midnight: 0 to 86,399.
    #[must_use]
    pub fn second_of_day(&self, at: Instant) -> i64 {
        let utc = at.0.rem_euclid(DAY_US) / 1_000_000;
        if self.zone == TimeZone::UTC {
            return utc;
        }
        Timestamp::from_microsecond(at.0).map_or(utc, |stamp| {
            let clock = self.zone.to_datetime(stamp).time();
            i64::from(clock.hour()) * 3_600
                + i64::from(clock.minute()) * 60
                + i64::from(clock.second())
        })
    }

    /// The moment at which a calendar day begins in this zone: where clocks skip midnight, the first moment that they show.
    #[must_use]
    pub fn start_of(&self, day: Day) -> Instant {
        match day.date().to_zoned(self.zone.clone()) {
            Ok(start) => Instant(start.timestamp().as_microsecond()),
            Err(_) => Instant(i64::from(day.0) * DAY_US),
        }
    }
}

#[cfg(test)]
mod tests;
