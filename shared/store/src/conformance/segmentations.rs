//! `Segmentations`.

use futures_util::future::join_all;

use sextant_domain::time::Day;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, answer, at, first, once};
use crate::port::SegmentationRow;

fn row(key: &str) -> SegmentationRow {
    SegmentationRow {
        key: key.to_owned(),
        number: 0,
        segmenter_id: "rfm".to_owned(),
        config: "{\"classes\":5}".to_owned(),
        version: 1,
        plugin_digest: "0a1b".to_owned(),
        fit: Vec::new(),
        revision: 1,
        created_at: at(1),
        closed_on: Some(Day(20_000)),
    }
}

pub async fn segmentations_are_numbered_and_listed_by_key<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    for (number, key) in (1..).zip(["value", "Lifecycle", "health"]) {
        let created = store
            .segmentations
            .create(ACME, &row(key), &first(&row(key)), once(Some(ACME), key, 0))
            .await
            .unwrap();
        assert_eq!(created, answer(&SegmentationRow { number, ..row(key) }));
    }
    assert_eq!(
        store
            .segmentations
            .create(
                BOLT,
                &row("value"),
                &first(&row("value")),
                once(Some(BOLT), "value", 0)
            )
            .await
            .unwrap(),
        answer(&SegmentationRow {
            number: 1,
            ..row("value")
        }),
        "numbers are of a tenant"
    );
    let all = store.segmentations.all(ACME).await.unwrap();
    let expected = [("Lifecycle", 2), ("health", 3), ("value", 1)]
        .map(|(key, number)| SegmentationRow { number, ..row(key) });
    assert_eq!(all, expected);
}

pub async fn a_segmentation_key_is_given_once<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store
        .segmentations
        .create(
            ACME,
            &row("value"),
            &first(&row("value")),
            once(Some(ACME), "request 1", 0),
        )
        .await
        .unwrap();
    let refused = store
        .segmentations
        .create(
            ACME,
            &row("value"),
            &first(&row("value")),
            once(Some(ACME), "request 2", 0),
        )
        .await;
    assert!(
        matches!(refused, Err(Error::AlreadyExists { .. })),
        "{refused:?}"
    );
    assert_eq!(
        store
            .segmentations
            .create(
                ACME,
                &row("other"),
                &first(&row("other")),
                once(Some(ACME), "request 2", 0)
            )
            .await
            .unwrap(),
        answer(&SegmentationRow {
            number: 2,
            ..row("other")
        })
    );
}

pub async fn concurrent_creations_get_numbers_of_their_own<H: Harness>(harness: H) {
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(harness.segmentation().await);
    }
    let creations = (0..).zip(&stores).map(async |(n, store)| {
        let key = format!("segmentation-{n}");
        store
            .segmentations
            .create(
                ACME,
                &row(&key),
                &first(&row(&key)),
                once(Some(ACME), &key, 0),
            )
            .await
            .unwrap()
    });
    join_all(creations).await;
    let stored = stores[0].segmentations.all(ACME).await.unwrap();
    let mut numbers: Vec<u16> = stored.iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}
