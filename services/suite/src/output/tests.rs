use serde_json::Value;

use sextant_domain::time::{Instant, Zone};

use super::format::{moment, moment_or_close, money, percent, rounded, steps_that_add_up, whole};
use super::{Block, Cell, Column, Document, Format, Look, Style};

#[test]
fn money_has_its_currency_thousands_and_the_places_of_its_currency() {
    assert_eq!(money(0, "USD"), "0.00 USD");
    assert_eq!(money(5, "USD"), "0.05 USD");
    assert_eq!(money(123_456_789, "USD"), "1,234,567.89 USD");
    assert_eq!(money(-99, "EUR"), "-0.99 EUR");
    assert_eq!(money(123_456, "JPY"), "123,456 JPY");
    assert_eq!(money(1_234_567, "KWD"), "1,234.567 KWD");
    assert_eq!(money(i64::MIN, "USD"), "-92,233,720,368,547,758.08 USD");
}

#[test]
fn percentages_are_rounded_half_away_from_zero_and_nothing_has_no_share() {
    assert_eq!(percent(1, 3), "33.3%");
    assert_eq!(percent(1, 2_000), "0.1%");
    assert_eq!(percent(-1, 2_000), "-0.1%");
    assert_eq!(percent(-1, 1_000_000), "0.0%");
    assert_eq!(percent(3, 3), "100.0%");
    assert_eq!(percent(0, 0), "-");
    assert_eq!(percent(i64::MAX, i64::MAX), "100.0%");
}

#[test]
fn a_moment_at_either_end_of_a_day_is_the_day() {
    let utc = |us| moment(Instant(us), &Zone::utc());
    assert_eq!(utc(0), "1970-01-01");
    assert_eq!(utc(43_200_000_000), "1970-01-01 12:00:00");
    assert_eq!(utc(-1), "1969-12-31");
    assert_eq!(utc(-2_000_000), "1969-12-31 23:59:58");
}

#[test]
fn what_a_day_said_is_read_in_its_order_up_to_the_close() {
    let zone = Zone::parse("America/New_York").unwrap();
    let day = [
        ("2026-03-01T05:00:00Z", "2026-03-01"),
        ("2026-03-01T17:00:00Z", "2026-03-01 12:00:00"),
        ("2026-03-02T04:59:59.999999Z", "2026-03-01 close"),
    ];
    let shown = day.map(|(at, _)| moment_or_close(Instant::parse(at).unwrap(), &zone));
    assert_eq!(shown, day.map(|(_, expected)| expected));
    assert!(shown.is_sorted());
}

#[test]
fn a_moment_is_shown_by_the_clocks_of_its_zone() {
    let shown = |zone: &str, at: &str| {
        let zone = Zone::parse(zone).unwrap();
        moment(Instant::parse(at).unwrap(), &zone)
    };
    let table = [
        ("America/New_York", "2026-03-01T05:00:00Z", "2026-03-01"),
        ("America/New_York", "2026-03-02T04:59:59.5Z", "2026-03-01"),
        (
            "America/New_York",
            "2026-03-01T00:00:00Z",
            "2026-02-28 19:00:00",
        ),
        // The day begins at one o'clock.
        ("America/Sao_Paulo", "2017-10-15T03:00:00Z", "2017-10-15"),
        (
            "America/Sao_Paulo",
            "2017-10-15T04:00:00Z",
            "2017-10-15 02:00:00",
        ),
    ];
    for (zone, at, expected) in table {
        assert_eq!(shown(zone, at), expected, "{zone} {at}");
    }
}

#[test]
fn the_steps_of_a_row_add_up_to_the_rounded_difference_of_its_ends() {
    let start = 1_004_000;
    let steps = [4_000, 4_000, -3_000, 4_999, 1];
    let shown = steps_that_add_up(start, &steps);
    let end: i64 = start + steps.iter().sum::<i64>();
    assert_eq!(rounded(start) + shown.iter().sum::<i64>(), rounded(end));
    for (shown, exact) in shown.iter().zip(steps) {
        assert!(
            (shown * 10_000 - exact).abs() <= 10_000,
            "{shown} for {exact}"
        );
    }
}

