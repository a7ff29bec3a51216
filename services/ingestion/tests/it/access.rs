use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::MetadataMap;

use sextant_ingestion::LinkKeySource;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::auth::{Authenticator, Key, KeySource, Scope, Scopes};
use sextant_runtime::clock::Clock;
use sextant_wire::time::timestamp;

use crate::records::{DAY, account};
use crate::world::{NOW, World, reason, request_id};

fn asked(tenant: &str, scopes: &[pb::Scope]) -> pb::Key {
    pb::Key {
        tenant_id: tenant.to_owned(),
        scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
        ..pb::Key::default()
    }
}

fn create(key: pb::Key, request_id: &str) -> pb::CreateKeyRequest {
    pb::CreateKeyRequest {
        key: Some(key),
        request_id: request_id.to_owned(),
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_opens_what_its_scopes_say() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut access = tenant.clients.access();
    let id = request_id();
    let made = access
        .create_key(create(asked(&tenant.id, &[pb::Scope::Ingest]), &id))
        .await
        .unwrap()
        .into_inner();
    let again = access
        .create_key(create(asked(&tenant.id, &[pb::Scope::Ingest]), &id))
        .await;
    assert_eq!(reason(again), "SECRET_SHOWN");
    let key = Key::parse(&made.secret).unwrap();
    assert_eq!(made.key.unwrap().key_id, key.id().to_string());
    let sender = world.by(&key);
    let batch = pb::IngestBatchRequest {
        records: vec![account("1", "a")],
        ..Default::default()
    };
    assert!(sender.ingestion().ingest_batch(batch).await.is_ok());
    assert_eq!(
        reason(
            sender
                .ingestion()
                .list_held(pb::ListHeldRequest::default())
                .await
        ),
        "SCOPE_MISSING"
    );
    assert_eq!(
        reason(
            sender
                .access()
                .list_keys(pb::ListKeysRequest::default())
                .await
        ),
        "SCOPE_MISSING"
    );
    let listed = access
        .list_keys(pb::ListKeysRequest::default())
        .await
        .unwrap()
        .into_inner()
        .keys;
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .any(|listed| listed.key_id == key.id().to_string()
                && listed.scopes().eq([pb::Scope::Ingest]))
    );
}

