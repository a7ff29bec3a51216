//! Short ways to write records and to ask about them.

use std::collections::BTreeMap;

use prost_types::Timestamp;

use sextant::client::Client;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::{EntityKind, EntityRef, Money, ReadAt};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::metrics::v1::{GetRevenueRequest, GetRevenueResponse};
use sextant_proto::scoring::v1::feature::Value;
use sextant_proto::scoring::v1::{GetFeaturesRequest, GetScoresRequest, Score};
use sextant_proto::segmentation::v1::{
    GetMembershipRequest, ListSegmentsRequest, Membership, SegmentSummary,
};

use crate::worlds::world::request_id;

const HOUR_US: i64 = 3_600_000_000;

/// `2026-03-15T10:30`, in UTC.
pub(crate) fn at(text: &str) -> Timestamp {
    sextant_wire::time::timestamp(Instant::parse(&format!("{text}:00Z")).unwrap())
}

/// When a day is closed.
pub(crate) fn last_instant_of(day: &str) -> Timestamp {
    let start = Instant::parse(&format!("{day}T00:00:00Z")).unwrap();
    sextant_wire::time::timestamp(start.plus_us(24 * HOUR_US - 1))
}

/// So many hours after a moment.
pub(crate) fn later(start: &str, hours: usize) -> Timestamp {
    let start = Instant::parse(&format!("{start}:00Z")).unwrap();
    let hours = i64::try_from(hours).unwrap();
    sextant_wire::time::timestamp(start.plus_us(hours * HOUR_US))
}

fn record(id: String, time: Timestamp, fact: Fact) -> pb::Record {
    pb::Record {
        source: "test".to_owned(),
        id,
        time: Some(time),
        fact: Some(fact),
        ..pb::Record::default()
    }
}

pub(crate) fn account(account: &str, time: Timestamp) -> pb::Record {
    let fact = pb::AccountFact {
        account_id: account.to_owned(),
        name: account.to_uppercase(),
        ..pb::AccountFact::default()
    };
    record(format!("account {account}"), time, Fact::Account(fact))
}

/// The id of an event is its account, time and user.
pub(crate) fn event(account: &str, user: &str, time: Timestamp) -> pb::Record {
    let fact = pb::EventFact {
        account_id: account.to_owned(),
        user_id: user.to_owned(),
        r#type: "session.start".to_owned(),
        ..pb::EventFact::default()
    };
    record(
        format!("event {account} {user} {time}"),
        time,
        Fact::Event(fact),
    )
}

/// An active monthly subscription of one item from a moment on; an account has at most one.
pub(crate) fn subscription(
    account: &str,
    time: Timestamp,
    seats: u64,
    unit_minor: i64,
) -> pb::Record {
    subscription_since(time, account, time, seats, unit_minor)
}

/// The same, as it stands at a moment after its beginning.
pub(crate) fn subscription_since(
    started_at: Timestamp,
    account: &str,
    time: Timestamp,
    seats: u64,
    unit_minor: i64,
) -> pb::Record {
    let price = pb::Price {
        price_id: "seat".to_owned(),
        unit_amount: money(unit_minor),
        interval: pb::BillingInterval::Month.into(),
        ..pb::Price::default()
    };
    let item = pb::SubscriptionItem {
        price: Some(price),
        quantity: seats,
        ..pb::SubscriptionItem::default()
    };
    let fact = pb::SubscriptionFact {
        account_id: account.to_owned(),
        subscription_id: format!("subscription of {account}"),
        status: pb::SubscriptionStatus::Active.into(),
        started_at: Some(started_at),
        items: vec![item],
        ..pb::SubscriptionFact::default()
    };
    record(
        format!("subscription {account} {time}"),
        time,
        Fact::Subscription(fact),
    )
}

