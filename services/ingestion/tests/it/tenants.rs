use uuid::Uuid;

use sextant_proto::common::v1::FreshnessState;
use sextant_proto::ingestion::v1 as pb;
use sextant_wire::time::timestamp;

use crate::records::{DAY, account, account_ref};
use crate::world::{NOW, Tenant, World, plain_tenant, reason, request_id};

fn create(tenant: pb::Tenant, request_id: &str) -> pb::CreateTenantRequest {
    pb::CreateTenantRequest {
        tenant: Some(tenant),
        request_id: request_id.to_owned(),
    }
}

#[tokio::test]
async fn a_tenant_is_made_once_however_often_the_request_comes() {
    let world = World::new().await;
    let mut client = world.by(&world.operator).tenants();
    let id = request_id();
    let asked = pb::Tenant {
        retention_days: 0,
        slices: 0,
        ..plain_tenant()
    };
    let first = client
        .create_tenant(create(asked.clone(), &id))
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(
        Uuid::parse_str(&first.tenant_id).unwrap().get_version_num(),
        7
    );
    assert_eq!(
        (first.retention_days, first.slices, first.created_at),
        (395, 1, Some(timestamp(NOW)))
    );
    world.hand.advance_us(DAY);
    let again = client
        .create_tenant(create(asked.clone(), &id))
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(again, first);
    let changed = pb::Tenant {
        base_currency: "EUR".to_owned(),
        ..asked.clone()
    };
    assert_eq!(
        reason(client.create_tenant(create(changed, &id)).await),
        "REQUEST_ID_REUSED"
    );
    assert_eq!(
        reason(client.create_tenant(create(asked, &request_id())).await),
        "ALREADY_EXISTS"
    );
}

#[tokio::test]
async fn a_tenant_says_how_rfm_scores_equal_values() {
    use pb::RfmTiePolicy::{PandasRankFirst, RRfmCompat, Unspecified, ValueQuantile};
    let world = World::new().await;
    for (number, asked, expected) in [
        (0, Unspecified, ValueQuantile),
        (1, ValueQuantile, ValueQuantile),
        (2, RRfmCompat, RRfmCompat),
        (3, PandasRankFirst, PandasRankFirst),
    ] {
        let tenant = pb::Tenant {
            name: format!("tenant {number}"),
            rfm_tie_policy: asked.into(),
            ..plain_tenant()
        };
        let mut client = world.by(&world.operator).tenants();
        let request = create(tenant.clone(), &request_id());
        let made = client.create_tenant(request).await.unwrap().into_inner();
        assert_eq!(made.tenant.unwrap().rfm_tie_policy(), expected);
        let request = pb::GetTenantRequest {
            tenant: tenant.name,
        };
        let read = client.get_tenant(request).await.unwrap().into_inner();
        assert_eq!(read.tenant.unwrap().rfm_tie_policy(), expected);
    }
    let unknown = pb::Tenant {
        rfm_tie_policy: 9,
        ..plain_tenant()
    };
    let mut client = world.by(&world.operator).tenants();
    let refused = client.create_tenant(create(unknown, &request_id())).await;
    let message = refused.as_ref().unwrap_err().message();
    assert!(message.starts_with("tenant.rfm_tie_policy: "), "{message}");
    assert_eq!(reason(refused), "FIELD_INVALID");
}

/// Tenants that must not be, with the reason and the field.
fn bad_tenants() -> Vec<(pb::Tenant, &'static str, &'static str)> {
    let tenant = plain_tenant;
    vec![
        (
            pb::Tenant {
                name: String::new(),
                ..tenant()
            },
            "FIELD_MISSING",
            "tenant.name",
        ),
        (
            pb::Tenant {
                name: "x".repeat(201),
                ..tenant()
            },
            "FIELD_TOO_LONG",
            "tenant.name",
        ),
        (
            pb::Tenant {
                name: request_id(),
                ..tenant()
            },
            "FIELD_INVALID",
            "tenant.name",
        ),
        (
            pb::Tenant {
                time_zone: String::new(),
                ..tenant()
            },
            "FIELD_MISSING",
            "tenant.time_zone",
        ),
        (
            pb::Tenant {
                time_zone: "Mars/Base".into(),
                ..tenant()
            },
            "FIELD_INVALID",
            "tenant.time_zone",
        ),
        (
            pb::Tenant {
                base_currency: "XYZ".into(),
                ..tenant()
            },
            "CURRENCY_UNKNOWN",
            "tenant.base_currency",
        ),
        (
            pb::Tenant {
                slices: 257,
                ..tenant()
            },
            "FIELD_INVALID",
            "tenant.slices",
        ),
        (
            pb::Tenant {
                retention_days: 36_501,
                ..tenant()
            },
            "FIELD_INVALID",
            "tenant.retention_days",
        ),
        (
            pb::Tenant {
                fixed_clock: Some(timestamp(sextant_domain::time::Instant(-1))),
                ..tenant()
            },
            "TIME_BEFORE_1970",
            "tenant.fixed_clock",
        ),
    ]
}

