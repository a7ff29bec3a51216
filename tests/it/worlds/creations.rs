//! What a service makes while it dies is there as a whole or not at all, and who asks again with the same request id has made
//! one of it.

use std::slice;

use tonic::{Code, Status};

use sextant::client::{Client, is};
use sextant::installation::Role;
use sextant_domain::id::{ExternalId, Slice};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{
    CreateKeyRequest, CreateTenantRequest, Key, ListKeysRequest, ListTenantsRequest, Scope, Tenant,
};
use sextant_proto::segmentation::v1::{
    CreateSegmentationRequest, ListSegmentationsRequest, Segmentation,
};
use sextant_runtime::auth;

use crate::worlds::measured::all_caught_up;
use crate::worlds::records::{accept, account, at, membership, now, subscription, try_membership};
use crate::worlds::world::{Shape, World, request_id, segmentation};

/// Whether what was asked for is there once the process that was asked is dead.
const MOMENTS: [(&str, bool); 2] = [("before", false), ("after", true)];
const CLOCK: &str = "2026-02-01T12:00";

/// Processes, one of which dies.
struct Fault<'w> {
    world: &'w World,
    role: Role,
    service: &'static str,
    moment: &'static str,
}

impl Fault<'_> {
    /// Starts the process as one that dies at the next thing that it makes.
    fn expect(&self) {
        self.world
            .restart_dying(self.role, [self.service, self.moment]);
    }

    /// Returns once the process is dead and was started again as a sound one.
    async fn is_over(&self, refused: Status) {
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        self.world.wait_for_death(self.role).await;
        self.world.kill_and_restart(self.role);
    }
}

async fn tenants_named(client: &Client, name: &str) -> Vec<Tenant> {
    let request = client.request(ListTenantsRequest::default());
    let answer = client.tenants().list_tenants(request).await;
    let mut tenants = answer.unwrap().into_inner().tenants;
    tenants.retain(|tenant| tenant.name == name);
    tenants
}

fn two_slices(name: &str) -> Tenant {
    Tenant {
        name: name.to_owned(),
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        fixed_clock: Some(at(CLOCK)),
        slices: 2,
        ..Tenant::default()
    }
}

async fn check_tenant(fault: &Fault<'_>, is_stored: bool) {
    let name = format!("made {}", fault.moment);
    let request = CreateTenantRequest {
        tenant: Some(two_slices(&name)),
        request_id: request_id(),
    };
    let create = async |client: Client| {
        let request = client.request(request.clone());
        let answer = client.tenants().create_tenant(request).await;
        answer.map(|answer| answer.into_inner().tenant.unwrap())
    };
    fault.expect();
    let refused = create(fault.world.client()).await.unwrap_err();
    fault.is_over(refused).await;

    let client = fault.world.client();
    let found = tenants_named(&client, &name).await;
    assert_eq!(found.len(), usize::from(is_stored));
    let made = create(client.clone()).await.unwrap();
    assert!(found.iter().all(|found| *found == made));
    assert_eq!(create(client.clone()).await.unwrap(), made);
    assert_eq!(tenants_named(&client, &name).await, slice::from_ref(&made));
    let client = client.of_tenant(&made).unwrap();
    accept(&client, vec![account("a", at("2026-01-01T00:00"))]).await;
}

async fn check_key(fault: &Fault<'_>, is_stored: bool) {
    let title = format!("made {}", fault.moment);
    let key = Key {
        scopes: vec![Scope::Admin.into()],
        title: title.clone(),
        ..Key::default()
    };
    let request = CreateKeyRequest {
        key: Some(key),
        request_id: request_id(),
    };
    let create = async |client: Client| {
        let request = client.request(request.clone());
        let answer = client.access().create_key(request).await;
        answer.map(|answer| answer.into_inner().secret)
    };
    let keys = async |client: Client| {
        let request = client.request(ListKeysRequest::default());
        let answer = client.access().list_keys(request).await;
        let mut keys = answer.unwrap().into_inner().keys;
        keys.retain(|key| key.title == title);
        keys.len()
    };
    fault.expect();
    let refused = create(fault.world.client()).await.unwrap_err();
    fault.is_over(refused).await;

    let client = fault.world.client();
    assert_eq!(keys(client.clone()).await, usize::from(is_stored));
    // Whoever did not read the secret never will; the one key that there is can be revoked.
    let again = create(client.clone()).await;
    match again {
        Ok(secret) => {
            assert!(!is_stored);
            let secret = auth::Key::parse(&secret).unwrap();
            tenants_named(&fault.world.client_with(&secret), "").await;
        },
        Err(status) => assert!(
            is_stored && is(&status, ErrorReason::SecretShown),
            "{status:?}"
        ),
    }
    let again = create(client.clone()).await.unwrap_err();
    assert!(is(&again, ErrorReason::SecretShown), "{again:?}");
    assert_eq!(keys(client).await, 1);
}