/// The account's subscription, ended by itself.
pub(crate) fn canceled(started_at: Timestamp, account: &str, time: Timestamp) -> pb::Record {
    let record = subscription_since(started_at, account, time, 1, 1_000);
    amended(record, |fact| {
        fact.set_status(pb::SubscriptionStatus::Canceled);
        fact.canceled_at = Some(time);
        fact.ended_at = Some(time);
        fact.set_cancellation(pb::CancellationKind::Voluntary);
    })
}

/// The record of a subscription that says something else of it.
pub(crate) fn amended(
    mut record: pb::Record,
    change: impl FnOnce(&mut pb::SubscriptionFact),
) -> pb::Record {
    if let Some(Fact::Subscription(fact)) = &mut record.fact {
        change(fact);
    }
    record
}

fn money(minor: i64) -> Option<Money> {
    Some(Money {
        minor,
        currency: "USD".to_owned(),
    })
}

/// An invoice that is open from a moment on.
pub(crate) fn invoice(id: &str, account: &str, time: Timestamp, minor: i64) -> pb::Record {
    let fact = pb::InvoiceFact {
        account_id: account.to_owned(),
        invoice_id: id.to_owned(),
        status: pb::InvoiceStatus::Open.into(),
        total: money(minor),
        ..pb::InvoiceFact::default()
    };
    record(format!("invoice {id}"), time, Fact::Invoice(fact))
}

/// A payment whose money came at a moment.
pub(crate) fn payment(id: &str, account: &str, time: Timestamp, minor: i64) -> pb::Record {
    let fact = pb::PaymentFact {
        account_id: account.to_owned(),
        payment_id: id.to_owned(),
        status: pb::PaymentStatus::Succeeded.into(),
        amount: money(minor),
        ..pb::PaymentFact::default()
    };
    record(format!("payment {id}"), time, Fact::Payment(fact))
}

/// Sends one batch.
pub(crate) async fn send(
    client: &Client,
    records: Vec<pb::Record>,
) -> Result<pb::IngestBatchResponse, tonic::Status> {
    let request = pb::IngestBatchRequest {
        records,
        ..pb::IngestBatchRequest::default()
    };
    let answer = client
        .ingestion()
        .ingest_batch(client.request(request))
        .await?;
    Ok(answer.into_inner())
}

/// Sends records that all are new, and gives the position that stands for them.
pub(crate) async fn accept(client: &Client, records: Vec<pb::Record>) -> String {
    let answer = send(client, records).await.unwrap();
    let odd = answer
        .verdicts
        .iter()
        .find(|verdict| verdict.kind() != pb::VerdictKind::Accepted);
    assert_eq!(odd, None);
    answer.position
}

/// Moves the tenant's clock, and gives the position that stands for it.
pub(crate) async fn advance(client: &Client, to: Timestamp) -> Result<String, tonic::Status> {
    advance_by(client, to, request_id()).await
}

/// The same by a request that may have been sent before.
pub(crate) async fn advance_by(
    client: &Client,
    to: Timestamp,
    request_id: String,
) -> Result<String, tonic::Status> {
    let request = pb::AdvanceClockRequest {
        to: Some(to),
        request_id,
    };
    let answer = client
        .tenants()
        .advance_clock(client.request(request))
        .await?;
    Ok(answer.into_inner().position)
}

pub(crate) fn entity(account: &str) -> Option<EntityRef> {
    Some(EntityRef {
        kind: EntityKind::Account.into(),
        id: account.to_owned(),
    })
}

/// A read of the present that includes a position.
pub(crate) fn now(position: &str) -> ReadAt {
    ReadAt {
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    }
}

/// A read that includes a position, of a moment as it was known then.
pub(crate) fn as_known(moment: Timestamp, position: &str) -> ReadAt {
    ReadAt {
        as_of: Some(moment),
        known_at: Some(moment),
        ..now(position)
    }
}

