//! `Once`: a change is made once, however often its request is delivered.

use futures_util::future::join_all;

use sextant_domain::id::{Slice, TenantId};

use crate::conformance::make::{
    ACME, BOLT, SLICE, answer, asked, at, entries, first, once, tenant_row,
};
use crate::conformance::{Harness, Ingestion};
use crate::port::{
    Import, KeyRow, Page, REQUESTS_KEPT_US, Request, SegmentationRow, SliceHeads, TenantRow,
};
use crate::{Error, Result};

const US: i64 = 1_000_000;

fn key(key_id: &str) -> KeyRow {
    KeyRow {
        key_id: key_id.to_owned(),
        secret_sha256: [7; 32],
        tenant: Some(ACME),
        scopes: 1,
        title: String::new(),
        created_at: at(1),
        expires_at: None,
        revoked_at: None,
    }
}

fn segmentation(key: &str) -> SegmentationRow {
    SegmentationRow {
        key: key.to_owned(),
        number: 0,
        segmenter_id: "rfm".to_owned(),
        config: "{}".to_owned(),
        version: 1,
        plugin_digest: "0a1b".to_owned(),
        fit: Vec::new(),
        revision: 1,
        created_at: at(1),
        closed_on: None,
    }
}

async fn with_tenant<H: Harness>(harness: &H) -> Ingestion {
    let store = harness.ingestion().await;
    let row = TenantRow {
        fixed_clock: Some(at(0)),
        ..tenant_row(ACME, "acme")
    };
    let created = store.tenants.create(&row, once(None, "acme", 0));
    created.await.unwrap();
    store
}

/// A change of one kind, asked for by id and parameters at a second; `None`: nothing was to be changed.
async fn change(
    store: &Ingestion,
    kind: &str,
    (id, parameters): (&str, &str),
    seconds: i64,
) -> Result<Option<Vec<u8>>> {
    let tenant = Some(ACME);
    match kind {
        "create tenant" => {
            // A retry is made with a new tenant id.
            let row = tenant_row(TenantId(seconds.unsigned_abs().into()), "another");
            let once = asked(None, id, parameters, seconds);
            store.tenants.create(&row, once).await.map(Some)
        },
        "start import" => {
            let once = asked(tenant, id, parameters, seconds);
            store.tenants.mark_import(ACME, Import::Started, once).await
        },
        "complete import" => {
            let once = asked(tenant, id, parameters, seconds);
            let mark = Import::Completed(1);
            store.tenants.mark_import(ACME, mark, once).await
        },
        "advance clock" => {
            let once = asked(tenant, id, parameters, seconds);
            store.tenants.advance_clock(ACME, at(seconds), once).await
        },
        "create key" => {
            let once = asked(tenant, id, parameters, seconds);
            let row = key(&format!("key {seconds}"));
            store.keys.create(&row, once).await.map(Some)
        },
        _ => {
            let once = asked(tenant, id, parameters, seconds);
            store.keys.revoke(tenant, "key 50", once).await
        },
    }
}

const KINDS: [&str; 6] = [
    "create tenant",
    "start import",
    "complete import",
    "advance clock",
    "create key",
    "revoke key",
];

/// Everything that a change could have changed.
async fn seen(store: &Ingestion) -> String {
    let page = Page::first(99);
    format!(
        "{:?} {:?} {:?}",
        store.tenants.list(&page).await.unwrap(),
        store.keys.list(None, &page).await.unwrap(),
        store.feed.heads().await.unwrap()
    )
}

pub async fn every_change_of_ingestion_is_made_once<H: Harness>(harness: H) {
    let store = with_tenant(&harness).await;
    let other_handle = harness.ingestion().await;
    for (seconds, kind) in (1..).map(|n| n * 10).zip(KINDS) {
        let before = seen(&store).await;
        let first = change(&store, kind, (kind, ""), seconds).await.unwrap();
        assert!(first.as_ref().is_some_and(|first| !first.is_empty()));
        let after = seen(&store).await;
        assert_ne!(after, before, "{kind}");
        for (handle, later) in [(&store, 1), (&other_handle, 2)] {
            let again = change(handle, kind, (kind, ""), seconds + later).await;
            assert_eq!(again.unwrap(), first, "{kind}");
        }
        let other = change(&other_handle, kind, (kind, "other"), seconds + 3).await;
        assert!(
            matches!(other, Err(Error::RequestIdReused)),
            "{kind}: {other:?}"
        );
        assert_eq!(seen(&store).await, after, "{kind}");
    }
    assert_eq!(entries(&store, ACME, SLICE).await.len(), 3);
}

pub async fn a_segmentation_is_made_once<H: Harness>(harness: H) {
    let stores = [harness.segmentation().await, harness.segmentation().await];
    let create = async |n: usize, key: &str, parameters: &str| {
        let once = asked(Some(ACME), "request 1", parameters, 0);
        stores[n]
            .segmentations
            .create(ACME, &segmentation(key), &first(&segmentation(key)), once)
            .await
    };
    let first = create(0, "value", "").await.unwrap();
    let stored = SegmentationRow {
        number: 1,
        ..segmentation("value")
    };
    assert_eq!(first, answer(&stored));
    assert_eq!(create(1, "value", "").await.unwrap(), first);
    let other = create(1, "other", "other").await;
    assert!(matches!(other, Err(Error::RequestIdReused)), "{other:?}");
    assert_eq!(stores[1].segmentations.all(ACME).await.unwrap(), [stored]);
}

