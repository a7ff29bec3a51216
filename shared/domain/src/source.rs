//! Whether a source of records still tells as it used to.
//!
//! A source has a rhythm: applications send all day, people from nine to five, uploads come at night. What it sent in the four weeks
//! before its last record says what to expect of an hour of the day on working days and on weekends, and so how likely it is that it
//! has nothing to tell for as long as it has been silent. Below one in a thousand it is taken for broken.

use crate::time::{Instant, Zone};

/// Records that came within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourCount {
    /// Hours since 1970-01-01 in UTC.
    pub hour: i32,
    /// How many, above 0.
    pub n_records: u64,
}

/// Whether a source tells what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// It has not been known for a week yet: what it does not tell says nothing.
    Learning,
    /// It tells as it used to.
    Flowing,
    /// It has told nothing for longer than it ever would by chance: what it does not tell may have happened all the same.
    Silent,
    /// It has told nothing for two weeks: it is taken for one that has ended.
    Ended,
}

/// How many records come in an hour of a kind, by the four weeks before the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateBand {
    /// In the hour with the fewest.
    pub low: u64,
    /// In the hour with the most.
    pub high: u64,
}

/// How a source does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHealth {
    /// Whether it tells what happens.
    pub state: SourceState,
    /// End of the last hour in which a record came, of a source that is silent or has ended.
    pub silent_since: Option<Instant>,
    /// What came in hours like that of the moment: of the same hour of the day, on working days or on weekends. `None`: there was
    /// no such hour yet.
    pub expected: Option<RateBand>,
}

/// A silence that is less likely than this is no chance.
pub const MIN_CHANCE: f64 = 1e-3;
/// Four weeks, in hours.
const LEARNED_HOURS: i32 = 28 * 24;
/// A week, in hours.
const LEARNING_HOURS: i32 = 7 * 24;
/// Two weeks, in hours.
const ENDED_HOURS: i32 = 14 * 24;
const HOUR_US: i64 = 3_600_000_000;
const HOURS_OF_DAY: usize = 24;
/// Day on which a weekend begins, in days since Monday.
const SATURDAY: u8 = 5;

/// What is known of one hour of the day, on working days or on weekends.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    n_hours: u32,
    n_empty: u32,
    band: Option<RateBand>,
}

impl Slot {
    fn add(&mut self, n_records: u64) {
        self.n_hours += 1;
        self.n_empty += u32::from(n_records == 0);
        let so_far = self.band.unwrap_or(RateBand {
            low: n_records,
            high: n_records,
        });
        self.band = Some(RateBand {
            low: so_far.low.min(n_records),
            high: so_far.high.max(n_records),
        });
    }

    /// The chance that an hour of this kind is empty: the share of those that were, with one more hour as empty as hours are on the
    /// whole, so that a few that never were say not that none can be.
    fn chance_of_none(self, of_any: f64) -> f64 {
        (f64::from(self.n_empty) + of_any) / f64::from(self.n_hours + 1)
    }
}

/// The rhythm of a source.
struct Rhythm<'z> {
    zone: &'z Zone,
    slots: [Slot; 2 * HOURS_OF_DAY],
}

impl<'z> Rhythm<'z> {
    /// By the hours from the first one to `last`, of which the named ones had records.
    fn of(hours: &[HourCount], last: i32, zone: &'z Zone) -> Self {
        let mut rhythm = Self {
            zone,
            slots: [Slot::default(); 2 * HOURS_OF_DAY],
        };
        let Some(first) = hours.first() else {
            return rhythm;
        };
        let mut told = hours.iter().peekable();
        for hour in first.hour..=last {
            let count = told.next_if(|count| count.hour == hour);
            let slot = rhythm.place(hour);
            if let Some(slot) = rhythm.slots.get_mut(slot) {
                slot.add(count.map_or(0, |count| count.n_records));
            }
        }
        rhythm
    }

    fn place(&self, hour: i32) -> usize {
        let begins = Instant(i64::from(hour) * HOUR_US);
        let of_day = usize::try_from(self.zone.second_of_day(begins) / 3_600).unwrap_or(0);
        match self.zone.day_of(begins).weekday() {
            SATURDAY.. => HOURS_OF_DAY + of_day,
            _ => of_day,
        }
    }

    fn slot(&self, hour: i32) -> Slot {
        self.slots
            .get(self.place(hour))
            .copied()
            .unwrap_or_default()
    }

    /// The chance that the hours from `first` to before `end` have no record, each for itself.
    fn chance_of_none(&self, first: i32, end: i32) -> f64 {
        let n_empty: u32 = self.slots.iter().map(|slot| slot.n_empty).sum();
        let n_hours: u32 = self.slots.iter().map(|slot| slot.n_hours).sum();
        let of_any = (f64::from(n_empty) + 0.5) / f64::from(n_hours + 1);
        let each = (first..end).map(|hour| self.slot(hour).chance_of_none(of_any));
        each.product()
    }
}

/// How a source does at `now`, by the hours in which its records came (ascending, none twice, up to now) and the clock of its tenant's
/// zone. The last four weeks up to its last record count; hours are taken for independent of each other, and only whole hours of
/// silence count, so an hour that is empty for the first time in weeks is told when it is over.
#[must_use]
pub fn health_of(hours: &[HourCount], now: Instant, zone: &Zone) -> SourceHealth {
    let current = now.hour();
    let Some(last) = hours.last().map(|count| count.hour) else {
        return SourceHealth {
            state: SourceState::Learning,
            silent_since: None,
            expected: None,
        };
    };
    let begin = hours.partition_point(|count| count.hour <= last.saturating_sub(LEARNED_HOURS));
    let hours = hours.get(begin..).unwrap_or_default();
    // The hour that has not ended says nothing of how many records come in one.
    let whole = last.min(current - 1);
    let ended = hours.partition_point(|count| count.hour <= whole);
    let rhythm = Rhythm::of(hours.get(..ended).unwrap_or_default(), whole, zone);
    let first = hours.first().map_or(last, |count| count.hour);
    let silence = last + 1;
    let state = if current - silence >= ENDED_HOURS {
        SourceState::Ended
    } else if last - first < LEARNING_HOURS {
        SourceState::Learning
    } else if rhythm.chance_of_none(silence, current) < MIN_CHANCE {
        SourceState::Silent
    } else {
        SourceState::Flowing
    };
    let is_silent = matches!(state, SourceState::Silent | SourceState::Ended);
    SourceHealth {
        state,
        silent_since: is_silent.then(|| Instant(i64::from(silence) * HOUR_US)),
        expected: rhythm.slot(current).band,
    }
}

#[cfg(test)]
mod tests;
