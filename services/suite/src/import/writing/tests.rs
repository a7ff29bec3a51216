use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::value::Kind;

use super::Writing;

fn writing() -> Writing {
    Writing::new(&Zone::utc())
}

fn berlin() -> Writing {
    Writing::new(&Zone::parse("Europe/Berlin").unwrap())
}

#[test]
fn times_are_read_by_the_format_and_in_the_zone_of_the_file() {
    for (format, text, rfc3339) in [
        ("%Y-%m-%d %H:%M", "2026-07-01 09:30", "2026-07-01T07:30:00Z"),
        ("%Y-%m-%d %H:%M", "2026-01-01 09:30", "2026-01-01T08:30:00Z"),
        ("%d.%m.%Y", "31.01.2026", "2026-01-30T23:00:00Z"),
        ("%m/%d/%Y", "1/5/2026", "2026-01-04T23:00:00Z"),
        ("%d/%m/%Y", "1/5/2026", "2026-04-30T22:00:00Z"),
        (
            "%m/%d/%Y, %I:%M %p",
            "1/5/2026, 3:07 PM",
            "2026-01-05T14:07:00Z",
        ),
        (
            "%Y-%m-%dT%H:%M:%S.%f%z",
            "2026-01-05T14:07:00.000+0000",
            "2026-01-05T14:07:00Z",
        ),
        // As our own files have it, too.
        ("%d.%m.%Y", "2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
    ] {
        let read = berlin().with_times(format).unwrap().time(text).unwrap();
        let shown = crate::import::values::rfc3339(&read).unwrap();
        assert_eq!(shown, rfc3339, "{format} {text}");
    }
    let refused = berlin().with_times("%d.%m.%Y").unwrap().time("31/01/2026");
    assert_eq!(
        refused.unwrap_err(),
        "\"31/01/2026\" is no time of the format \"%d.%m.%Y\" that the map names"
    );
}

#[test]
fn formats_that_name_no_day_are_refused() {
    for format in ["", "%H:%M", "%Q!", "day"] {
        let refused = writing().with_times(format).unwrap_err();
        assert!(refused.contains("no time can be read by"), "{refused}");
    }
}

#[test]
fn numbers_lose_what_groups_their_digits() {
    for (decimal, text, plain) in [
        ('.', "1,234.50", "1234.50"),
        ('.', "$1,234.50", "1234.50"),
        ('.', "-$5", "-5"),
        (',', "1.234,50 €", "1234.50"),
        (',', "1\u{202f}234,5", "1234.5"),
        (',', "1 234 567", "1234567"),
        (',', "1'234", "1234"),
        (',', "-3", "-3"),
        (',', "1234567,5", "1234567.5"),
    ] {
        let number = writing()
            .with_decimal(decimal)
            .number(text)
            .unwrap()
            .into_owned();
        assert_eq!(number, plain, "{text}");
    }
    assert_eq!(writing().number("1,234.50").unwrap(), "1,234.50");
}

#[test]
fn a_number_that_is_written_another_way_is_refused_and_never_another_number() {
    for (decimal, text) in [
        ('.', "12,50"),
        ('.', "0,5"),
        ('.', "1.234,50"),
        (',', "12.50"),
        (',', "1.5"),
        (',', "10.12.2025"),
        (',', "11-50"),
        (',', "1.234'567"),
        (',', ""),
        (',', "-"),
    ] {
        let refused = writing().with_decimal(decimal).number(text).unwrap_err();
        assert!(refused.contains("groups of three"), "{text}: {refused}");
    }
}

#[test]
fn values_are_numbers_and_times_only_where_they_are_written_as_such() {
    let kind = |writing: &Writing, text: &str| writing.value(text).unwrap().kind.unwrap();
    let text = |text: &str| Kind::Text(text.to_owned());
    let german = writing().with_decimal(',').with_times("%d.%m.%Y").unwrap();
    assert_eq!(kind(&german, "1.234"), Kind::Integer(1_234));
    assert_eq!(kind(&german, "1.234,5"), Kind::Number(1_234.5));
    assert_eq!(kind(&german, "0,5"), Kind::Number(0.5));
    for other in [
        "123 456", "10.12", "555 1234", "1.23.456", "v1.234", "1,2,3", "11-50",
    ] {
        assert_eq!(kind(&german, other), text(other));
    }
    assert!(matches!(kind(&german, "31.01.2026"), Kind::Time(_)));
    assert_eq!(kind(&writing(), "1,234"), text("1,234"));
    assert_eq!(kind(&writing(), "31.01.2026"), text("31.01.2026"));
}