#[tokio::test]
async fn whatever_a_key_may_do_it_sees_the_settings_of_its_own_tenant_and_no_more_of_it() {
    let world = World::new().await;
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    for scope in [
        pb::Scope::Ingest,
        pb::Scope::Define,
        pb::Scope::PluginsActivate,
        pb::Scope::Read,
    ] {
        let key = world.key(&tenant.clients, &tenant.id, &[scope]).await;
        let clients = world.by(&key);
        let get = async |named: &str| {
            let request = pb::GetTenantRequest {
                tenant: named.to_owned(),
            };
            clients.tenants().get_tenant(request).await
        };
        for named in ["", "acme", &tenant.id] {
            let seen = get(named).await.unwrap().into_inner().tenant.unwrap();
            assert_eq!(seen.tenant_id, tenant.id, "{scope:?}");
        }
        for named in ["other", &other.id] {
            assert_eq!(reason(get(named).await), "TENANT_UNKNOWN", "{scope:?}");
        }
        let counts = clients
            .sources()
            .list_sources(pb::ListSourcesRequest::default())
            .await;
        assert_eq!(counts.is_ok(), scope == pb::Scope::Read, "{scope:?}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_useless_at_once_and_an_expired_one_in_time() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let key = world
        .key(&tenant.clients, &tenant.id, &[pb::Scope::Read])
        .await;
    let counts = |key: &Key| {
        let mut client = world.by(key).sources();
        async move { client.list_sources(pb::ListSourcesRequest::default()).await }
    };
    assert!(counts(&key).await.is_ok());
    let id = request_id();
    let revoke = pb::RevokeKeyRequest {
        key_id: key.id().to_string(),
        request_id: id,
    };
    let mut access = tenant.clients.access();
    let revoked = access
        .revoke_key(revoke.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        revoked.key.clone().unwrap().revoked_at,
        Some(timestamp(NOW))
    );
    assert_eq!(reason(counts(&key).await), "KEY_INVALID");
    world.hand.advance_us(DAY);
    assert_eq!(
        access.revoke_key(revoke).await.unwrap().into_inner(),
        revoked
    );

    let expiring = pb::Key {
        expires_at: Some(timestamp(NOW.plus_us(2 * DAY))),
        ..asked(&tenant.id, &[pb::Scope::Read])
    };
    let made = access
        .create_key(create(expiring, &request_id()))
        .await
        .unwrap()
        .into_inner();
    let key = Key::parse(&made.secret).unwrap();
    assert!(counts(&key).await.is_ok());
    world.hand.advance_us(DAY);
    assert_eq!(reason(counts(&key).await), "KEY_INVALID");
}

#[tokio::test]
async fn a_key_that_must_not_be_is_not_made() {
    let world = World::new().await;
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let operator = world.by(&world.operator);
    let read = [pb::Scope::Read];
    let past = pb::Key {
        expires_at: Some(timestamp(NOW)),
        ..asked(&tenant.id, &read)
    };
    let long = pb::Key {
        title: "x".repeat(201),
        ..asked(&tenant.id, &read)
    };
    let cases = [
        (&tenant.clients, asked("", &read), "SCOPE_MISSING"),
        (&tenant.clients, asked(&other.id, &read), "TENANT_UNKNOWN"),
        (&tenant.clients, asked("acme", &read), "FIELD_INVALID"),
        (&tenant.clients, asked(&tenant.id, &[]), "FIELD_MISSING"),
        (
            &tenant.clients,
            asked(&tenant.id, &[pb::Scope::Unspecified]),
            "FIELD_INVALID",
        ),
        (&tenant.clients, past, "FIELD_INVALID"),
        (&tenant.clients, long, "FIELD_TOO_LONG"),
        (&operator, asked("", &read), "FIELD_INVALID"),
        (&operator, asked(&request_id(), &read), "TENANT_UNKNOWN"),
    ];
    for (maker, key, expected) in cases {
        let refused = maker
            .access()
            .create_key(create(key.clone(), &request_id()))
            .await;
        assert_eq!(reason(refused), expected, "{key:?}");
    }
    let without_id = tenant
        .clients
        .access()
        .create_key(create(asked(&tenant.id, &read), ""))
        .await;
    assert_eq!(reason(without_id), "FIELD_MISSING");
    for key_id in ["", "nonsense", "0123456789abcdef"] {
        let revoke = pb::RevokeKeyRequest {
            key_id: key_id.to_owned(),
            request_id: request_id(),
        };
        assert_eq!(
            refusal(tenant.clients.access().revoke_key(revoke).await),
            (tonic::Code::NotFound, "KEY_UNKNOWN".to_owned())
        );
    }
    let installation = operator
        .access()
        .create_key(create(asked("", &[pb::Scope::Admin]), &request_id()))
        .await;
    assert!(installation.is_ok());
}

#[tokio::test]
async fn keys_are_listed_in_pages_by_id() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    for _ in 0..4 {
        world
            .key(&tenant.clients, &tenant.id, &[pb::Scope::Read])
            .await;
    }
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListKeysRequest {
            page_size: 2,
            page_token,
        };
        let page = tenant
            .clients
            .access()
            .list_keys(request)
            .await
            .unwrap()
            .into_inner();
        ids.extend(page.keys.into_iter().map(|key| key.key_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted());
    let all = world
        .by(&world.operator)
        .access()
        .list_keys(pb::ListKeysRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(all.keys.len(), 6);
}

#[tokio::test]
async fn another_service_resolves_keys_over_its_link_and_nobody_else_may() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let request = pb::ResolveKeyRequest {
        key_id: tenant.key.id().to_string(),
    };
    for clients in [&tenant.clients, &world.by(&world.operator)] {
        assert_eq!(
            reason(clients.access().resolve_key(request.clone()).await),
            "SCOPE_MISSING"
        );
    }
    let source = LinkKeySource::new(world.by(&world.service).0);
    let found = source.resolve(tenant.key.id()).await.unwrap().unwrap();
    let granted: Scopes = Scope::ALL
        .into_iter()
        .filter(|scope| *scope != Scope::Service)
        .collect();
    assert_eq!(found.scopes, granted);
    assert!(
        source
            .resolve(Key::generate().unwrap().id())
            .await
            .unwrap()
            .is_none()
    );
    let (clock, _hand) = Clock::manual(NOW);
    let authenticator = Authenticator::new(Arc::new(source), clock, Duration::from_secs(30));
    let mut headers = MetadataMap::new();
    headers.insert(
        "authorization",
        format!("Bearer {}", tenant.key.expose()).parse().unwrap(),
    );
    let principal = authenticator
        .authenticate(&headers.into_headers())
        .await
        .unwrap();
    assert_eq!(
        principal.tenant.map(|id| id.0.to_be_bytes().to_vec()),
        Some(tenant.id_bytes())
    );
    let stranger = LinkKeySource::new(tenant.clients.0.clone());
    assert!(stranger.resolve(tenant.key.id()).await.is_err());
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> (tonic::Code, String) {
    let status = answer.unwrap_err();
    (status.code(), reason::<()>(Err(status)))
}
