use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::record::Fact;

use super::CdnowRows;
use crate::import::{Input, Item, Part};

/// The sum of the log's fourth column in cents, added up by another program.
const SUM_MINOR: i64 = 250_031_563;

fn read(bytes: &'static [u8]) -> Vec<Item> {
    let input = Input::of_bytes("log", bytes).unwrap();
    CdnowRows::new(input, "cdnow", &Zone::utc())
        .map(Result::unwrap)
        .collect()
}

fn complaints(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Malformed(complaint) => Some(complaint.to_string()),
            Item::Record { .. } => None,
        })
        .collect()
}

#[test]
fn the_whole_log_is_read_to_the_last_row() {
    let log = include_bytes!("../../../data/cdnow/CDNOW_master.txt.gz");
    let (mut rows, mut accounts, mut minor) = (0_u64, 0_u64, 0_i64);
    let mut ids = std::collections::HashSet::new();
    for item in read(log) {
        let Item::Record { origin, record } = item else {
            panic!("{item:?}")
        };
        assert!(ids.insert(record.id.clone()), "{} comes twice", record.id);
        match (origin.part, record.fact) {
            (Part::Row, Some(Fact::Payment(payment))) => {
                rows += 1;
                assert_eq!(origin.row, rows);
                minor += payment.amount.unwrap().minor;
            },
            (Part::Companion, Some(Fact::Account(_))) => accounts += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rows, accounts), (69_659, 23_570));
    assert_eq!(minor, SUM_MINOR);
}

#[test]
fn an_account_comes_just_before_its_first_payment_at_noon_of_the_day() {
    let items = read(b" customer_id  date number_of_cds  dollar_value\r\n 00001 19970101  1   11.77\r\n 00001 19970102 2 5\r\n");
    let kinds: Vec<(u64, u64, Part)> = items
        .iter()
        .map(|item| match item {
            Item::Record { origin, .. } => (origin.row, origin.line, origin.part),
            Item::Malformed(complaint) => panic!("{complaint}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (1, 2, Part::Companion),
            (1, 2, Part::Row),
            (2, 3, Part::Row)
        ]
    );
    let Item::Record { record, .. } = &items[1] else {
        panic!()
    };
    assert_eq!(record.time.unwrap().seconds, 852_076_800 + 43_200);
}

#[test]
fn bad_rows_are_named_and_the_good_ones_around_them_kept() {
    let items = read(b"1 19970101 1 1.00\n1 19970230 1 1.00\n1 19970101 1\n1 19970101 x 1.00\n1 19970101 1 NaN\n\xff\n2 19970101 1 2.00\n3 1997");
    let found = complaints(&items);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(
        found[0].starts_with("row 2 (line 2), field \"date\": \"19970230\" is no day"),
        "{}",
        found[0]
    );
    assert!(found[1].contains("has 3 columns"), "{}", found[1]);
    assert!(found[2].contains("field \"number_of_cds\""), "{}", found[2]);
    assert!(
        found[3].contains("\"NaN\" is no decimal number"),
        "{}",
        found[3]
    );
    assert!(found[4].contains("not UTF-8"), "{}", found[4]);
    assert!(found[5].contains("has no line end"), "{}", found[5]);
    assert_eq!(items.len() - found.len(), 4);
    let cut = read(b"1 19970101 1 11.7");
    assert_eq!((cut.len(), complaints(&cut).len()), (1, 1));
}

#[test]
fn a_purchase_is_at_noon_of_its_day_in_the_zone() {
    let zone = Zone::parse("Pacific/Auckland").unwrap();
    let input = Input::of_bytes("log", b"00001 19970101 1 11.77\n").unwrap();
    let last = CdnowRows::new(input, "cdnow", &zone).last();
    let Some(Ok(Item::Record { record, .. })) = last else {
        panic!("{last:?}")
    };
    assert_eq!(record.time.unwrap().to_string(), "1996-12-31T23:00:00Z");
}
