use tonic::Streaming;
use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_proto::ingestion::v1 as pb;
use sextant_wire::record;

use crate::records::{account, event, with_event};
use crate::world::{BOTH, Clients, Tenant, World, plain_tenant, reason, within};

async fn heads(watch: &mut Streaming<pb::WatchHeadsResponse>) -> Vec<(Vec<u8>, u32, u64)> {
    let told = within(watch.message()).await.unwrap().unwrap().heads;
    told.into_iter()
        .map(|head| (head.tenant_id.to_vec(), head.slice, head.sequence))
        .collect()
}

async fn read(
    service: &Clients,
    tenant: &Tenant,
    slice: u32,
    after_sequence: u64,
) -> pb::ReadFactsResponse {
    let request = pb::ReadFactsRequest {
        tenant_id: tenant.id_bytes().into(),
        slice,
        after_sequence,
    };
    service
        .feed()
        .read_facts(request)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn a_watcher_hears_of_every_feed_at_once_and_of_each_that_grows() {
    for kind in BOTH {
        let world = World::new().await;
        let service = world.over(kind, &world.service).await;
        let mut early = service
            .feed()
            .watch_heads(pb::WatchHeadsRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(heads(&mut early).await, []);
        let (first, second) = (world.tenant("a").await, world.tenant("b").await);
        first.send(vec![account("1", "a")]).await;
        assert_eq!(heads(&mut early).await, [(first.id_bytes(), 0, 1)]);
        first.send(vec![event("2", "a")]).await;
        assert_eq!(heads(&mut early).await, [(first.id_bytes(), 0, 2)]);
        // What stores nothing is not told.
        first
            .send(vec![event("2", "a"), event("", "a"), event("3", "nobody")])
            .await;
        second.send(vec![account("1", "a")]).await;
        assert_eq!(heads(&mut early).await, [(second.id_bytes(), 0, 1)]);
        let mut late = service
            .feed()
            .watch_heads(pb::WatchHeadsRequest {})
            .await
            .unwrap()
            .into_inner();
        let mut all = heads(&mut late).await;
        all.sort();
        let mut expected = vec![(first.id_bytes(), 0, 2), (second.id_bytes(), 0, 1)];
        expected.sort();
        assert_eq!(all, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn facts_are_read_in_the_order_in_which_they_were_stored_with_the_tenant() {
    let world = World::new().await;
    let service = world.by(&world.service);
    let tenant = world.tenant("acme").await;
    tenant.send(vec![account("1", "a"), event("2", "a")]).await;
    let user = pb::record::Fact::User(pb::UserFact {
        user_id: "u".into(),
        ..pb::UserFact::default()
    });
    tenant
        .send(vec![crate::records::record("3", crate::world::NOW, user)])
        .await;
    let answer = read(&service, &tenant, 0, 0).await;
    assert_eq!(answer.tenant.unwrap().tenant_id, tenant.id);
    assert_eq!(
        answer
            .entries
            .iter()
            .map(|entry| entry.sequence)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let facts: Vec<&pb::StoredFact> = answer
        .entries
        .iter()
        .flat_map(|entry| &entry.facts)
        .collect();
    let ids: Vec<String> = facts
        .iter()
        .map(|fact| record::decode(&fact.record).unwrap().id)
        .collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(record::decode(&facts[1].record).unwrap(), event("2", "a"));
    assert_eq!(
        facts
            .iter()
            .map(|fact| fact.account_uid.len())
            .collect::<Vec<_>>(),
        [16, 16, 0]
    );
    assert_eq!(facts[0].account_uid, facts[1].account_uid);
    assert_eq!(read(&service, &tenant, 0, 1).await.entries.len(), 1);
    assert_eq!(read(&service, &tenant, 0, 2).await.entries, []);
}

#[tokio::test]
async fn a_long_feed_is_read_in_answers_below_four_mebibytes() {
    let world = World::new().await;
    let service = world.by(&world.service);
    let tenant = world.tenant("acme").await;
    tenant.send(vec![account("a", "a")]).await;
    for number in 0..6 {
        let wide = |id| {
            with_event(event(&format!("{number}-{id}"), "a"), |event| {
                drop(event.data.insert("text".into(), text(8_000)))
            })
        };
        tenant.send((0..200).map(wide).collect()).await;
    }
    let (mut after, mut n_answers, mut n_facts) = (0, 0, 0);
    loop {
        // The client's own limit is 4 MiB, so that a larger answer would be an error.
        let answer = read(&service, &tenant, 0, after).await;
        let Some(last) = answer.entries.last() else {
            break;
        };
        assert_eq!(answer.entries[0].sequence, after + 1);
        after = last.sequence;
        n_answers += 1;
        n_facts += answer
            .entries
            .iter()
            .map(|entry| entry.facts.len())
            .sum::<usize>();
    }
    assert_eq!((after, n_facts), (7, 1_201));
    assert!(n_answers >= 3, "{n_answers} answers");
}

#[tokio::test]
async fn what_an_account_releases_is_read_in_answers_below_four_mebibytes_and_acknowledged_whole() {
    let world = World::new().await;
    let service = world.by(&world.service);
    let tenant = world.tenant("acme").await;
    for number in 0..6 {
        let wide = |id| {
            with_event(event(&format!("{number}-{id}"), "a"), |event| {
                drop(event.data.insert("text".into(), text(8_000)))
            })
        };
        tenant.send((0..200).map(wide).collect()).await;
    }
    assert_eq!(read(&service, &tenant, 0, 0).await.entries, []);
    let position = tenant.send(vec![account("a", "a")]).await.position;
    let (mut after, mut n_facts) = (0, 0);
    // The client's own limit is 4 MiB, so that a larger answer would be an error.
    loop {
        let answer = read(&service, &tenant, 0, after).await;
        let Some(last) = answer.entries.last() else {
            break;
        };
        after = last.sequence;
        let facts = answer.entries.iter().map(|entry| entry.facts.len());
        n_facts += facts.sum::<usize>();
    }
    assert_eq!(n_facts, 1_201);
    let tenant = TenantId(Uuid::parse_str(&tenant.id).unwrap().as_u128());
    let acknowledged = Position::decode(&position, tenant).unwrap();
    assert_eq!(acknowledged.slices(), [(Slice(0), after)]);
}

fn text(n_bytes: usize) -> pb::Value {
    pb::Value {
        kind: Some(pb::value::Kind::Text("x".repeat(n_bytes))),
    }
}

#[tokio::test]
async fn accounts_are_spread_over_slices_and_a_position_names_each() {
    let world = World::new().await;
    let service = world.by(&world.service);
    let tenant = world
        .tenant_as(pb::Tenant {
            slices: 4,
            ..plain_tenant()
        })
        .await;
    let accounts = (0..64)
        .map(|number| account(&format!("r{number}"), &format!("a{number}")))
        .collect();
    let position = tenant.send(accounts).await.position;
    assert_eq!(position.matches('.').count(), 4);
    let mut n_facts = 0;
    for slice in 0..4 {
        let answer = read(&service, &tenant, slice, 0).await;
        assert_eq!(answer.entries.len(), 1);
        n_facts += answer.entries[0].facts.len();
    }
    assert_eq!(n_facts, 64);
}

#[tokio::test]
async fn the_feed_is_for_services_alone_and_names_what_is_wrong() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    for clients in [&tenant.clients, &world.by(&world.operator)] {
        assert_eq!(
            reason(clients.feed().watch_heads(pb::WatchHeadsRequest {}).await),
            "SCOPE_MISSING"
        );
        assert_eq!(
            reason(
                clients
                    .feed()
                    .read_facts(pb::ReadFactsRequest::default())
                    .await
            ),
            "SCOPE_MISSING"
        );
    }
    let mut feed = world.by(&world.service).feed();
    let request = |tenant_id: Vec<u8>, slice| pb::ReadFactsRequest {
        tenant_id: tenant_id.into(),
        slice,
        after_sequence: 0,
    };
    assert_eq!(
        reason(feed.read_facts(request(vec![1], 0)).await),
        "FIELD_INVALID"
    );
    assert_eq!(
        reason(feed.read_facts(request(tenant.id_bytes(), 70_000)).await),
        "FIELD_INVALID"
    );
    assert_eq!(
        reason(feed.read_facts(request(vec![7; 16], 0)).await),
        "TENANT_UNKNOWN"
    );
}