#[test]
fn sums_come_back_as_whole_numbers() {
    assert_eq!(whole(1_234_567_890.0), 1_234_567_890);
    // Half to even, as everywhere else.
    assert_eq!([0.5, 1.5, -0.5, -1.5].map(whole), [0, 2, 0, -2]);
    assert_eq!(whole(f64::NAN), 0);
}

fn sample() -> Document {
    let columns = vec![
        Column::left("segment", "Segment"),
        Column::right("accounts", "Accounts"),
        Column::prose("why", "Why"),
    ];
    let mut block =
        Block::new("segments", "Segments of 1,235 accounts", columns).noted("One row a segment.");
    let long = "bought 12 times, most recently 3 days before, which is more often than nine in ten of all accounts";
    block.rows.push(vec![
        Cell::Titled {
            title: "At risk".into(),
            key: "at_risk".into(),
        },
        Cell::Count(1_234),
        Cell::text(long),
    ]);
    block.rows.push(vec![
        Cell::text("new\u{1b}[2J"),
        Cell::Count(1),
        Cell::Nothing,
    ]);
    block.into()
}

fn printed(document: &Document, format: Format) -> String {
    let mut out = Vec::new();
    let look = Look {
        style: Style::Plain,
        zone: Zone::utc(),
    };
    document.print(format, &look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_is_aligned_wrapped_and_free_of_control_characters() {
    let expected = "\
Segments of 1,235 accounts
 Segment   Accounts   Why
────────────────────────────────────────────────────────────────────────────────────────
 At risk      1,234   bought 12 times, most recently 3 days
                      before, which is more often than nine in
                      ten of all accounts
 new [2J          1
 One row a segment.
";
    let table = printed(&sample(), Format::Table);
    assert_eq!(strip_rule(&table), strip_rule(expected));
}

#[test]
fn a_rare_flag_is_shown_where_a_row_has_it_and_told_programs_always() {
    let columns = vec![Column::left("id", "Id"), Column::rare("late", "Late")];
    let mut block = Block::new("rows", "", columns);
    let with = |mut block: Block, id: &str, late| {
        let row = vec![Cell::text(id.to_owned()), Cell::Flag(late)];
        block.rows.push(row);
        block
    };
    block = with(block, "a", false);
    let mut without = sample();
    without.blocks = vec![block.clone()];
    assert!(!printed(&without, Format::Table).contains("Late"));
    assert!(printed(&without, Format::Json).contains("\"late\""));
    without.blocks = vec![with(block, "b", true)];
    let shown = printed(&without, Format::Table);
    assert!(shown.contains("Late") && shown.contains("yes"), "{shown}");
}

/// The rule's length follows the widest line.
fn strip_rule(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('─')).collect()
}

#[test]
fn json_keeps_keys_and_exact_values() {
    let json: Value = serde_json::from_str(&printed(&sample(), Format::Json)).unwrap();
    assert_eq!(json["segments"][0]["segment"], "at_risk");
    assert_eq!(json["segments"][0]["accounts"], 1_234);
    assert_eq!(json["segments"][1]["why"], Value::Null);
}

#[test]
fn ndjson_has_a_line_for_each_row_that_names_its_block_only_where_there_are_several() {
    let one = printed(&sample(), Format::Ndjson);
    assert_eq!(one.lines().count(), 2);
    assert!(!one.contains("\"block\""));
    let mut two = sample();
    two.blocks.extend(sample().blocks);
    assert!(
        printed(&two, Format::Ndjson)
            .lines()
            .all(|line| line.starts_with("{\"block\":\"segments\""))
    );
}

#[test]
fn an_empty_block_says_so() {
    let mut empty = sample();
    empty.blocks[0].rows.clear();
    assert!(printed(&empty, Format::Table).contains("(none)"));
    assert_eq!(printed(&empty, Format::Ndjson), "");
}
