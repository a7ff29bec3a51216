//! Tables through the feed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sextant_columns::{
    AccountRow, Export, N_ACCOUNT_COLUMNS, N_SHOWN_COLUMNS, NAME_COLUMN, decode, encode,
    encode_shown, number, schema, table, text, uids, value_text,
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
fn pages_become_one_file_by_account_with_texts_of_all_pages() {
    let (busy, quiet) = rows();
    let page = |uid, id, name, features| {
        let uid = AccountUid(uid);
        let row = AccountRow {
            uid,
            id,
            name,
            features,
        };
        encode_shown(&table(&[row]).unwrap()).unwrap()
    };
    let pages = [
        page(1, "b", "Bolt, \"Ltd\"", &quiet),
        page(2, "a", "", &busy),
    ];
    let export = Export::of_pages(&pages).unwrap();
    let names = export.names();
    assert_eq!(names.len(), 2 + CATALOGUE.len());
    assert_eq!(
        names[..3],
        ["account_id", "account_name", "account.age_days"]
    );
    let events = names.iter().position(|name| name == "usage.events_28d");
    let texts: Vec<_> = (0..2)
        .map(|row| {
            let texts = export.texts(row).unwrap();
            (
                texts[0].clone(),
                texts[1].clone(),
                texts[events.unwrap()].clone(),
            )
        })
        .collect();
    let own = |[id, name, events]: [&str; 3]| (id.to_owned(), name.to_owned(), events.to_owned());
    assert_eq!(
        texts,
        [own(["a", "", "1"]), own(["b", "Bolt, \"Ltd\"", ""])]
    );
    let mut file = Vec::new();
    export.write_arrow(&mut file).unwrap();
    assert!(file.starts_with(b"ARROW1") && file.ends_with(b"ARROW1"));
    assert!(Export::of_pages(&[b"not arrow"]).is_err());
    let none: &[&[u8]] = &[];
    assert!(Export::of_pages(none).is_err());
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
