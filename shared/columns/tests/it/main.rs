//! Tables through the feed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sextant_columns::{
    AccountRow, N_ACCOUNT_COLUMNS, N_SHOWN_COLUMNS, NAME_COLUMN, decode, encode, number, schema,
    table, text, uids, value_text,
};
use sextant_domain::feature::{AccountFacts, CATALOGUE, Feature, Moment, Row};
use sextant_domain::history::Occurrence;
use sextant_domain::id::AccountUid;
use sextant_domain::time::{Day, Zone};

fn rows() -> (Row, Row) {
    let day = Day::parse("2026-01-10").unwrap();
    let mut busy = AccountFacts::default();
    busy.history.add(&Occurrence {
        day,
        known: day,
        user: "ann",
        product_feature: "export",
        ahead: None,
    });
    let close = Moment::close(day, &Zone::utc());
    (
        busy.features(&close, &Zone::utc()),
        AccountFacts::default().features(&close, &Zone::utc()),
    )
}

#[test]
fn a_table_survives_the_feed_with_unknown_as_null() {
    let (busy, quiet) = rows();
    let sent = table(&[
        AccountRow {
            uid: AccountUid(7),
            id: "acme",
            name: "Acme Ltd",
            features: &busy,
        },
        AccountRow {
            uid: AccountUid(9),
            id: "bolt",
            name: "",
            features: &quiet,
        },
    ])
    .unwrap();
    let received = decode(&encode(&sent).unwrap()).unwrap();
    assert_eq!(received, [sent]);
    let table = &received[0];
    assert_eq!(uids(table), [AccountUid(7), AccountUid(9)]);
    assert_eq!(text(table, NAME_COLUMN, 0), Some("Acme Ltd"));
    assert_eq!(number(table, Feature::UsageEvents28d, 0), Some(1.0));
    assert_eq!(number(table, Feature::UsageEvents28d, 1), None);
    assert_eq!(
        value_text(table, Feature::SubscriptionStatus, 1).as_deref(),
        Some("none")
    );
}

#[test]
fn the_schema_follows_the_catalogue() {
    let schema = schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let shown = &names[N_ACCOUNT_COLUMNS..N_SHOWN_COLUMNS];
    assert_eq!(shown, CATALOGUE.map(|definition| definition.name));
    assert_eq!(
        names[N_SHOWN_COLUMNS..],
        [
            "revenue.mrr_minor.exact",
            "revenue.arr_minor.exact",
            "revenue.mrr_change_90d_minor.exact"
        ]
    );
}

#[test]
fn broken_streams_are_refused() {
    let (busy, _) = rows();
    let bytes = encode(
        &table(&[AccountRow {
            uid: AccountUid(1),
            id: "a",
            name: "",
            features: &busy,
        }])
        .unwrap(),
    )
    .unwrap();
    assert!(decode(&bytes[..bytes.len() / 3]).is_err());
    assert!(decode(b"not arrow").is_err());
}
