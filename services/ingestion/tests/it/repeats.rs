//! Every change, delivered again: at one time to two processes over one store, and later to one that has just started.

use tonic::Status;

use sextant_proto::ingestion::v1 as pb;
use sextant_proto::methods;
use sextant_wire::time::timestamp;

use crate::records::DAY;
use crate::world::{Clients, NOW, Tenant, World, plain_tenant, reason, request_id};

/// Calls that change nothing, and those whose records have identities of their own.
const NO_CHANGES: [&str; 7] = [
    "Get", "List", "Read", "Resolve", "Watch", "Ingest", "Replay",
];

/// Every rpc of the service that changes something, as the contract has them.
fn changes() -> Vec<&'static str> {
    let services = [
        methods::INGESTION_INGESTION_SERVICE,
        methods::INGESTION_ACCOUNT_SERVICE,
        methods::INGESTION_TENANT_SERVICE,
        methods::INGESTION_ACCESS_SERVICE,
        methods::INGESTION_FEED_SERVICE,
    ];
    let is_change = |rpc: &&str| !NO_CHANGES.iter().any(|verb| rpc.starts_with(verb));
    services.concat().into_iter().filter(is_change).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    First,
    Other,
}

/// A tenant with a fixed clock and two keys that may be revoked.
struct Scene {
    tenant: Tenant,
    keys: [String; 2],
}

/// Delivers a change; what it answers is told in words. A new rpc that changes something fails here until it is repeated too.
async fn deliver(
    clients: &Clients,
    rpc: &str,
    scene: &Scene,
    (id, parameters): (&str, Parameters),
) -> Result<String, Status> {
    let request_id = id.to_owned();
    let first = parameters == Parameters::First;
    let told = match rpc {
        "CreateTenant" => {
            let name = if first { "bolt" } else { "cog" }.to_owned();
            let tenant = Some(pb::Tenant {
                name,
                ..plain_tenant()
            });
            let request = pb::CreateTenantRequest { tenant, request_id };
            format!(
                "{:?}",
                clients.tenants().create_tenant(request).await?.into_inner()
            )
        },
        "StartImport" => {
            let request = pb::StartImportRequest { request_id };
            format!(
                "{:?}",
                clients.tenants().start_import(request).await?.into_inner()
            )
        },
        "CompleteImport" => {
            let history = if first { 1 } else { 2 };
            let request = pb::CompleteImportRequest {
                history,
                request_id,
            };
            format!(
                "{:?}",
                clients
                    .tenants()
                    .complete_import(request)
                    .await?
                    .into_inner()
            )
        },
        "AdvanceClock" => {
            let days = if first { 1 } else { 2 };
            let to = Some(timestamp(NOW.plus_us(days * DAY)));
            let request = pb::AdvanceClockRequest { to, request_id };
            format!(
                "{:?}",
                clients.tenants().advance_clock(request).await?.into_inner()
            )
        },
        "CreateKey" => {
            let key = Some(pb::Key {
                tenant_id: scene.tenant.id.clone(),
                scopes: vec![pb::Scope::Read.into()],
                title: if first { "one" } else { "another" }.to_owned(),
                ..pb::Key::default()
            });
            let request = pb::CreateKeyRequest { key, request_id };
            format!(
                "{:?}",
                clients.access().create_key(request).await?.into_inner()
            )
        },
        "RevokeKey" => {
            let key_id = scene.keys[usize::from(!first)].clone();
            let request = pb::RevokeKeyRequest { key_id, request_id };
            format!(
                "{:?}",
                clients.access().revoke_key(request).await?.into_inner()
            )
        },
        other => panic!("{other} changes something: say here how it is repeated"),
    };
    Ok(told)
}

/// Everything that the changes change, but for the feed.
async fn seen(operator: &Clients) -> String {
    let tenants = operator
        .tenants()
        .list_tenants(pb::ListTenantsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let keys = operator
        .access()
        .list_keys(pb::ListKeysRequest::default())
        .await
        .unwrap()
        .into_inner();
    format!("{tenants:?} {keys:?}")
}

async fn scene(world: &World) -> Scene {
    let tenant = world
        .tenant_as(pb::Tenant {
            fixed_clock: Some(timestamp(NOW)),
            ..plain_tenant()
        })
        .await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let key = world
            .key(&tenant.clients, &tenant.id, &[pb::Scope::Read])
            .await;
        keys.push(key.id().to_string());
    }
    Scene {
        keys: keys.try_into().unwrap(),
        tenant,
    }
}

#[tokio::test]
async fn every_change_is_made_once_whichever_process_its_request_reaches_and_when() {
    for rpc in changes() {
        let world = World::new().await;
        let scene = scene(&world).await;
        let key = match rpc {
            "CreateTenant" => &world.operator,
            _ => &scene.tenant.key,
        };
        if rpc == "CompleteImport" {
            let id = request_id();
            let asked = (id.as_str(), Parameters::First);
            let start = deliver(&scene.tenant.clients, "StartImport", &scene, asked);
            start.await.unwrap();
        }
        let operator = world.by(&world.operator);
        let before = seen(&operator).await;
        let id = request_id();
        let asked = (id.as_str(), Parameters::First);
        let (one, another) = (world.by(key), world.replica(key));
        let (first, second) = tokio::join!(
            deliver(&one, rpc, &scene, asked),
            deliver(&another, rpc, &scene, asked)
        );
        let after = seen(&operator).await;
        world.hand.advance_us(DAY);
        let restarted = world.replica(key);
        let later = deliver(&restarted, rpc, &scene, asked).await;
        if rpc == "CreateKey" {
            let made = [first, second].into_iter().filter(Result::is_ok).count();
            assert_eq!(made, 1, "one delivery is told the secret");
            let refused = later.unwrap_err();
            assert!(refused.message().contains("revoke"), "{refused}");
            assert_eq!(reason::<()>(Err(refused)), "SECRET_SHOWN");
        } else {
            let first = first.unwrap();
            assert_eq!(second.unwrap(), first, "{rpc}");
            assert_eq!(later.unwrap(), first, "{rpc}");
        }
        // An import that is open shows in its position only.
        if !rpc.ends_with("Import") {
            assert_ne!(after, before, "{rpc}");
        }
        // Nothing else about StartImport can be asked for.
        if rpc != "StartImport" {
            let other = deliver(&restarted, rpc, &scene, (&id, Parameters::Other)).await;
            assert_eq!(reason(other), "REQUEST_ID_REUSED", "{rpc}");
        }
        assert_eq!(seen(&operator).await, after, "{rpc}");
    }
}

#[tokio::test]
async fn a_request_id_belongs_to_one_rpc() {
    let world = World::new().await;
    let scene = scene(&world).await;
    let id = request_id();
    for rpc in ["StartImport", "CompleteImport", "AdvanceClock"] {
        let asked = (id.as_str(), Parameters::First);
        let made = deliver(&scene.tenant.clients, rpc, &scene, asked).await;
        assert!(made.is_ok(), "{rpc}: {made:?}");
    }
}