/// Asks until the service has processed the position that the request names.
macro_rules! try_ask {
    ($client:expr, $service:ident . $rpc:ident, $request:expr) => {
        sextant::client::settled(|| {
            let (client, request) = ($client.clone(), $request.clone());
            Box::pin(async move {
                let answer = client.$service().$rpc(client.request(request)).await?;
                Ok(answer.into_inner())
            })
        })
        .await
    };
}
pub(crate) use try_ask;

macro_rules! ask {
    ($client:expr, $service:ident . $rpc:ident, $request:expr) => {
        crate::worlds::records::try_ask!($client, $service.$rpc, $request).unwrap()
    };
}
pub(crate) use ask;

/// All features of an account by name; an unknown one has no value.
pub(crate) async fn features(
    client: &Client,
    account: &str,
    at: &ReadAt,
) -> BTreeMap<String, Option<Value>> {
    let request = GetFeaturesRequest {
        account: entity(account),
        at: Some(at.clone()),
    };
    let features = ask!(client, scoring.get_features, request).features;
    features
        .into_iter()
        .map(|feature| (feature.name, feature.value))
        .collect()
}

/// A whole number among the features of an account; `None` if it is unknown.
pub(crate) async fn feature(
    client: &Client,
    account: &str,
    name: &str,
    at: &ReadAt,
) -> Option<i64> {
    let found = features(client, account, at).await.remove(name);
    match found.unwrap_or_else(|| panic!("no feature {name}")) {
        None => None,
        Some(Value::Integer(value)) => Some(value),
        Some(other) => panic!("{name} is {other:?}"),
    }
}

/// The score of a model, if the account has one.
pub(crate) async fn score(
    client: &Client,
    account: &str,
    model: &str,
    at: &ReadAt,
) -> Option<Score> {
    let request = GetScoresRequest {
        account: entity(account),
        at: Some(at.clone()),
    };
    let scores = ask!(client, scoring.get_scores, request).scores;
    scores.into_iter().find(|score| score.model == model)
}

pub(crate) async fn membership(
    client: &Client,
    account: &str,
    segmentation: &str,
    at: &ReadAt,
) -> Membership {
    let asked = try_membership(client, account, segmentation, at);
    asked.await.unwrap()
}

pub(crate) async fn try_membership(
    client: &Client,
    account: &str,
    segmentation: &str,
    at: &ReadAt,
) -> Result<Membership, tonic::Status> {
    let request = GetMembershipRequest {
        account: entity(account),
        segmentation: segmentation.to_owned(),
        at: Some(at.clone()),
    };
    let answer = try_ask!(client, segmentation.get_membership, request)?;
    Ok(answer.membership().unwrap())
}

/// The segments of a segmentation.
pub(crate) async fn segments(
    client: &Client,
    segmentation: &str,
    at: &ReadAt,
) -> Vec<SegmentSummary> {
    let request = ListSegmentsRequest {
        segmentation: segmentation.to_owned(),
        at: Some(at.clone()),
        ..ListSegmentsRequest::default()
    };
    ask!(client, segmentation.list_segments, request).segments
}

/// Accounts in all segments of a segmentation.
pub(crate) async fn accounts_in(client: &Client, segmentation: &str, at: &ReadAt) -> u64 {
    let request = ListSegmentsRequest {
        segmentation: segmentation.to_owned(),
        at: Some(at.clone()),
        ..ListSegmentsRequest::default()
    };
    ask!(client, segmentation.list_segments, request).accounts
}

pub(crate) async fn revenue(client: &Client, at: &ReadAt) -> GetRevenueResponse {
    revenue_by(client, "", at).await
}

/// Revenue by the segments of a segmentation.
pub(crate) async fn revenue_by(
    client: &Client,
    segmentation: &str,
    at: &ReadAt,
) -> GetRevenueResponse {
    let request = GetRevenueRequest {
        at: Some(at.clone()),
        segmentation: segmentation.to_owned(),
    };
    ask!(client, metrics.get_revenue, request)
}