pub async fn concurrent_deliveries_of_one_request_make_one_change<H: Harness>(harness: H) {
    let mut stores = vec![with_tenant(&harness).await];
    for _ in 0..3 {
        stores.push(harness.ingestion().await);
    }
    for (base, kind) in (1..).map(|n| n * 10).zip(KINDS) {
        let before = seen(&stores[0]).await;
        let deliveries = (base..)
            .zip(&stores)
            .map(|(seconds, store)| change(store, kind, (kind, ""), seconds));
        let answers = join_all(deliveries).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(
            answers[0].is_some() && answers.iter().all(|answer| *answer == answers[0]),
            "{kind}: {answers:?}"
        );
        assert_ne!(seen(&stores[0]).await, before, "{kind}");
        if kind == "create key" {
            // What is revoked next.
            let once = once(Some(ACME), "for the next kind", 0);
            drop(stores[0].keys.create(&key("key 50"), once).await);
        }
    }
    let tenants = stores[0].tenants.list(&Page::first(9)).await.unwrap();
    assert_eq!(tenants.len(), 2);
    let told = entries(&stores[0], ACME, SLICE).await;
    assert_eq!(told.len(), 3, "one entry for each change");
    assert_eq!(
        stores[0].feed.heads().await.unwrap().len(),
        3,
        "one feed for each slice"
    );
}

pub async fn requests_of_owners_and_methods_are_apart<H: Harness>(harness: H) {
    let store = with_tenant(&harness).await;
    let bolt = tenant_row(BOLT, "bolt");
    let created = store.tenants.create(&bolt, once(None, "bolt", 0));
    created.await.unwrap();
    let heads: SliceHeads = (0..3).map(|slice| (Slice(slice), 1)).collect();
    for tenant in [ACME, BOLT] {
        let once = once(Some(tenant), "one id", 1);
        let marked = store.tenants.mark_import(tenant, Import::Started, once);
        assert_eq!(marked.await.unwrap(), Some(answer(&heads)), "{tenant:?}");
    }
    let mut once = once(Some(ACME), "one id", 2);
    once.request = Request {
        method: "Another",
        ..once.request
    };
    let moved = store.tenants.advance_clock(ACME, at(2), once);
    assert!(moved.await.unwrap().is_some());
}

pub async fn a_change_that_fails_or_changes_nothing_uses_no_request_up<H: Harness>(harness: H) {
    let store = with_tenant(&harness).await;
    let of = |id: &str| once(None, id, 1);
    let taken = store
        .tenants
        .create(&tenant_row(BOLT, "acme"), of("1"))
        .await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })));
    store
        .tenants
        .create(&tenant_row(BOLT, "bolt"), of("1"))
        .await
        .unwrap();

    let none_open = change(&store, "complete import", ("2", ""), 2).await;
    assert_eq!(none_open.unwrap(), None);
    change(&store, "start import", ("3", ""), 3).await.unwrap();
    let completed = change(&store, "complete import", ("2", ""), 4).await;
    assert!(completed.unwrap().is_some());
}

pub async fn answers_are_there_after_reopening<H: Harness>(harness: H) {
    let first = {
        let store = with_tenant(&harness).await;
        change(&store, "create key", ("1", ""), 50).await.unwrap()
    };
    let harness = harness.reopen().await;
    let store = harness.ingestion().await;
    let again = change(&store, "create key", ("1", ""), 51).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(
        store.keys.list(None, &Page::first(9)).await.unwrap(),
        [key("key 50")]
    );
}

pub async fn answers_are_kept_for_two_days_and_then_removed_a_few_at_a_time<H: Harness>(
    harness: H,
) {
    let store = with_tenant(&harness).await;
    let kept = REQUESTS_KEPT_US / US;
    for n in 0..40 {
        let made = change(&store, "create key", (&format!("old {n}"), ""), n).await;
        made.unwrap();
    }
    // All of them have their answers until the last moment.
    let again = change(&store, "create key", ("old 0", ""), kept).await;
    assert_eq!(again.unwrap(), Some(answer(&key("key 0"))));
    // A new request a while later removes some of them, the oldest first; a removed one is a new request again.
    let new = change(&store, "create key", ("new", ""), kept + 100).await;
    new.unwrap();
    let oldest = change(&store, "create key", ("old 0", ""), kept + 101).await;
    let made_again = key(&format!("key {}", kept + 101));
    assert_eq!(oldest.unwrap(), Some(answer(&made_again)));
    let newest = change(&store, "create key", ("old 39", ""), kept + 102).await;
    assert_eq!(newest.unwrap(), Some(answer(&key("key 39"))));
}
