use super::*;

/// Hours of the four weeks from Monday, 2026-02-02 in a zone, in which a source tells, each with so many records.
fn weeks(zone: &Zone, tells: impl Fn(u8, i64) -> u64) -> Vec<HourCount> {
    let begin = at("2026-02-02T00:00:00Z").hour() - 24;
    (begin..begin + 30 * 24)
        .filter_map(|hour| {
            let begins = Instant(i64::from(hour) * HOUR_US);
            let day = zone.day_of(begins);
            let in_weeks = ("2026-02-02".."2026-03-02").contains(&day.to_string().as_str());
            let n_records = tells(day.weekday(), zone.second_of_day(begins) / 3_600);
            (in_weeks && n_records > 0).then_some(HourCount { hour, n_records })
        })
        .collect()
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn utc(hours: &[HourCount], now: &str) -> SourceHealth {
    health_of(hours, at(now), &Zone::utc())
}

/// The state at each moment.
fn states(hours: &[HourCount], zone: &Zone, moments: &[(&str, SourceState)]) {
    for (moment, state) in moments {
        let health = health_of(hours, at(moment), zone);
        assert_eq!(health.state, *state, "{moment}: {health:?}");
    }
}

use SourceState::{Ended, Flowing, Learning, Silent};

#[test]
fn an_application_that_tells_every_hour_is_silent_after_one_whole_hour_without_a_word() {
    let hours = weeks(&Zone::utc(), |_weekday, hour| {
        100 + u64::try_from(hour).unwrap()
    });
    let moments = [
        ("2026-03-01T23:59:59Z", Flowing),
        ("2026-03-02T00:59:59Z", Flowing),
        ("2026-03-02T01:00:00Z", Silent),
        ("2026-03-15T23:59:59Z", Silent),
        ("2026-03-16T00:00:00Z", Ended),
    ];
    states(&hours, &Zone::utc(), &moments);
    let health = utc(&hours, "2026-03-02T05:30:00Z");
    assert_eq!(health.silent_since, Some(at("2026-03-02T00:00:00Z")));
    assert_eq!(
        health.expected,
        Some(RateBand {
            low: 105,
            high: 105
        })
    );
}

#[test]
fn people_are_silent_at_night_and_on_weekends_and_missed_on_monday() {
    let zone = Zone::parse("America/New_York").unwrap();
    let hours = weeks(&zone, |weekday, hour| {
        u64::from(weekday < SATURDAY && (9..17).contains(&hour)) * 7
    });
    let moments = [
        // Friday's evening, Sunday's night, Monday's ten o'clock there.
        ("2026-02-28T03:00:00Z", Flowing),
        ("2026-03-02T13:59:00Z", Flowing),
        ("2026-03-02T15:00:00Z", Flowing),
        // By eleven two hours have been empty that never were: 0.83 · 0.28 · (0.76 / 21)², below one in a thousand.
        ("2026-03-02T16:00:00Z", Silent),
    ];
    states(&hours, &zone, &moments);
    let night = health_of(&hours, at("2026-03-02T08:00:00Z"), &zone);
    assert_eq!(night.expected, Some(RateBand { low: 0, high: 0 }));
    let morning = health_of(&hours, at("2026-03-02T14:00:00Z"), &zone);
    assert_eq!(morning.expected, Some(RateBand { low: 7, high: 7 }));
}

#[test]
fn an_upload_of_every_night_may_fail_once_or_twice() {
    let hours = weeks(&Zone::utc(), |_weekday, hour| u64::from(hour == 2) * 50_000);
    let moments = [
        ("2026-03-02T02:00:00Z", Flowing),
        ("2026-03-03T01:00:00Z", Flowing),
        // Two of these hours empty: (0.96 / 21)² = 2 in a thousand; three: a tenth of one.
        ("2026-03-04T01:00:00Z", Flowing),
        ("2026-03-04T03:00:00Z", Silent),
    ];
    states(&hours, &Zone::utc(), &moments);
}

#[test]
fn a_file_that_somebody_sends_on_mondays_is_not_missed_before_it_has_ended() {
    let hours = weeks(&Zone::utc(), |weekday, hour| {
        u64::from(weekday == 0 && hour == 9)
    });
    let moments = [
        ("2026-03-02T12:00:00Z", Flowing),
        ("2026-03-09T08:00:00Z", Flowing),
        ("2026-03-09T10:00:00Z", Ended),
    ];
    states(&hours, &Zone::utc(), &moments);
}

#[test]
fn nothing_is_missed_of_a_source_of_less_than_a_week() {
    assert_eq!(utc(&[], "2026-03-02T00:00:00Z").state, Learning);
    let mut hours = weeks(&Zone::utc(), |_weekday, _hour| 1);
    hours.truncate(LEARNING_HOURS as usize);
    assert_eq!(utc(&hours, "2026-02-09T05:00:00Z").state, Learning);
    assert_eq!(utc(&hours, "2026-02-23T00:00:00Z").state, Ended);
    let mut longer = weeks(&Zone::utc(), |_weekday, _hour| 1);
    longer.truncate(LEARNING_HOURS as usize + 1);
    assert_eq!(utc(&longer, "2026-02-09T05:00:00Z").state, Silent);
}

#[test]
fn only_four_weeks_and_hours_that_are_over_say_what_to_expect() {
    let hour = |text: &str, n_records| HourCount {
        hour: at(text).hour(),
        n_records,
    };
    // Long ago it sent a thousand; in this hour one so far.
    let hours = [
        hour("2026-01-01T10:00:00Z", 1_000),
        hour("2026-02-26T10:00:00Z", 20),
        hour("2026-02-27T10:00:00Z", 30),
        hour("2026-03-02T10:00:00Z", 1),
    ];
    let health = utc(&hours, "2026-03-02T10:30:00Z");
    assert_eq!(health.expected, Some(RateBand { low: 20, high: 30 }));
    let only_now = &hours[3..];
    assert_eq!(utc(only_now, "2026-03-02T10:30:00Z").expected, None);
    assert_eq!(utc(only_now, "2026-03-02T11:30:00Z").expected, None);
    let later = utc(only_now, "2026-03-03T10:30:00Z").expected;
    assert_eq!(later, Some(RateBand { low: 1, high: 1 }));
}
