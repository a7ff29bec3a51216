//! Two replicas over one store.

use std::sync::Arc;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_ingestion::Deps;
use sextant_proto::common::v1::ReadAt;
use sextant_proto::ingestion::v1 as pb;
use sextant_store::port::{Feed, FeedEntry, SliceHeads};
use sextant_store::{BoxFuture, Error};
use sextant_wire::time::timestamp;

use crate::records::{DAY, account, account_ref, event};
use crate::world::{NOW, World, plain_tenant, request_id, told, within};

#[tokio::test]
async fn a_retry_that_reaches_another_replica_gets_a_position_that_covers_the_first_delivery() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let other = world.replica(&tenant.key);
    // The other replica looks at the store once, before anything is there; its next look is two seconds away.
    let get = |at| pb::GetAccountRequest {
        account: account_ref("a"),
        at,
    };
    assert!(other.accounts().get_account(get(None)).await.is_err());
    let records = vec![account("1", "a"), event("2", "a")];
    let first = tenant.send(records.clone()).await;
    let batch = pb::IngestBatchRequest {
        records,
        ..Default::default()
    };
    let again = other
        .ingestion()
        .ingest_batch(batch)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        again.verdicts.iter().map(told).collect::<Vec<_>>(),
        ["DUPLICATE", "DUPLICATE"]
    );
    assert_eq!(again.position, first.position);
}

/// A feed that cannot be read.
#[derive(Debug)]
struct Silent;

impl Silent {
    fn error<T>() -> BoxFuture<'static, sextant_store::Result<T>> {
        Box::pin(async { Err(Error::unavailable("reading the feed", "down")) })
    }
}

impl Feed for Silent {
    fn heads(&self) -> BoxFuture<'_, sextant_store::Result<Vec<Head>>> {
        Self::error()
    }

    fn heads_of(&self, _: TenantId) -> BoxFuture<'_, sextant_store::Result<SliceHeads>> {
        Self::error()
    }

    fn entries(
        &self,
        _: TenantId,
        _: Slice,
        _: u64,
        _: usize,
    ) -> BoxFuture<'_, sextant_store::Result<Vec<FeedEntry>>> {
        Self::error()
    }
}

#[tokio::test]
async fn a_batch_that_is_stored_is_acknowledged_without_a_position_where_that_cannot_be_read() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let silent = world.replica_with(&tenant.key, |deps| Deps {
        feed: Arc::new(Silent),
        ..deps
    });
    tenant.send(vec![account("1", "a")]).await;
    let batch = |records| pb::IngestBatchRequest {
        records,
        ..Default::default()
    };
    let send = async |records| {
        let sent = silent.ingestion().ingest_batch(batch(records)).await;
        let answer = sent.unwrap().into_inner();
        let verdicts: Vec<String> = answer.verdicts.iter().map(told).collect();
        (verdicts, answer.position)
    };
    let again = send(vec![account("1", "a"), event("2", "a")]).await;
    let expected = ["DUPLICATE", "ACCEPTED"].map(str::to_owned).to_vec();
    assert_eq!(again, (expected, String::new()));
    // What it has stored itself it knows.
    let (verdicts, position) = send(vec![event("3", "a")]).await;
    assert_eq!(verdicts, ["ACCEPTED"]);
    assert_ne!(position, "");
}

#[tokio::test]
async fn a_position_of_one_replica_can_be_read_at_another_at_once() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let other = world.replica(&tenant.key);
    let position = tenant.send(vec![account("1", "a")]).await.position;
    let at = Some(ReadAt {
        at_least_position: position.clone(),
        ..ReadAt::default()
    });
    let request = pb::GetAccountRequest {
        account: account_ref("a"),
        at,
    };
    let answer = within(other.accounts().get_account(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.freshness.unwrap().position, position);
}

#[tokio::test]
async fn a_moment_to_which_one_replica_moved_the_clock_can_be_read_at_another_at_once() {
    let world = World::new().await;
    let tenant = world
        .tenant_as(pb::Tenant {
            name: "fixed".into(),
            fixed_clock: Some(timestamp(NOW)),
            ..plain_tenant()
        })
        .await;
    let other = world.replica(&tenant.key);
    tenant.send(vec![account("1", "a")]).await;
    let read = async |at| {
        let request = pb::GetAccountRequest {
            account: account_ref("a"),
            at: Some(at),
        };
        let answer = within(other.accounts().get_account(request)).await.unwrap();
        answer.into_inner().freshness.unwrap().as_of
    };
    assert_eq!(read(ReadAt::default()).await, Some(timestamp(NOW)));
    let later = Some(timestamp(NOW.plus_us(DAY)));
    let advance = pb::AdvanceClockRequest {
        to: later,
        request_id: request_id(),
    };
    let moved = tenant.clients.tenants().advance_clock(advance).await;
    let at_least_position = moved.unwrap().into_inner().position;
    let at = ReadAt {
        at_least_position,
        ..ReadAt::default()
    };
    assert_eq!(read(at.clone()).await, later);
    let there = ReadAt {
        as_of: later,
        known_at: later,
        ..at
    };
    assert_eq!(read(there).await, later);
}

#[tokio::test]
async fn a_tenant_is_made_once_even_if_the_retry_reaches_another_replica() {
    let world = World::new().await;
    let (one, other) = (world.by(&world.operator), world.replica(&world.operator));
    let request = pb::CreateTenantRequest {
        tenant: Some(plain_tenant()),
        request_id: request_id(),
    };
    let first = one
        .tenants()
        .create_tenant(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        other
            .tenants()
            .create_tenant(request)
            .await
            .unwrap()
            .into_inner(),
        first
    );
}