#[tokio::test]
async fn a_tenant_with_a_bad_field_is_refused_by_name() {
    let world = World::new().await;
    let mut client = world.by(&world.operator).tenants();
    for (bad, expected, field) in bad_tenants() {
        let status = client
            .create_tenant(create(bad, &request_id()))
            .await
            .unwrap_err();
        assert!(
            status.message().starts_with(&format!("{field}: ")),
            "{status}"
        );
        assert_eq!(reason(Err::<(), _>(status)), expected);
    }
    assert_eq!(
        reason(client.create_tenant(create(plain_tenant(), "")).await),
        "FIELD_MISSING"
    );
    assert_eq!(
        reason(client.create_tenant(create(plain_tenant(), "7")).await),
        "FIELD_INVALID"
    );
    let nothing = pb::CreateTenantRequest {
        tenant: None,
        request_id: request_id(),
    };
    assert_eq!(reason(client.create_tenant(nothing).await), "FIELD_MISSING");
}

#[tokio::test]
async fn tenants_are_found_by_id_and_name_and_listed_by_name() {
    let world = World::new().await;
    let tenants = [
        world.tenant("b").await,
        world.tenant("a").await,
        world.tenant("c").await,
    ];
    let operator = world.by(&world.operator);
    let get = |tenant: &str| {
        let (mut client, tenant) = (operator.tenants(), tenant.to_owned());
        async move {
            Ok::<_, tonic::Status>(
                client
                    .get_tenant(pb::GetTenantRequest { tenant })
                    .await?
                    .into_inner()
                    .tenant
                    .unwrap(),
            )
        }
    };
    assert_eq!(get("b").await.unwrap(), get(&tenants[0].id).await.unwrap());
    assert_eq!(reason(get("d").await), "TENANT_UNKNOWN");
    assert_eq!(reason(get(&request_id()).await), "TENANT_UNKNOWN");
    assert_eq!(reason(get("").await), "FIELD_MISSING");
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = operator
            .tenants()
            .list_tenants(pb::ListTenantsRequest {
                page_size: 2,
                page_token,
            })
            .await
            .unwrap()
            .into_inner();
        names.extend(page.tenants.into_iter().map(|tenant| tenant.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
}

/// The import marks of one feed.
async fn marks(world: &World, tenant: &Tenant, slice: u32) -> Vec<(bool, pb::HistorySchedule)> {
    let request = pb::ReadFactsRequest {
        tenant_id: tenant.id_bytes().into(),
        slice,
        after_sequence: 0,
    };
    let read = world
        .by(&world.service)
        .feed()
        .read_facts(request)
        .await
        .unwrap()
        .into_inner();
    let marks = read.entries.into_iter().filter_map(|entry| entry.import);
    marks.map(|mark| (mark.completed, mark.history())).collect()
}

#[tokio::test]
async fn an_import_is_opened_and_completed_once_and_followers_hear_of_both() {
    let world = World::new().await;
    let tenant = world
        .tenant_as(pb::Tenant {
            slices: 2,
            ..plain_tenant()
        })
        .await;
    tenant.send(vec![account("1", "a")]).await;
    let mut client = tenant.clients.tenants();
    let opened_at = async || {
        let request = pb::GetTenantRequest::default();
        let shown = tenant.clients.tenants().get_tenant(request).await.unwrap();
        shown.into_inner().tenant.unwrap().import_opened_at
    };
    let complete = |history: i32, request_id: &str| pb::CompleteImportRequest {
        history,
        request_id: request_id.to_owned(),
    };
    assert_eq!(
        reason(client.complete_import(complete(0, &request_id())).await),
        "IMPORT_STATE"
    );
    let id = request_id();
    let start = |request_id: &str| pb::StartImportRequest {
        request_id: request_id.to_owned(),
    };
    let first = client.start_import(start(&id)).await.unwrap().into_inner();
    assert_eq!(
        client.start_import(start(&id)).await.unwrap().into_inner(),
        first
    );
    let refused = client.start_import(start(&request_id())).await;
    let message = refused.as_ref().unwrap_err().message();
    assert_eq!(
        message,
        "an import is open since 2026-01-15T12:00:00Z; it has to be completed first"
    );
    assert_eq!(reason(refused), "IMPORT_STATE");
    assert_eq!(opened_at().await, Some(timestamp(NOW)));
    let shown = tenant
        .clients
        .accounts()
        .get_account(pb::GetAccountRequest {
            account: account_ref("a"),
            at: None,
        })
        .await
        .unwrap();
    assert_eq!(
        shown.into_inner().freshness.unwrap().state(),
        FreshnessState::Backfilling
    );
    assert_eq!(
        reason(client.complete_import(complete(9, &request_id())).await),
        "FIELD_INVALID"
    );
    let monthly = pb::HistorySchedule::Monthly.into();
    let done = client
        .complete_import(complete(monthly, &request_id()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(opened_at().await, None);
    assert_ne!(done.position, first.position);
    assert_eq!(
        reason(client.complete_import(complete(0, &request_id())).await),
        "IMPORT_STATE"
    );
    for slice in 0..2 {
        assert_eq!(
            marks(&world, &tenant, slice).await,
            [
                (false, pb::HistorySchedule::Unspecified),
                (true, pb::HistorySchedule::Monthly)
            ]
        );
    }
}

#[tokio::test]
async fn a_fixed_clock_moves_forward_only_and_followers_hear_of_it() {
    let world = World::new().await;
    let advance = |at: sextant_domain::time::Instant, request_id: &str| pb::AdvanceClockRequest {
        to: Some(timestamp(at)),
        request_id: request_id.to_owned(),
    };
    let real = world.tenant("real").await;
    assert_eq!(
        reason(
            real.clients
                .tenants()
                .advance_clock(advance(NOW, &request_id()))
                .await
        ),
        "CLOCK_STATE"
    );
    let tenant = world
        .tenant_as(pb::Tenant {
            name: "fixed".into(),
            fixed_clock: Some(timestamp(NOW)),
            ..plain_tenant()
        })
        .await;
    let mut client = tenant.clients.tenants();
    let id = request_id();
    let first = client
        .advance_clock(advance(NOW.plus_us(DAY), &id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        client
            .advance_clock(advance(NOW.plus_us(DAY), &id))
            .await
            .unwrap()
            .into_inner(),
        first
    );
    assert_eq!(
        reason(
            client
                .advance_clock(advance(NOW.plus_us(2 * DAY), &id))
                .await
        ),
        "REQUEST_ID_REUSED"
    );
    assert_eq!(
        reason(client.advance_clock(advance(NOW, &request_id())).await),
        "CLOCK_STATE"
    );
    let nowhere = pb::AdvanceClockRequest {
        to: None,
        request_id: request_id(),
    };
    assert_eq!(reason(client.advance_clock(nowhere).await), "FIELD_MISSING");
    let request = pb::ReadFactsRequest {
        tenant_id: tenant.id_bytes().into(),
        ..Default::default()
    };
    let read = world
        .by(&world.service)
        .feed()
        .read_facts(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        read.entries
            .iter()
            .map(|entry| entry.clock)
            .collect::<Vec<_>>(),
        [Some(timestamp(NOW.plus_us(DAY)))]
    );
    assert_eq!(
        read.tenant.unwrap().fixed_clock,
        Some(timestamp(NOW.plus_us(DAY)))
    );
}

#[tokio::test]
async fn a_fixed_clock_goes_at_most_400_days_at_once() {
    let world = World::new().await;
    let tenant = world
        .tenant_as(pb::Tenant {
            name: "fixed".into(),
            fixed_clock: Some(timestamp(NOW)),
            ..plain_tenant()
        })
        .await;
    let mut client = tenant.clients.tenants();
    let advance = |us: i64| pb::AdvanceClockRequest {
        to: Some(timestamp(NOW.plus_us(us))),
        request_id: request_id(),
    };
    let refused = client
        .advance_clock(advance(400 * DAY + 1))
        .await
        .unwrap_err();
    let message = refused.message();
    assert!(
        message.starts_with("to: is more than 400 days after"),
        "{message}"
    );
    assert_eq!(reason::<()>(Err(refused)), "FIELD_INVALID");
    for days in [400, 800] {
        client.advance_clock(advance(days * DAY)).await.unwrap();
    }
}
