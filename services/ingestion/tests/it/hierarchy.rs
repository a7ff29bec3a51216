//! Accounts that belong to accounts.

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{Money, ReadAt};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::time::timestamp;

use crate::records::{DAY, account_ref, record};
use crate::world::{NOW, Tenant, World, reason};

fn days(days: i64) -> Instant {
    NOW.plus_us(days * DAY)
}

/// An account that says which one it belongs to from a day on; none: it says nothing.
fn part(id: &str, parent: &str, at: Instant) -> pb::Record {
    let fact = pb::AccountFact {
        account_id: id.into(),
        name: id.to_uppercase(),
        parent_account_id: parent.into(),
        ..pb::AccountFact::default()
    };
    record(&format!("{id} in {parent}"), at, Fact::Account(fact))
}

fn member(account: &str, user: &str) -> pb::Record {
    let fact = pb::AccountUserFact {
        account_id: account.into(),
        user_id: user.into(),
        ..pb::AccountUserFact::default()
    };
    record(
        &format!("{user} in {account}"),
        days(-9),
        Fact::AccountUser(fact),
    )
}

/// Seats at ten dollars a month each.
fn seats(account: &str, quantity: u64) -> pb::Record {
    let price = pb::Price {
        price_id: "seat".into(),
        unit_amount: Some(Money {
            minor: 1_000,
            currency: "USD".into(),
        }),
        interval: pb::BillingInterval::Month.into(),
        ..pb::Price::default()
    };
    let fact = pb::SubscriptionFact {
        account_id: account.into(),
        subscription_id: "s".into(),
        status: pb::SubscriptionStatus::Active.into(),
        items: vec![pb::SubscriptionItem {
            price: Some(price),
            quantity,
            ..pb::SubscriptionItem::default()
        }],
        ..pb::SubscriptionFact::default()
    };
    record(
        &format!("seats of {account}"),
        days(-9),
        Fact::Subscription(fact),
    )
}

async fn ask(
    tenant: &Tenant,
    account: &str,
    as_of: Option<Instant>,
) -> Result<pb::GetHierarchyResponse, tonic::Status> {
    let request = pb::GetHierarchyRequest {
        account: account_ref(account),
        at: Some(ReadAt {
            as_of: as_of.map(timestamp),
            ..ReadAt::default()
        }),
    };
    let mut client = tenant.clients.accounts();
    Ok(client.get_hierarchy(request).await?.into_inner())
}

fn id(node: &pb::HierarchyNode) -> &str {
    &node.account.as_ref().unwrap().id
}

fn above(answer: &pb::GetHierarchyResponse) -> Vec<&str> {
    answer.ancestors.iter().map(id).collect()
}

/// What belongs to an account, as (id, level).
fn below(answer: &pb::GetHierarchyResponse) -> Vec<(&str, u32)> {
    let nodes = answer.descendants.iter();
    nodes.map(|node| (id(node), node.depth)).collect()
}

/// What an account and all below it come to, as [accounts, users, subscriptions, MRR].
fn totals(node: &pb::HierarchyNode) -> [i64; 4] {
    let totals = node.totals.as_ref().unwrap();
    let mrr = totals.mrr.as_ref().unwrap();
    assert_eq!(mrr.currency, "USD");
    [
        totals.accounts.into(),
        totals.users.into(),
        totals.subscriptions.into(),
        mrr.minor,
    ]
}

