//! Two tenants with the same ids everywhere: nothing of one shows to the other, through any rpc.

use tonic::Request;

use sextant_proto::common::v1::ReadAt;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::tenant::TENANT_HEADER;
use sextant_wire::record;

use crate::records::{DAY, account, account_at, account_ref, event, event_at};
use crate::stream::Open;
use crate::world::{NOW, Tenant, World, reason, request_id};

/// A world with two tenants; `a` has one of everything.
async fn two() -> (World, Tenant, Tenant) {
    let world = World::new().await;
    let (a, b) = (world.tenant("a").await, world.tenant("b").await);
    let records = vec![
        account("1", "acme"),
        event("2", "acme"),
        event("3", "nobody"),
        event_at("4", "acme", NOW.plus_us(2 * DAY)),
    ];
    a.send(records).await;
    (world, a, b)
}

#[tokio::test]
async fn reads_show_nothing_of_another_tenant() {
    let (_world, a, b) = two().await;
    assert_eq!(a.counts("web").await, [2, 0, 0, 1, 1]);
    assert_eq!(b.counts("web").await, [0; 5]);
    let mut client = b.clients.ingestion();
    assert_eq!(
        client
            .list_rejections(pb::ListRejectionsRequest::default())
            .await
            .unwrap()
            .into_inner(),
        Default::default()
    );
    assert_eq!(
        client
            .list_held(pb::ListHeldRequest::default())
            .await
            .unwrap()
            .into_inner(),
        Default::default()
    );
    let mut client = b.clients.accounts();
    let get = pb::GetAccountRequest {
        account: account_ref("acme"),
        at: None,
    };
    assert_eq!(reason(client.get_account(get).await), "ACCOUNT_UNKNOWN");
    let listed = client
        .list_accounts(pb::ListAccountsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(listed.accounts.is_empty());
    let listed = b
        .clients
        .tenants()
        .list_tenants(pb::ListTenantsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        listed
            .tenants
            .iter()
            .map(|tenant| &tenant.tenant_id)
            .collect::<Vec<_>>(),
        [&b.id]
    );
    for tenant in [a.id.clone(), "a".to_owned()] {
        assert_eq!(
            reason(
                b.clients
                    .tenants()
                    .get_tenant(pb::GetTenantRequest { tenant })
                    .await
            ),
            "TENANT_UNKNOWN"
        );
    }
    let keys = b
        .clients
        .access()
        .list_keys(pb::ListKeysRequest::default())
        .await
        .unwrap()
        .into_inner()
        .keys;
    assert_eq!(
        keys.iter().map(|key| &key.tenant_id).collect::<Vec<_>>(),
        [&b.id]
    );
}

#[tokio::test]
async fn the_same_identities_ids_and_accounts_are_those_of_each_tenant() {
    let (world, a, b) = two().await;
    // Not duplicates, and the account of one does not make that of the other known.
    assert_eq!(b.verdicts(vec![event("2", "acme")]).await, ["HELD"]);
    assert_eq!(
        b.verdicts(vec![account_at("1", "acme", "of b", NOW)]).await,
        ["ACCEPTED"]
    );
    assert_eq!(b.counts("web").await, [2, 0, 0, 0, 0]);
    assert_eq!(a.counts("web").await, [2, 0, 0, 1, 1]);
    // Held records of an account are replayed for its own tenant only.
    b.send(vec![account("5", "nobody")]).await;
    assert_eq!(a.counts("web").await, [2, 0, 0, 1, 1]);
    let read = |tenant: &Tenant| {
        let request = pb::ReadFactsRequest {
            tenant_id: tenant.id_bytes().into(),
            ..Default::default()
        };
        let mut client = world.by(&world.service).feed();
        async move { client.read_facts(request).await.unwrap().into_inner() }
    };
    let (of_a, of_b) = (read(&a).await, read(&b).await);
    let uids = |answer: &pb::ReadFactsResponse| {
        answer
            .entries
            .iter()
            .flat_map(|entry| &entry.facts)
            .map(|fact| fact.account_uid.clone())
            .collect::<Vec<_>>()
    };
    assert!(uids(&of_a).iter().all(|uid| !uids(&of_b).contains(uid)));
    let names: Vec<String> = of_a
        .entries
        .iter()
        .flat_map(|entry| &entry.facts)
        .map(|fact| record::decode(&fact.record).unwrap().id)
        .collect();
    assert_eq!(names, ["1", "2"]);
    let mut stream = Open::new(&b.clients).await;
    stream.send(1, vec![event("of b alone", "acme")]).await;
    assert_eq!(stream.next().await.accepted, 1);
    assert_eq!(a.counts("web").await, [2, 0, 0, 1, 1]);
}

#[tokio::test]
async fn tokens_positions_and_request_ids_of_one_tenant_are_nothing_to_another() {
    let (_world, a, b) = two().await;
    a.send(vec![account("6", "second"), event("7", "nobody")])
        .await;
    b.send(vec![account("6", "second"), account("8", "third")])
        .await;
    let page = a
        .clients
        .accounts()
        .list_accounts(pb::ListAccountsRequest {
            page_size: 1,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert!(!page.next_page_token.is_empty());
    let stolen = pb::ListAccountsRequest {
        page_token: page.next_page_token,
        ..Default::default()
    };
    assert_eq!(
        reason(b.clients.accounts().list_accounts(stolen).await),
        "PAGE_TOKEN_INVALID"
    );
    let held = a
        .clients
        .ingestion()
        .list_held(pb::ListHeldRequest {
            page_size: 1,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let stolen = pb::ListHeldRequest {
        page_token: held.next_page_token,
        ..Default::default()
    };
    assert_eq!(
        reason(b.clients.ingestion().list_held(stolen).await),
        "PAGE_TOKEN_INVALID"
    );
    let at = Some(ReadAt {
        at_least_position: page.freshness.unwrap().position,
        ..ReadAt::default()
    });
    let get = pb::GetAccountRequest {
        account: account_ref("second"),
        at,
    };
    assert_eq!(
        reason(b.clients.accounts().get_account(get).await),
        "POSITION_INVALID"
    );
    let id = request_id();
    let start = pb::StartImportRequest { request_id: id };
    let of_a = a
        .clients
        .tenants()
        .start_import(start.clone())
        .await
        .unwrap()
        .into_inner();
    let of_b = b
        .clients
        .tenants()
        .start_import(start)
        .await
        .unwrap()
        .into_inner();
    assert_ne!(of_a.position, of_b.position);
}

#[tokio::test]
async fn changes_reach_no_other_tenant() {
    let (world, a, b) = two().await;
    let revoke = pb::RevokeKeyRequest {
        key_id: a.key.id().to_string(),
        request_id: request_id(),
    };
    assert_eq!(
        reason(b.clients.access().revoke_key(revoke).await),
        "KEY_UNKNOWN"
    );
    assert_eq!(a.counts("web").await[0], 2);
    let asked = pb::Tenant {
        name: "c".to_owned(),
        ..crate::world::plain_tenant()
    };
    let create = pb::CreateTenantRequest {
        tenant: Some(asked),
        request_id: request_id(),
    };
    assert_eq!(
        reason(b.clients.tenants().create_tenant(create).await),
        "SCOPE_MISSING"
    );
    let named = || {
        let mut request = Request::new(pb::IngestBatchRequest {
            records: vec![account("9", "ninth")],
            ..Default::default()
        });
        request
            .metadata_mut()
            .insert(TENANT_HEADER, a.id.parse().unwrap());
        request
    };
    assert_eq!(
        reason(b.clients.ingestion().ingest_batch(named()).await),
        "TENANT_UNKNOWN"
    );
    b.clients
        .tenants()
        .start_import(pb::StartImportRequest {
            request_id: request_id(),
        })
        .await
        .unwrap();
    let get = pb::GetAccountRequest {
        account: account_ref("acme"),
        at: None,
    };
    let shown = a
        .clients
        .accounts()
        .get_account(get)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        shown.freshness.unwrap().state(),
        sextant_proto::common::v1::FreshnessState::Fresh
    );
    // A key of the installation lists the keys of the tenant that it names.
    let mut list = Request::new(pb::ListKeysRequest::default());
    list.metadata_mut()
        .insert(TENANT_HEADER, b.id.parse().unwrap());
    let keys = world
        .by(&world.operator)
        .access()
        .list_keys(list)
        .await
        .unwrap()
        .into_inner()
        .keys;
    assert_eq!(
        keys.iter().map(|key| &key.tenant_id).collect::<Vec<_>>(),
        [&b.id]
    );
}
