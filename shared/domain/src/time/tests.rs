use super::{Day, Instant, Zone};

fn start(zone: &str, day: &str) -> String {
    let zone = Zone::parse(zone).unwrap();
    zone.start_of(Day::parse(day).unwrap()).to_string()
}

#[test]
fn a_day_begins_with_the_first_moment_that_clocks_of_its_zone_show() {
    let table = [
        ("UTC", "2026-03-01", "2026-03-01T00:00:00Z"),
        ("America/New_York", "2026-03-01", "2026-03-01T05:00:00Z"),
        ("America/New_York", "2026-07-01", "2026-07-01T04:00:00Z"),
        ("Asia/Kolkata", "2026-03-01", "2026-02-28T18:30:00Z"),
        // Clocks go from 23:59:59 to 01:00.
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00:00Z"),
        // Midnight comes twice: the first one.
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),
        // There was no such day: the next one.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
    ];
    for (zone, day, expected) in table {
        assert_eq!(start(zone, day), expected, "{zone} {day}");
    }
}

#[test]
fn the_second_of_a_day_is_what_clocks_show_and_not_what_has_passed() {
    let zone = Zone::parse("America/Sao_Paulo").unwrap();
    let first = Instant::parse("2017-10-15T03:00:00Z").unwrap();
    assert_eq!(zone.second_of_day(first), 3_600);
    let last = Instant::parse("2017-10-16T01:59:59.9Z").unwrap();
    assert_eq!(zone.second_of_day(last), 86_399);
    assert_eq!(Zone::utc().second_of_day(Instant(-1)), 86_399);
}
