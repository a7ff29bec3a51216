//! What a service makes while it dies is there as a whole or not at all, and who asks again with the same request id has made
//! one of it.

use std::slice;

use tonic::{Code, Status};

use sextant::client::{Client, is};
use sextant::installation::Role;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{
    CreateKeyRequest, CreateTenantRequest, Key, ListKeysRequest, ListTenantsRequest, Scope, Tenant,
};
use sextant_proto::segmentation::v1::{
    CreateSegmentationRequest, ListSegmentationsRequest, Segmentation,
};
use sextant_runtime::auth;

use crate::worlds::measured::all_caught_up;
use crate::worlds::records::{accept, account, at, membership, now, subscription};
use crate::worlds::world::{Shape, World, request_id, segmentation, tenant};

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

async fn check_tenant(fault: &Fault<'_>, is_stored: bool) {
    let name = format!("made {}", fault.moment);
    let asked = Tenant {
        name: name.clone(),
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        fixed_clock: Some(at(CLOCK)),
        slices: 2,
        ..Tenant::default()
    };
    let request = CreateTenantRequest {
        tenant: Some(asked),
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

/// Its definition is stored first, and then the memberships that follow from it: its service dies before and after each. As
/// long as nobody has an answer, asking again finishes what was cut off.
async fn check_segmentation(world: &World, role: Role) {
    let made = tenant(&world.client(), "segmented", at(CLOCK)).await;
    segmentation(&made, "rfm").await;
    let records = vec![
        account("a", at("2026-01-01T00:00")),
        subscription("a", at("2026-01-20T00:00"), 1, 1_000),
    ];
    let position = now(&accept(&made, records).await);
    membership(&made, "a", "rfm", &position).await;
    // Past days are closed after that; nothing else is to be stored while the service dies.
    all_caught_up(world).await;
    let tenant = world.client().find_tenant(Some("segmented")).await.unwrap();
    let client = || world.client().of_tenant(&tenant).unwrap();

    let asked = Segmentation {
        key: "lifecycle".to_owned(),
        segmenter_id: "sextant.lifecycle".to_owned(),
        ..Segmentation::default()
    };
    let request = CreateSegmentationRequest {
        segmentation: Some(asked),
        request_id: request_id(),
        validate_only: false,
    };
    let create = async |client: Client| {
        let request = client.request(request.clone());
        let answer = client.segmentation().create_segmentation(request).await;
        answer.map(|answer| answer.into_inner().segmentation.unwrap())
    };
    let defined = async || {
        let client = client();
        let request = client.request(ListSegmentationsRequest::default());
        let answer = client.segmentation().list_segmentations(request).await;
        let mut defined = answer.unwrap().into_inner().segmentations;
        defined.retain(|one| one.key == "lifecycle");
        defined
    };
    let mut found = Vec::new();
    for (moment, is_stored) in [
        ("before", false),
        ("after", true),
        ("before", true),
        ("after", true),
    ] {
        let fault = Fault {
            world,
            role,
            service: "segmentation",
            moment,
        };
        fault.expect();
        let refused = create(client()).await.unwrap_err();
        fault.is_over(refused).await;
        found = defined().await;
        assert_eq!(found.len(), usize::from(is_stored), "{moment}");
    }
    let stage = membership(&client(), "a", "lifecycle", &position).await;
    assert_eq!(stage.segment, "onboarding");
    for _ in 0..2 {
        assert_eq!(found, [create(client()).await.unwrap()]);
    }
    assert_eq!(defined().await, found);
    let again = membership(&client(), "a", "lifecycle", &position).await;
    assert_eq!(again, stage);
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
async fn what_a_service_of_its_own_process_makes_while_it_dies_is_there_or_not_and_is_made_once() {
    check(Shape::Apart, [Role::Ingestion, Role::Segmentation]).await;
}
