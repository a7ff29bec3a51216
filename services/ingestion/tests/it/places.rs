//! Records whose account is said by a user, or by what another system calls it.

use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;

use crate::records::{DAY, HOUR, account, record};
use crate::world::{NOW, Tenant, World, told, within};

/// What a user does at a moment, wherever they are.
fn deed(id: &str, user: &str, at: Instant) -> pb::Record {
    let fact = pb::EventFact {
        user_id: user.into(),
        r#type: "report.built".into(),
        ..pb::EventFact::default()
    };
    record(id, at, Fact::Event(fact))
}

fn member(id: &str, user: &str, account: &str, at: Instant, left: bool) -> pb::Record {
    let fact = pb::AccountUserFact {
        account_id: account.into(),
        user_id: user.into(),
        left,
        ..pb::AccountUserFact::default()
    };
    record(id, at, Fact::AccountUser(fact))
}

fn ago(us: i64) -> Instant {
    NOW.plus_us(-us)
}

/// A payment of what Stripe calls an account.
fn paid(id: &str, payer: &str) -> pb::Record {
    let fact = pb::PaymentFact {
        payment_id: id.into(),
        status: pb::PaymentStatus::Succeeded.into(),
        amount: Some(sextant_proto::common::v1::Money {
            minor: 1_000,
            currency: "USD".into(),
        }),
        ..pb::PaymentFact::default()
    };
    pb::Record {
        account_key: Some(stripe_key(payer)),
        ..record(id, ago(HOUR), Fact::Payment(fact))
    }
}

fn stripe_key(id: &str) -> pb::ExternalId {
    pb::ExternalId {
        system: "stripe".into(),
        id: id.into(),
    }
}

async fn held(tenant: &Tenant) -> Vec<pb::HeldRecord> {
    let mut client = tenant.clients.ingestion();
    let listed = client.list_held(pb::ListHeldRequest::default()).await;
    listed.unwrap().into_inner().held
}