/// Deaths on the way of one segmentation: its definition is stored first, and then slice by slice the memberships that follow
/// from it. The first death is that of the request; at the others it was repeated by nobody.
const DEATHS: [(&str, &[&str], bool); 4] = [
    ("never-stored", &["before"], false),
    ("stored", &["after"], true),
    ("not-evaluated", &["after", "before"], true),
    ("half-evaluated", &["after", "after"], true),
];
const ACCOUNTS: [&str; 2] = ["a", "d"];

/// A tenant of two slices with an account in each, which nothing will be stored of by itself, and its position.
async fn settled_tenant(world: &World) -> (Tenant, String) {
    let slices = ACCOUNTS.map(|id| Slice::of_account(&ExternalId::parse(id).unwrap(), 2));
    assert_ne!(slices[0], slices[1]);
    let client = world.client();
    let request = CreateTenantRequest {
        tenant: Some(two_slices("segmented")),
        request_id: request_id(),
    };
    let mut tenants = client.tenants();
    let made = tenants.create_tenant(client.request(request)).await;
    let tenant = made.unwrap().into_inner().tenant.unwrap();
    let made = client.of_tenant(&tenant).unwrap();
    segmentation(&made, "rfm").await;
    let records = ACCOUNTS.map(|id| {
        let joined = account(id, at("2026-01-01T00:00"));
        [joined, subscription(id, at("2026-01-20T00:00"), 1, 1_000)]
    });
    let position = accept(&made, records.concat()).await;
    for id in ACCOUNTS {
        membership(&made, id, "rfm", &now(&position)).await;
    }
    // Past days are closed after that.
    all_caught_up(world).await;
    (tenant, position)
}

/// What is stored of it is evaluated without anybody asking for it again, and asking again finds that done.
async fn check_segmentation(world: &World, role: Role) {
    let (tenant, position) = settled_tenant(world).await;
    let position = now(&position);
    let client = || world.client().of_tenant(&tenant).unwrap();
    for (key, deaths, is_stored) in DEATHS {
        let asked = Segmentation {
            key: key.to_owned(),
            segmenter_id: "sextant.lifecycle".to_owned(),
            ..Segmentation::default()
        };
        let request = CreateSegmentationRequest {
            segmentation: Some(asked),
            request_id: request_id(),
            validate_only: false,
        };
        let create = async || {
            let client = client();
            let request = client.request(request.clone());
            let answer = client.segmentation().create_segmentation(request).await;
            answer.map(|answer| answer.into_inner().segmentation.unwrap())
        };
        let defined = async || {
            let client = client();
            let request = client.request(ListSegmentationsRequest::default());
            let answer = client.segmentation().list_segmentations(request).await;
            let mut defined = answer.unwrap().into_inner().segmentations;
            defined.retain(|one| one.key == key);
            defined
        };
        for (lives, &moment) in deaths.iter().enumerate() {
            let fault = Fault {
                world,
                role,
                service: "segmentation",
                moment,
            };
            fault.expect();
            let refused = if lives == 0 {
                create().await.unwrap_err()
            } else {
                try_membership(&client(), "a", key, &position)
                    .await
                    .unwrap_err()
            };
            fault.is_over(refused).await;
        }
        let found = defined().await;
        assert_eq!(found.len(), usize::from(is_stored), "{key}");
        let stages = async || {
            let mut stages = Vec::new();
            for id in ACCOUNTS {
                stages.push(membership(&client(), id, key, &position).await);
            }
            stages
        };
        let before = if is_stored {
            stages().await
        } else {
            Vec::new()
        };
        let made = create().await.unwrap();
        assert!(found.iter().all(|found| *found == made), "{key}");
        assert_eq!(create().await.unwrap(), made);
        assert_eq!(defined().await, [made]);
        let after = stages().await;
        assert!(
            after.iter().all(|one| one.segment == "onboarding"),
            "{key}: {after:?}"
        );
        assert!(
            !is_stored || before == after,
            "{key}: {before:?}, {after:?}"
        );
    }
}

async fn check(shape: Shape, [ingestion, segmentation]: [Role; 2]) {
    let world = World::start(shape).await;
    for (moment, is_stored) in MOMENTS {
        let fault = Fault {
            world: &world,
            role: ingestion,
            service: "ingestion",
            moment,
        };
        check_tenant(&fault, is_stored).await;
        check_key(&fault, is_stored).await;
    }
    check_segmentation(&world, segmentation).await;
    world.end().await;
}

#[tokio::test]
async fn what_one_process_makes_while_it_dies_is_there_or_not_and_is_made_once() {
    check(Shape::Embedded, [Role::All; 2]).await;
}

#[tokio::test]
async fn what_one_process_makes_over_a_database_while_it_dies_is_there_or_not_and_is_made_once() {
    check(Shape::Together, [Role::All; 2]).await;
}

#[tokio::test]
async fn what_a_service_of_its_own_process_makes_while_it_dies_is_there_or_not_and_is_made_once() {
    check(Shape::Apart, [Role::Ingestion, Role::Segmentation]).await;
}