#[tokio::test]
async fn a_group_is_told_with_what_all_of_it_comes_to() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant
        .send(vec![
            part("group", "", days(-10)),
            part("north", "group", days(-10)),
            part("south", "group", days(-10)),
            part("oslo", "north", days(-10)),
            part("alone", "", days(-10)),
            // One user in two accounts.
            member("north", "ann"),
            member("oslo", "ann"),
            member("oslo", "bob"),
            member("alone", "eve"),
            seats("group", 1),
            seats("oslo", 3),
            seats("south", 5),
            seats("alone", 100),
        ])
        .await;
    let group = ask(&tenant, "group", None).await.unwrap();
    assert_eq!(above(&group), [""; 0]);
    assert_eq!(below(&group), [("north", 1), ("south", 1), ("oslo", 2)]);
    assert!(group.is_complete);
    let root = group.account.as_ref().unwrap();
    assert_eq!((id(root), &*root.name), ("group", "GROUP"));
    assert_eq!(totals(root), [4, 2, 3, 9_000]);
    let each: Vec<[i64; 4]> = group.descendants.iter().map(totals).collect();
    assert_eq!(each, [[2, 2, 1, 3_000], [1, 0, 1, 5_000], [1, 2, 1, 3_000]]);
    let oslo = ask(&tenant, "oslo", None).await.unwrap();
    assert_eq!(above(&oslo), ["group", "north"]);
    assert!(oslo.ancestors.iter().all(|node| node.totals.is_none()));
    assert_eq!(below(&oslo), []);
    assert_eq!(
        reason(ask(&tenant, "nobody", None).await),
        "ACCOUNT_UNKNOWN"
    );
}

#[tokio::test]
async fn an_account_that_moves_belongs_where_it_did_at_the_moment() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant
        .send(vec![
            part("old", "", days(-10)),
            part("new", "", days(-10)),
            part("child", "old", days(-10)),
        ])
        .await;
    tenant.send(vec![part("child", "new", days(-2))]).await;
    for (as_of, parent, other) in [
        (None, "new", "old"),
        (Some(days(-1)), "new", "old"),
        (Some(days(-3)), "old", "new"),
    ] {
        let has = ask(&tenant, parent, as_of).await.unwrap();
        assert_eq!(below(&has), [("child", 1)], "{as_of:?}");
        let other = ask(&tenant, other, as_of).await.unwrap();
        assert_eq!(below(&other), [], "{as_of:?}");
        let child = ask(&tenant, "child", as_of).await.unwrap();
        assert_eq!(above(&child), [parent], "{as_of:?}");
    }
}

#[tokio::test]
async fn circles_and_parents_that_nobody_knows_end_where_they_end() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant
        .send(vec![
            part("a", "c", days(-10)),
            part("b", "a", days(-10)),
            part("c", "b", days(-10)),
            part("self", "self", days(-10)),
            part("orphan", "unknown", days(-10)),
        ])
        .await;
    let circle = ask(&tenant, "a", None).await.unwrap();
    assert_eq!(above(&circle), ["b", "c"]);
    assert_eq!(below(&circle), [("b", 1), ("c", 2)]);
    assert_eq!(totals(circle.account.as_ref().unwrap())[0], 3);
    let own = ask(&tenant, "self", None).await.unwrap();
    assert_eq!((above(&own).len(), below(&own).len()), (0, 0));
    let orphan = ask(&tenant, "orphan", None).await.unwrap();
    assert_eq!(above(&orphan), [""; 0]);
    assert_eq!(orphan.account.unwrap().parent_account_id, "unknown");
}

#[tokio::test]
async fn of_a_large_group_a_thousand_are_told_and_all_are_counted() {
    const N: usize = 2_500;
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut records = vec![part("group", "", days(-10))];
    records.extend((0..N).map(|number| part(&format!("part-{number:04}"), "group", days(-10))));
    tenant.send(records).await;
    let group = ask(&tenant, "group", None).await.unwrap();
    assert!(group.is_complete);
    assert_eq!(totals(group.account.as_ref().unwrap())[0], 2_501);
    assert_eq!(group.descendants.len(), 1_000);
    assert_eq!(id(&group.descendants[999]), "part-0999");
}

#[tokio::test]
async fn what_belongs_to_an_account_is_of_its_tenant() {
    let world = World::new().await;
    let (a, b) = (world.tenant("a").await, world.tenant("b").await);
    a.send(vec![
        part("group", "", days(-10)),
        part("one", "group", days(-10)),
    ])
    .await;
    b.send(vec![
        part("group", "", days(-10)),
        part("two", "group", days(-10)),
    ])
    .await;
    assert_eq!(below(&ask(&a, "group", None).await.unwrap()), [("one", 1)]);
    assert_eq!(below(&ask(&b, "group", None).await.unwrap()), [("two", 1)]);
}
