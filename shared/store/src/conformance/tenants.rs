//! `Tenants`.

use futures_util::future::join_all;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::rfm::TiePolicy;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, at, entries, tenant_row};
use crate::port::{Import, Page, TenantRow};

pub async fn a_tenant_is_found_by_id_and_by_name<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let row = TenantRow {
        fixed_clock: Some(at(-5)),
        ..tenant_row(ACME, "acme")
    };
    assert_eq!(store.tenants.create(&row, "request 1").await.unwrap(), row);
    assert_eq!(store.tenants.by_id(ACME).await.unwrap(), Some(row.clone()));
    assert_eq!(store.tenants.by_name("acme").await.unwrap(), Some(row));
    assert_eq!(store.tenants.by_id(BOLT).await.unwrap(), None);
    assert_eq!(store.tenants.by_name("Acme").await.unwrap(), None);
    for (number, rfm_tie_policy) in (100..).zip(TiePolicy::ALL) {
        let row = TenantRow {
            rfm_tie_policy,
            ..tenant_row(TenantId(number), rfm_tie_policy.key())
        };
        store
            .tenants
            .create(&row, rfm_tie_policy.key())
            .await
            .unwrap();
        assert_eq!(store.tenants.by_id(row.tenant).await.unwrap(), Some(row));
    }
}

pub async fn creating_a_tenant_again_with_its_request_id_returns_it<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let row = TenantRow {
        fixed_clock: Some(at(0)),
        ..tenant_row(ACME, "acme")
    };
    store.tenants.create(&row, "request 1").await.unwrap();
    store
        .tenants
        .advance_clock(ACME, at(60), at(1))
        .await
        .unwrap()
        .unwrap();
    store
        .tenants
        .mark_import(ACME, Import::Started, at(2))
        .await
        .unwrap()
        .unwrap();
    // A retry is made with a new id at another time.
    let retry = TenantRow {
        tenant: BOLT,
        created_at: at(9),
        ..row.clone()
    };
    let stored = TenantRow {
        fixed_clock: Some(at(60)),
        importing: true,
        ..row.clone()
    };
    assert_eq!(
        store.tenants.create(&retry, "request 1").await.unwrap(),
        stored
    );
    assert_eq!(store.tenants.by_id(BOLT).await.unwrap(), None);

    let others = [
        TenantRow {
            name: "bolt".to_owned(),
            ..row.clone()
        },
        TenantRow {
            time_zone: "UTC".to_owned(),
            ..row.clone()
        },
        TenantRow {
            base_currency: "USD".to_owned(),
            ..row.clone()
        },
        TenantRow {
            fixed_clock: None,
            ..row.clone()
        },
        TenantRow {
            retention_days: 1,
            ..row.clone()
        },
        TenantRow {
            n_slices: 7,
            ..row.clone()
        },
        TenantRow {
            rfm_tie_policy: TiePolicy::RRfmCompat,
            ..row
        },
    ];
    for other in others {
        let refused = store.tenants.create(&other, "request 1").await;
        assert!(
            matches!(refused, Err(Error::RequestIdReused)),
            "{other:?}: {refused:?}"
        );
    }
}

pub async fn a_tenant_name_is_given_once<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    store
        .tenants
        .create(&tenant_row(ACME, "acme"), "request 1")
        .await
        .unwrap();
    let refused = store
        .tenants
        .create(&tenant_row(BOLT, "acme"), "request 2")
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Error::AlreadyExists { what } if what == "tenant \"acme\""),
        "{refused:?}"
    );
    // The refusal does not use the request id up.
    store
        .tenants
        .create(&tenant_row(BOLT, "bolt"), "request 2")
        .await
        .unwrap();
}

pub async fn concurrent_creations_with_one_request_id_make_one_tenant<H: Harness>(harness: H) {
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(harness.ingestion().await);
    }
    let creations = (1..).zip(&stores).map(async |(n, store)| {
        store
            .tenants
            .create(&tenant_row(TenantId(n), "acme"), "request 1")
            .await
            .unwrap()
    });
    let created = join_all(creations).await;
    assert!(created.iter().all(|row| *row == created[0]), "{created:?}");
    assert_eq!(
        stores[0].tenants.list(&Page::first(10)).await.unwrap(),
        created[..1]
    );
}

pub async fn tenants_are_listed_by_name<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    for (n, name) in (1..).zip(["c", "a", "B", "d"]) {
        store
            .tenants
            .create(&tenant_row(TenantId(n), name), name)
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
        .create(&tenant_row(ACME, "acme"), "request 1")
        .await
        .unwrap();
    let mark = async |mark, seconds| {
        store
            .tenants
            .mark_import(ACME, mark, at(seconds))
            .await
            .unwrap()
    };
    let heads = |sequence| Some((0..3).map(|slice| (Slice(slice), sequence)).collect());
    assert_eq!(mark(Import::Completed(2), 10).await, None, "none is open");
    assert_eq!(mark(Import::Started, 11).await, heads(1));
    assert_eq!(mark(Import::Started, 12).await, None, "it is open");
    assert!(store.tenants.by_id(ACME).await.unwrap().unwrap().importing);
    assert_eq!(mark(Import::Completed(2), 13).await, heads(2));
    assert!(!store.tenants.by_id(ACME).await.unwrap().unwrap().importing);
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
            .mark_import(BOLT, Import::Started, at(14))
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
            "request 1",
        )
        .await
        .unwrap();
    store
        .tenants
        .create(&tenant_row(BOLT, "bolt"), "request 2")
        .await
        .unwrap();
    let advance = async |tenant, to, seconds| {
        store
            .tenants
            .advance_clock(tenant, at(to), at(seconds))
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
        Some(vec![(Slice(0), 1), (Slice(1), 1), (Slice(2), 1)])
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
