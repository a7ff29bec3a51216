//! What is known of an account, newest first.

use sextant_domain::time::Instant;
use sextant_proto::common::v1::ReadAt;
use sextant_proto::ingestion::v1 as pb;
use sextant_wire::time::timestamp;

use crate::records::{DAY, account_at, account_ref, event_at, invoice, number};
use crate::world::{NOW, Tenant, World, reason};

fn days(days: i64) -> Instant {
    NOW.plus_us(days * DAY)
}

fn of(account: &str) -> pb::ListTimelineRequest {
    pb::ListTimelineRequest {
        account: account_ref(account),
        ..pb::ListTimelineRequest::default()
    }
}

async fn ask(
    tenant: &Tenant,
    request: pb::ListTimelineRequest,
) -> Result<pb::ListTimelineResponse, tonic::Status> {
    let mut client = tenant.clients.accounts();
    Ok(client.list_timeline(request).await?.into_inner())
}

fn ids(answer: &pb::ListTimelineResponse) -> Vec<&str> {
    let records = answer.entries.iter().map(|entry| entry.record.as_ref());
    records.map(|record| &*record.unwrap().id).collect()
}

/// An account with an event on each of ninety days, and two invoices.
async fn filled(tenant: &Tenant) {
    let mut records = vec![
        account_at("a1", "a", "A", days(-100)),
        account_at("b1", "b", "B", days(-100)),
        invoice("i1", "a", pb::InvoiceStatus::Open, days(-60).plus_us(1)),
        invoice("i1", "a", pb::InvoiceStatus::Paid, days(-50).plus_us(1)),
        event_at("of b", "b", days(-3)),
    ];
    records.extend((1..=90).map(|n| event_at(&format!("e{n}"), "a", days(-n))));
    tenant.send(records).await;
}

#[tokio::test]
async fn what_happened_and_what_changed_is_told_in_one_order_page_by_page() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    filled(&tenant).await;
    let mut request = of("a");
    request.page_size = 20;
    let (mut all, mut n_pages) = (Vec::new(), 0);
    loop {
        let answer = ask(&tenant, request.clone()).await.unwrap();
        assert!(answer.entries.len() <= 20);
        all.extend(answer.entries);
        n_pages += 1;
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!((all.len(), n_pages), (93, 5));
    let times: Vec<_> = all
        .iter()
        .map(|entry| entry.record.as_ref().unwrap().time.unwrap())
        .collect();
    assert!(times.is_sorted_by_key(|time| (-time.seconds, -time.nanos)));
    let whole = ask(
        &tenant,
        pb::ListTimelineRequest {
            page_size: 1_000,
            ..of("a")
        },
    );
    let whole = whole.await.unwrap();
    assert_eq!(whole.entries, all);
    assert_eq!(ids(&whole)[..2], ["e1", "e2"]);
    assert_eq!(ids(&whole)[92], "a1");
    assert_eq!(all[0].known_at, Some(timestamp(NOW)));
    let freshness = whole.freshness.unwrap();
    assert_eq!(freshness.watermark, Some(timestamp(days(-1))));
    let of_b = ask(&tenant, of("b")).await.unwrap();
    assert_eq!(ids(&of_b), ["of b", "b1"]);
}

#[tokio::test]
async fn a_timeline_ends_at_the_moment_of_the_read_and_holds_what_was_known_then() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    filled(&tenant).await;
    world.hand.advance_us(DAY);
    let mut late = event_at("late", "a", days(-89).plus_us(1));
    if let Some(pb::record::Fact::Event(fact)) = &mut late.fact {
        fact.data.insert("rows".to_owned(), number(7.0));
    }
    tenant.send(vec![late.clone()]).await;
    let at = |as_of, known_at| pb::ListTimelineRequest {
        at: Some(ReadAt {
            as_of: Some(timestamp(as_of)),
            known_at: Some(timestamp(known_at)),
            ..ReadAt::default()
        }),
        ..of("a")
    };
    let now = days(1);
    let answer = ask(&tenant, at(days(-88), now)).await.unwrap();
    assert_eq!(ids(&answer), ["e88", "late", "e89", "e90", "a1"]);
    let entry = &answer.entries[1];
    assert_eq!(entry.record.as_ref(), Some(&late), "it is told as it came");
    assert_eq!(entry.known_at, Some(timestamp(now)));
    let answer = ask(&tenant, at(days(-88), NOW)).await.unwrap();
    assert_eq!(ids(&answer), ["e88", "e89", "e90", "a1"]);
}

#[tokio::test]
async fn a_timeline_of_some_kinds_has_no_others_and_an_unknown_kind_is_named() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    filled(&tenant).await;
    let only = |kinds: &[&str]| pb::ListTimelineRequest {
        kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
        ..of("a")
    };
    let invoices = ask(&tenant, only(&["invoice", "account"])).await.unwrap();
    let n_entries = invoices.entries.len();
    assert_eq!((n_entries, ids(&invoices)[2]), (3, "a1"));
    let events = ask(&tenant, only(&["event"])).await.unwrap();
    assert_eq!(events.entries.len(), 50);
    let status = ask(&tenant, only(&["invoices"])).await.unwrap_err();
    assert!(
        status.message().contains("did you mean invoice?"),
        "{status:?}"
    );
    for (refused, expected) in [
        (only(&["meeting"]), "FIELD_INVALID"),
        (of("c"), "ACCOUNT_UNKNOWN"),
        (of(""), "FIELD_MISSING"),
        (
            pb::ListTimelineRequest {
                page_token: events.next_page_token.clone(),
                ..of("a")
            },
            "PAGE_TOKEN_INVALID",
        ),
    ] {
        assert_eq!(reason(ask(&tenant, refused).await), expected);
    }
}
