//! Refused records that are sent again, as they were or corrected.

use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;

use crate::records::{DAY, account, event, event_at};
use crate::world::{NOW, Tenant, World, reason, told};

async fn listed(tenant: &Tenant, of: pb::ListRejectionsRequest) -> Vec<pb::RejectedRecord> {
    let mut client = tenant.clients.ingestion();
    let answer = client.list_rejections(of).await.unwrap();
    answer.into_inner().rejections
}

async fn all(tenant: &Tenant) -> Vec<pb::RejectedRecord> {
    listed(tenant, pb::ListRejectionsRequest::default()).await
}

/// What became of corrections, in words; "-" where there was nothing to correct.
async fn replayed(tenant: &Tenant, corrections: Vec<pb::Correction>) -> Vec<String> {
    let request = pb::ReplayRejectionsRequest { corrections };
    let mut client = tenant.clients.ingestion();
    let answer = client.replay_rejections(request).await.unwrap();
    let replayed = answer.into_inner().replayed.into_iter();
    replayed
        .map(|one| one.verdict.as_ref().map_or_else(|| "-".to_owned(), told))
        .collect()
}

fn as_it_was(rejection: &pb::RejectedRecord) -> pb::Correction {
    pb::Correction {
        rejection_id: rejection.rejection_id.clone(),
        record: None,
    }
}

/// An event without a type.
fn untyped(id: &str) -> pb::Record {
    let mut record = event(id, "acme");
    if let Some(Fact::Event(fact)) = &mut record.fact {
        fact.r#type.clear();
    }
    record
}

#[tokio::test]
async fn a_corrected_record_is_stored_and_listed_no_more() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant
        .send(vec![account("a", "acme"), untyped("e1"), untyped("e2")])
        .await;
    let refused = all(&tenant).await;
    assert_eq!(refused.len(), 2);
    let corrected = pb::Correction {
        record: Some(event("e2", "acme")),
        ..as_it_was(&refused[0])
    };
    let corrections = vec![corrected.clone(), as_it_was(&refused[1])];
    assert_eq!(
        replayed(&tenant, corrections).await,
        ["ACCEPTED", "REJECTED event.type FIELD_MISSING"]
    );
    let left = all(&tenant).await;
    assert_eq!(
        left,
        refused[1..],
        "what is wrong as before is listed as before"
    );
    assert_eq!(tenant.counts("web").await, [2, 0, 0, 0, 3]);
    // Again: there is nothing to correct any more, and the record counts once.
    assert_eq!(replayed(&tenant, vec![corrected]).await, ["-"]);
    assert_eq!(
        tenant.verdicts(vec![event("e2", "acme")]).await,
        ["DUPLICATE"]
    );
}

#[tokio::test]
async fn a_record_that_is_right_by_now_may_be_sent_as_it_was() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let early = event_at("e1", "acme", NOW.plus_us(2 * DAY));
    tenant.send(vec![account("a", "acme"), early]).await;
    let refused = all(&tenant).await;
    assert_eq!(
        refused[0].rejection.as_ref().unwrap().reason,
        "TIME_IN_FUTURE"
    );
    world.hand.advance_us(sextant_domain::time::DAY_US);
    assert_eq!(
        replayed(&tenant, vec![as_it_was(&refused[0])]).await,
        ["ACCEPTED"]
    );
    assert_eq!(all(&tenant).await, []);
}

#[tokio::test]
async fn a_record_that_is_wrong_otherwise_is_listed_with_that() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant.send(vec![untyped("e1")]).await;
    let refused = all(&tenant).await;
    let late = pb::Correction {
        record: Some(event_at("e1", "acme", NOW.plus_us(2 * DAY))),
        ..as_it_was(&refused[0])
    };
    let verdicts = replayed(&tenant, vec![late]).await;
    assert_eq!(verdicts, ["REJECTED time TIME_IN_FUTURE"]);
    let left = all(&tenant).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].rejection.as_ref().unwrap().reason, "TIME_IN_FUTURE");
    // What waits for its account is refused no more.
    let waits = pb::Correction {
        record: Some(event("e1", "acme")),
        ..as_it_was(&left[0])
    };
    assert_eq!(replayed(&tenant, vec![waits]).await, ["HELD"]);
    assert_eq!(all(&tenant).await, []);
}

#[tokio::test]
async fn refusals_are_asked_for_by_source_and_reason() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let from_crm = pb::Record {
        source: "crm".into(),
        ..untyped("e1")
    };
    let early = event_at("e2", "acme", NOW.plus_us(2 * DAY));
    tenant.send(vec![from_crm, untyped("e1"), early]).await;
    let of = async |source: &str, reason: &str| {
        let asked = pb::ListRejectionsRequest {
            source: source.into(),
            reason: reason.into(),
            page_size: 1,
            ..pb::ListRejectionsRequest::default()
        };
        let mut client = tenant.clients.ingestion();
        let answer = client
            .list_rejections(asked.clone())
            .await
            .unwrap()
            .into_inner();
        let next = pb::ListRejectionsRequest {
            page_token: answer.next_page_token.clone(),
            ..asked
        };
        let more = match answer.next_page_token.as_str() {
            "" => Vec::new(),
            _ => listed(&tenant, next).await,
        };
        answer.rejections.len() + more.len()
    };
    assert_eq!(
        of("", "").await,
        2,
        "a page of one, and the next one of one"
    );
    assert_eq!(of("crm", "").await, 1);
    assert_eq!(of("web", "FIELD_MISSING").await, 1);
    assert_eq!(of("", "FIELD_MISSING").await, 2);
    assert_eq!(of("crm", "TIME_IN_FUTURE").await, 0);
}

#[tokio::test]
async fn corrections_that_name_nothing_are_refused_or_told() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let named = |id: &str| pb::Correction {
        rejection_id: id.into(),
        record: None,
    };
    let send = async |corrections| {
        let request = pb::ReplayRejectionsRequest { corrections };
        let mut client = tenant.clients.ingestion();
        reason(client.replay_rejections(request).await)
    };
    assert_eq!(send(vec![named("one")]).await, "FIELD_INVALID");
    assert_eq!(send(vec![named("7"), named("7")]).await, "FIELD_INVALID");
    assert_eq!(send(vec![named("7"); 1_001]).await, "BATCH_TOO_LARGE");
    assert_eq!(replayed(&tenant, vec![named("7")]).await, ["-"]);
}

#[tokio::test]
async fn corrections_of_another_tenant_change_nothing() {
    let world = World::new().await;
    let (ours, theirs) = (world.tenant("acme").await, world.tenant("bolt").await);
    ours.send(vec![account("a", "acme"), untyped("e1")]).await;
    let refused = all(&ours).await;
    let stolen = pb::Correction {
        record: Some(account("b", "mine")),
        ..as_it_was(&refused[0])
    };
    assert_eq!(replayed(&theirs, vec![stolen]).await, ["-"]);
    assert_eq!(all(&ours).await, refused);
}
