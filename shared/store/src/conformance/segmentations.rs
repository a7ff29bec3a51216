//! `Segmentations`.

use futures_util::future::join_all;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, at};
use crate::port::SegmentationRow;

fn row(key: &str) -> SegmentationRow {
    SegmentationRow {
        key: key.to_owned(),
        number: 0,
        segmenter_id: "rfm".to_owned(),
        config: "{\"classes\":5}".to_owned(),
        version: 1,
        plugin_digest: "0a1b".to_owned(),
        created_at: at(1),
    }
}

pub async fn segmentations_are_numbered_and_listed_by_key<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    for (number, key) in (1..).zip(["value", "Lifecycle", "health"]) {
        let created = store
            .segmentations
            .create(ACME, &row(key), key)
            .await
            .unwrap();
        assert_eq!(created, SegmentationRow { number, ..row(key) });
    }
    assert_eq!(
        store
            .segmentations
            .create(BOLT, &row("value"), "value")
            .await
            .unwrap()
            .number,
        1,
        "numbers are of a tenant"
    );
    let all = store.segmentations.all(ACME).await.unwrap();
    let expected = [("Lifecycle", 2), ("health", 3), ("value", 1)]
        .map(|(key, number)| SegmentationRow { number, ..row(key) });
    assert_eq!(all, expected);
}

pub async fn creating_a_segmentation_again_with_its_request_id_returns_it<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let created = store
        .segmentations
        .create(ACME, &row("value"), "request 1")
        .await
        .unwrap();
    let retry = SegmentationRow {
        created_at: at(9),
        version: 2,
        plugin_digest: "ffff".to_owned(),
        ..row("value")
    };
    assert_eq!(
        store
            .segmentations
            .create(ACME, &retry, "request 1")
            .await
            .unwrap(),
        created
    );
    let others = [
        SegmentationRow {
            key: "other".to_owned(),
            ..row("value")
        },
        SegmentationRow {
            segmenter_id: "lifecycle".to_owned(),
            ..row("value")
        },
        SegmentationRow {
            config: "{}".to_owned(),
            ..row("value")
        },
    ];
    for other in others {
        let refused = store.segmentations.create(ACME, &other, "request 1").await;
        assert!(
            matches!(refused, Err(Error::RequestIdReused)),
            "{refused:?}"
        );
    }
    assert_eq!(store.segmentations.all(ACME).await.unwrap(), [created]);
}

pub async fn a_segmentation_key_is_given_once<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store
        .segmentations
        .create(ACME, &row("value"), "request 1")
        .await
        .unwrap();
    let refused = store
        .segmentations
        .create(ACME, &row("value"), "request 2")
        .await;
    assert!(
        matches!(refused, Err(Error::AlreadyExists { .. })),
        "{refused:?}"
    );
    assert_eq!(
        store
            .segmentations
            .create(ACME, &row("other"), "request 2")
            .await
            .unwrap()
            .number,
        2
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
            .create(ACME, &row(&key), &key)
            .await
            .unwrap()
            .number
    });
    let mut numbers = join_all(creations).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}
