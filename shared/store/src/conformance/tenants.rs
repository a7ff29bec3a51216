//! `Tenants`.

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::rfm::TiePolicy;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, answer, at, entries, once, tenant_row};
use crate::port::{Import, Page, SliceHeads, TenantRow};

pub async fn a_tenant_is_found_by_id_and_by_name<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let row = TenantRow {
        fixed_clock: Some(at(-5)),
        ..tenant_row(ACME, "acme")
    };
    let created = store.tenants.create(&row, once(None, "request 1", 0));
    assert_eq!(created.await.unwrap(), answer(&row));
    assert_eq!(store.tenants.by_id(ACME).await.unwrap(), Some(row.clone()));
    assert_eq!(store.tenants.by_name("acme").await.unwrap(), Some(row));
    assert_eq!(store.tenants.by_id(BOLT).await.unwrap(), None);
    assert_eq!(store.tenants.by_name("Acme").await.unwrap(), None);
    for (number, rfm_tie_policy) in (100..).zip(TiePolicy::ALL) {
        let row = TenantRow {
            rfm_tie_policy,
            ..tenant_row(TenantId(number), rfm_tie_policy.key())
        };
        let request = once(None, rfm_tie_policy.key(), 0);
        store.tenants.create(&row, request).await.unwrap();
        assert_eq!(store.tenants.by_id(row.tenant).await.unwrap(), Some(row));
    }
}

pub async fn a_tenant_name_is_given_once<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    store
        .tenants
        .create(&tenant_row(ACME, "acme"), once(None, "request 1", 0))
        .await
        .unwrap();
    let refused = store
        .tenants
        .create(&tenant_row(BOLT, "acme"), once(None, "request 2", 0))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Error::AlreadyExists { what } if what == "tenant \"acme\""),
        "{refused:?}"
    );
    // The refusal does not use the request id up.
    store
        .tenants
        .create(&tenant_row(BOLT, "bolt"), once(None, "request 2", 0))
        .await
        .unwrap();
}

pub async fn tenants_are_listed_by_name<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    for (n, name) in (1..).zip(["c", "a", "B", "d"]) {
        store
            .tenants
            .create(&tenant_row(TenantId(n), name), once(None, name, 0))
            .await
            .unwrap();
    }
    let names = async |page: Page| {
        let rows = store.tenants.list(&page).await.unwrap();
        rows.into_iter()
            .map(|row| row.name)
            .collect::<Vec<String>>()
    };
    assert_eq!(names(Page::first(3)).await, ["B", "a", "c"]);
    assert_eq!(
        names(Page {
            after: Some("c".to_owned()),
            limit: 3
        })
        .await,
        ["d"]
    );
}

pub async fn an_import_is_marked_in_the_feed_of_every_slice_once<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    store
        .tenants
        .create(&tenant_row(ACME, "acme"), once(None, "request 1", 0))
        .await
        .unwrap();
    let mark = async |mark, seconds: i64| {
        store
            .tenants
            .mark_import(ACME, mark, once(Some(ACME), &seconds.to_string(), seconds))
            .await
            .unwrap()
    };
    let heads = |sequence| {
        let heads: SliceHeads = (0..3).map(|slice| (Slice(slice), sequence)).collect();
        Some(answer(&heads))
    };
    let opened_at = async || {
        let stored = store.tenants.by_id(ACME).await.unwrap();
        stored.unwrap().import_opened_at
    };
    assert_eq!(mark(Import::Completed(2), 10).await, None, "none is open");
    assert_eq!(mark(Import::Started, 11).await, heads(1));
    assert_eq!(mark(Import::Started, 12).await, None, "it is open");
    assert_eq!(opened_at().await, Some(at(11)));
    assert_eq!(mark(Import::Completed(2), 13).await, heads(2));
    assert_eq!(opened_at().await, None);
    for slice in 0..3 {
        let entries = entries(&store, ACME, Slice(slice)).await;
        let told: Vec<_> = entries
            .iter()
            .map(|entry| {
                (
                    entry.sequence,
                    entry.recorded_at,
                    entry.import,
                    entry.facts.len(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (1, at(11), Some(Import::Started), 0),
                (2, at(13), Some(Import::Completed(2)), 0)
            ]
        );
    }
    assert_eq!(
        store
            .tenants
            .mark_import(BOLT, Import::Started, once(Some(BOLT), "14", 14))
            .await
            .unwrap(),
        None,
        "no such tenant"
    );
}

pub async fn a_fixed_clock_moves_forward_through_the_feed_of_every_slice<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    store
        .tenants
        .create(
            &TenantRow {
                fixed_clock: Some(at(100)),
                ..tenant_row(ACME, "acme")
            },
            once(None, "request 1", 0),
        )
        .await
        .unwrap();
    store
        .tenants
        .create(&tenant_row(BOLT, "bolt"), once(None, "request 2", 0))
        .await
        .unwrap();
    let advance = async |tenant, to, seconds| {
        store
            .tenants
            .advance_clock(
                tenant,
                at(to),
                once(Some(tenant), &format!("to {to}"), seconds),
            )
            .await
            .unwrap()
    };
    assert_eq!(
        advance(BOLT, 200, 1).await,
        None,
        "it follows the real clock"
    );
    assert_eq!(advance(ACME, 99, 1).await, None, "it stands later");
    assert_eq!(
        advance(ACME, 200, 2).await,
        Some(answer(&vec![(Slice(0), 1), (Slice(1), 1), (Slice(2), 1)]))
    );
    assert_eq!(
        store
            .tenants
            .by_id(ACME)
            .await
            .unwrap()
            .unwrap()
            .fixed_clock,
        Some(at(200))
    );
    for slice in 0..3 {
        let entries = entries(&store, ACME, Slice(slice)).await;
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert_eq!(
            (
                entry.recorded_at,
                entry.clock,
                entry.import,
                entry.facts.len()
            ),
            (at(2), Some(at(200)), None, 0)
        );
    }
    assert_eq!(store.feed.heads().await.unwrap().len(), 3);
}
