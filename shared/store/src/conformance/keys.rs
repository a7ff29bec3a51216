//! `Keys`.

use sextant_domain::id::TenantId;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, answer, at, once};
use crate::port::{KeyRow, Page};

fn key(key_id: &str, tenant: Option<TenantId>) -> KeyRow {
    KeyRow {
        key_id: key_id.to_owned(),
        secret_sha256: [7; 32],
        tenant,
        scopes: 0b1011,
        title: "importer".to_owned(),
        created_at: at(1),
        expires_at: Some(at(1_000)),
        revoked_at: None,
    }
}

pub async fn a_key_is_found_by_its_public_part<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let keys = [
        key("k1", Some(ACME)),
        KeyRow {
            expires_at: None,
            ..key("k2", None)
        },
    ];
    for key in &keys {
        let created = store.keys.create(key, once(None, &key.key_id, 0));
        created.await.unwrap();
        assert_eq!(
            store.keys.by_id(&key.key_id).await.unwrap().as_ref(),
            Some(key)
        );
    }
    assert_eq!(store.keys.by_id("K1").await.unwrap(), None);
    let refused = store
        .keys
        .create(&key("k1", Some(BOLT)), once(None, "another", 0))
        .await;
    assert!(
        matches!(refused, Err(Error::AlreadyExists { .. })),
        "{refused:?}"
    );
    assert_eq!(
        store.keys.by_id("k1").await.unwrap().as_ref(),
        Some(&keys[0])
    );
}

pub async fn keys_are_listed_by_id<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    for (key_id, tenant) in [
        ("k4", Some(ACME)),
        ("k1", Some(ACME)),
        ("k3", None),
        ("k2", Some(BOLT)),
        ("k5", Some(ACME)),
    ] {
        store
            .keys
            .create(&key(key_id, tenant), once(None, key_id, 0))
            .await
            .unwrap();
    }
    let ids = async |tenant, after: Option<&str>, limit| {
        let page = Page {
            after: after.map(str::to_owned),
            limit,
        };
        let rows = store.keys.list(tenant, &page).await.unwrap();
        rows.into_iter()
            .map(|row| row.key_id)
            .collect::<Vec<String>>()
    };
    assert_eq!(ids(Some(ACME), None, 2).await, ["k1", "k4"]);
    assert_eq!(ids(Some(ACME), Some("k4"), 2).await, ["k5"]);
    assert_eq!(ids(None, None, 3).await, ["k1", "k2", "k3"]);
    assert_eq!(ids(None, Some("k3"), 3).await, ["k4", "k5"]);
}

pub async fn a_key_is_revoked_once<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    for (key_id, tenant) in [("k1", Some(ACME)), ("k2", None)] {
        store
            .keys
            .create(&key(key_id, tenant), once(None, key_id, 0))
            .await
            .unwrap();
    }
    let revoke = async |tenant, key_id, seconds: i64| {
        let once = once(tenant, &format!("revoked at {seconds}"), seconds);
        store.keys.revoke(tenant, key_id, once).await.unwrap()
    };
    assert_eq!(revoke(Some(BOLT), "k1", 10).await, None, "another tenant's");
    assert_eq!(
        revoke(Some(BOLT), "k2", 10).await,
        None,
        "the installation's"
    );
    assert_eq!(revoke(None, "k9", 10).await, None);
    assert_eq!(
        store.keys.by_id("k1").await.unwrap().unwrap().revoked_at,
        None
    );
    let revoked = KeyRow {
        revoked_at: Some(at(11)),
        ..key("k1", Some(ACME))
    };
    for seconds in [11, 12] {
        assert_eq!(
            revoke(Some(ACME), "k1", seconds).await,
            Some(answer(&revoked))
        );
    }
    assert_eq!(store.keys.by_id("k1").await.unwrap(), Some(revoked));
    let other = KeyRow {
        revoked_at: Some(at(13)),
        ..key("k2", None)
    };
    assert_eq!(revoke(None, "k2", 13).await, Some(answer(&other)));
}