/// Returns when so many records wait.
async fn until_held(tenant: &Tenant, n_held: usize) -> Vec<pb::HeldRecord> {
    within(async {
        loop {
            let held = held(tenant).await;
            if held.len() == n_held {
                return held;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// The accounts in which events are stored, by the ids of the events.
async fn places(world: &World, tenant: &Tenant) -> Vec<(String, String)> {
    let request = pb::ReadFactsRequest {
        tenant_id: tenant.id_bytes().into(),
        slice: 0,
        after_sequence: 0,
    };
    let mut feed = world.by(&world.service).feed();
    let entries = feed.read_facts(request).await.unwrap().into_inner().entries;
    let facts: Vec<pb::StoredFact> = entries.into_iter().flat_map(|entry| entry.facts).collect();
    let read = |fact: &pb::StoredFact| {
        let record: pb::Record = prost::Message::decode(fact.record.as_ref()).unwrap();
        (fact.account_uid.clone(), record)
    };
    let all: Vec<_> = facts.iter().map(read).collect();
    let name = |uid: &[u8]| {
        let named = all.iter().find_map(|(of, record)| match &record.fact {
            Some(Fact::Account(fact)) if of == uid => Some(fact.account_id.clone()),
            _ => None,
        });
        named.unwrap()
    };
    let mut places: Vec<(String, String)> = all
        .iter()
        .filter(|(_, record)| matches!(record.fact, Some(Fact::Event(_) | Fact::Payment(_))))
        .map(|(uid, record)| (record.id.clone(), name(uid)))
        .collect();
    places.sort();
    places
}

fn place(id: &str, account: &str) -> (String, String) {
    (id.to_owned(), account.to_owned())
}

#[tokio::test]
async fn what_a_user_does_happens_in_the_account_that_they_were_in() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let deeds = vec![
        deed("e1", "u1", ago(3 * DAY)),
        deed("e2", "u1", ago(HOUR)),
        deed("e3", "u1", ago(5 * DAY)),
        deed("e4", "u2", ago(HOUR)),
    ];
    assert_eq!(tenant.verdicts(deeds).await, ["HELD"; 4]);
    let waiting = held(&tenant).await;
    assert_eq!(
        (waiting[3].user_id.as_str(), waiting[3].account_id.as_str()),
        ("u2", "")
    );
    let places_of_u1 = vec![
        account("a", "anvil"),
        account("b", "bellows"),
        member("m1", "u1", "anvil", ago(4 * DAY), false),
        member("m2", "u1", "bellows", ago(2 * DAY), false),
    ];
    assert_eq!(tenant.verdicts(places_of_u1).await, ["ACCEPTED"; 4]);
    until_held(&tenant, 1).await;
    let before_the_first = place("e3", "anvil");
    assert_eq!(
        places(&world, &tenant).await,
        [
            place("e1", "anvil"),
            place("e2", "bellows"),
            before_the_first
        ]
    );
    // Whose place is known does not wait.
    assert_eq!(
        tenant.verdicts(vec![deed("e5", "u1", ago(HOUR))]).await,
        ["ACCEPTED"]
    );
    // The same records once more.
    let again = vec![deed("e1", "u1", ago(3 * DAY)), deed("e5", "u1", ago(HOUR))];
    assert_eq!(tenant.verdicts(again).await, ["DUPLICATE"; 2]);
    assert_eq!(tenant.counts("web").await, [8, 2, 0, 1, 0]);
}

#[tokio::test]
async fn who_has_left_waits_until_they_are_somewhere_again() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let known = vec![
        account("a", "anvil"),
        member("m1", "u1", "anvil", ago(4 * DAY), false),
        member("m2", "u1", "anvil", ago(2 * DAY), true),
    ];
    assert_eq!(tenant.verdicts(known).await, ["ACCEPTED"; 3]);
    let deeds = vec![deed("e1", "u1", ago(3 * DAY)), deed("e2", "u1", ago(DAY))];
    tenant.verdicts(deeds).await;
    until_held(&tenant, 1).await;
    assert_eq!(places(&world, &tenant).await, [place("e1", "anvil")]);
    let back = member("m3", "u1", "anvil", ago(2 * DAY - HOUR), false);
    tenant.verdicts(vec![back]).await;
    until_held(&tenant, 0).await;
}

#[tokio::test]
async fn an_account_may_be_named_by_what_another_system_calls_it() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    assert_eq!(tenant.verdicts(vec![paid("p1", "cus_1")]).await, ["HELD"]);
    let waiting = held(&tenant).await;
    assert_eq!(waiting[0].account_key, Some(stripe_key("cus_1")));
    let mut named = account("a", "anvil");
    let Some(Fact::Account(fact)) = &mut named.fact else {
        unreachable!()
    };
    fact.external_ids.push(stripe_key("cus_1"));
    assert_eq!(tenant.verdicts(vec![named]).await, ["ACCEPTED"]);
    until_held(&tenant, 0).await;
    assert_eq!(
        tenant
            .verdicts(vec![paid("p2", "cus_1"), paid("p3", "cus_2")])
            .await,
        ["ACCEPTED", "HELD"]
    );
    assert_eq!(
        places(&world, &tenant).await,
        [place("p1", "anvil"), place("p2", "anvil")]
    );
    let foreseen = pb::IngestBatchRequest {
        records: vec![
            paid("p4", "cus_1"),
            paid("p5", "cus_2"),
            deed("e1", "u1", ago(HOUR)),
        ],
        validate_only: true,
        ..pb::IngestBatchRequest::default()
    };
    let answer = tenant
        .clients
        .ingestion()
        .ingest_batch(foreseen)
        .await
        .unwrap();
    let verdicts: Vec<String> = answer.into_inner().verdicts.iter().map(told).collect();
    assert_eq!(verdicts, ["ACCEPTED", "HELD", "HELD"]);
}

#[tokio::test]
async fn an_account_is_named_in_one_way() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut twice = paid("p1", "cus_1");
    if let Some(Fact::Payment(fact)) = &mut twice.fact {
        fact.account_id = "anvil".into();
    }
    let mut nameless = paid("p2", "cus_1");
    nameless.account_key = None;
    let mut half = paid("p3", "cus_1");
    half.account_key = Some(pb::ExternalId {
        system: "stripe".into(),
        id: String::new(),
    });
    let mut nobody = deed("e1", "u1", ago(HOUR));
    if let Some(Fact::Event(fact)) = &mut nobody.fact {
        fact.user_id.clear();
    }
    assert_eq!(
        tenant.verdicts(vec![twice, nameless, half, nobody]).await,
        [
            "REJECTED payment.account_id FIELD_INVALID",
            "REJECTED payment.account_id FIELD_MISSING",
            "REJECTED account_key.id FIELD_MISSING",
            "REJECTED event.account_id FIELD_MISSING",
        ]
    );
}

#[tokio::test]
async fn another_replica_stores_what_waits_where_the_first_has_gone() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    assert_eq!(
        tenant.verdicts(vec![deed("e1", "u1", ago(HOUR))]).await,
        ["HELD"]
    );
    let replica = world.replica(&tenant.key);
    let known = vec![
        account("a", "anvil"),
        member("m1", "u1", "anvil", ago(DAY), false),
    ];
    let request = pb::IngestBatchRequest {
        records: known,
        ..pb::IngestBatchRequest::default()
    };
    replica.ingestion().ingest_batch(request).await.unwrap();
    until_held(&tenant, 0).await;
    assert_eq!(places(&world, &tenant).await, [place("e1", "anvil")]);
    assert_eq!(tenant.counts("web").await, [3, 0, 0, 0, 0]);
}
