//! What an account was billed and what it paid.

use sextant_domain::time::Instant;
use sextant_proto::common::v1::ReadAt;
use sextant_proto::ingestion::v1 as pb;
use sextant_wire::time::timestamp;

use crate::records::{DAY, HOUR, account_at, account_ref, invoice, payment};
use crate::world::{NOW, Tenant, World, reason};

fn days(days: i64) -> Instant {
    NOW.plus_us(days * DAY)
}

async fn invoices(
    tenant: &Tenant,
    request: pb::ListInvoicesRequest,
) -> Result<pb::ListInvoicesResponse, tonic::Status> {
    let mut client = tenant.clients.accounts();
    Ok(client.list_invoices(request).await?.into_inner())
}

fn of(account: &str, at: Option<ReadAt>) -> pb::ListInvoicesRequest {
    pb::ListInvoicesRequest {
        account: account_ref(account),
        at,
        ..pb::ListInvoicesRequest::default()
    }
}

fn shown(answer: &pb::ListInvoicesResponse) -> Vec<(&str, pb::InvoiceStatus)> {
    let states = answer
        .invoices
        .iter()
        .map(|one| one.state.as_ref().unwrap());
    states
        .map(|state| (&*state.invoice_id, state.status()))
        .collect()
}

#[tokio::test]
async fn invoices_are_listed_newest_first_by_their_state_at_a_moment_as_it_was_known() {
    use pb::InvoiceStatus::{Open, Paid, Void};
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant
        .send(vec![
            account_at("1", "a", "A", days(-90)),
            account_at("2", "b", "B", days(-90)),
            invoice("i1", "a", Open, days(-60)),
            invoice("i1", "a", Paid, days(-50)),
            invoice("i2", "a", Open, days(-30)),
            invoice("i3", "b", Open, days(-30)),
        ])
        .await;
    world.hand.advance_us(DAY);
    tenant.send(vec![invoice("i2", "a", Void, days(-20))]).await;
    let at = |as_of: Option<Instant>, known_at: Option<Instant>| {
        Some(ReadAt {
            as_of: as_of.map(timestamp),
            known_at: known_at.map(timestamp),
            ..ReadAt::default()
        })
    };
    for (at, expected) in [
        (None, vec![("i2", Void), ("i1", Paid)]),
        (at(Some(days(-25)), None), vec![("i2", Open), ("i1", Paid)]),
        (at(None, Some(NOW)), vec![("i2", Open), ("i1", Paid)]),
        (at(Some(days(-55)), None), vec![("i1", Open)]),
        (at(Some(days(-61)), None), vec![]),
    ] {
        let answer = invoices(&tenant, of("a", at.clone())).await.unwrap();
        assert_eq!(shown(&answer), expected, "{at:?}");
    }
    let answer = invoices(&tenant, of("a", None)).await.unwrap();
    let newest = &answer.invoices[0];
    let state = newest.state.as_ref().unwrap();
    assert_eq!(
        (newest.first_at, newest.since),
        (Some(timestamp(days(-30))), Some(timestamp(days(-20))))
    );
    assert_eq!(
        (state.total.as_ref().unwrap().minor, state.tax_minor),
        (1_190, 190)
    );
    let freshness = answer.freshness.unwrap();
    assert_eq!(freshness.watermark, Some(timestamp(days(-20))));
    for (refused, expected) in [
        (of("c", None), "ACCOUNT_UNKNOWN"),
        (of("a", at(Some(days(-91)), None)), "ACCOUNT_UNKNOWN"),
        (of("a", at(Some(days(2)), None)), "FIELD_INVALID"),
        (of("", None), "FIELD_MISSING"),
    ] {
        assert_eq!(reason(invoices(&tenant, refused).await), expected);
    }
}

#[tokio::test]
async fn payments_are_all_listed_and_a_refund_does_not_make_one_newer() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut records = vec![account_at("1", "a", "A", days(-90))];
    for number in 0..30 {
        let mut one = payment(&format!("p{number:02}"), "a", 100, "USD");
        one.time = Some(timestamp(days(-number - 1)));
        records.push(one);
    }
    tenant.send(records).await;
    let mut refund = payment("p20", "a", 100, "USD");
    refund.id = "refund".to_owned();
    if let Some(pb::record::Fact::Payment(fact)) = &mut refund.fact {
        fact.status = pb::PaymentStatus::Refunded.into();
        fact.refunded_minor = 100;
    }
    tenant.send(vec![refund]).await;
    let request = pb::ListPaymentsRequest {
        account: account_ref("a"),
        ..pb::ListPaymentsRequest::default()
    };
    let answer = tenant.clients.accounts().list_payments(request).await;
    let payments = answer.unwrap().into_inner().payments;
    let ids = payments
        .iter()
        .map(|one| one.state.as_ref().unwrap().payment_id.clone());
    let expected = (0..30).map(|number| format!("p{number:02}"));
    assert!(ids.eq(expected), "{payments:?}");
    let state = payments[20].state.as_ref().unwrap();
    assert_eq!(state.status(), pb::PaymentStatus::Refunded);
    assert_eq!(payments[20].first_at, Some(timestamp(days(-21))));
    assert_eq!(payments[20].since, Some(timestamp(NOW.plus_us(-HOUR))));
}

#[tokio::test]
async fn invoices_come_in_pages_that_belong_to_their_request() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut records = vec![
        account_at("1", "a", "A", days(-90)),
        account_at("2", "b", "B", days(-90)),
    ];
    // Several of one moment: the id decides.
    for number in 0..7 {
        let day = days(-10 - number / 3);
        records.push(invoice(
            &format!("i{number}"),
            "a",
            pb::InvoiceStatus::Open,
            day,
        ));
    }
    tenant.send(records).await;
    for page_size in [1, 2, 3, 7, 8] {
        let (mut ids, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListInvoicesRequest {
                page_size,
                page_token,
                ..of("a", None)
            };
            let page = invoices(&tenant, request).await.unwrap();
            assert!(page.invoices.len() <= usize::try_from(page_size).unwrap());
            ids.extend(shown(&page).into_iter().map(|(id, _)| id.to_owned()));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let expected = ["i0", "i1", "i2", "i3", "i4", "i5", "i6"];
        assert_eq!(ids, expected, "pages of {page_size}");
    }
    let first = pb::ListInvoicesRequest {
        page_size: 1,
        ..of("a", None)
    };
    let page_token = invoices(&tenant, first).await.unwrap().next_page_token;
    let other = pb::ListInvoicesRequest {
        page_token: page_token.clone(),
        ..of("b", None)
    };
    assert_eq!(reason(invoices(&tenant, other).await), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn what_one_tenant_was_billed_is_nothing_to_another() {
    let world = World::new().await;
    let (one, other) = (world.tenant("one").await, world.tenant("other").await);
    let billed = |id: &str| invoice(id, "a", pb::InvoiceStatus::Open, days(-1));
    let known = account_at("1", "a", "A", days(-90));
    one.send(vec![
        known.clone(),
        billed("i1"),
        billed("i2"),
        payment("p", "a", 100, "USD"),
    ])
    .await;
    assert_eq!(
        reason(invoices(&other, of("a", None)).await),
        "ACCOUNT_UNKNOWN"
    );
    other.send(vec![known, billed("i3")]).await;
    let answer = invoices(&other, of("a", None)).await.unwrap();
    assert_eq!(shown(&answer), [("i3", pb::InvoiceStatus::Open)]);
    let request = pb::ListPaymentsRequest {
        account: account_ref("a"),
        ..pb::ListPaymentsRequest::default()
    };
    let paid = other.clients.accounts().list_payments(request).await;
    assert_eq!(paid.unwrap().into_inner().payments, []);
    let first = pb::ListInvoicesRequest {
        page_size: 1,
        ..of("a", None)
    };
    let page = invoices(&one, first).await.unwrap();
    let stolen = pb::ListInvoicesRequest {
        page_token: page.next_page_token,
        ..of("a", None)
    };
    assert_eq!(reason(invoices(&other, stolen).await), "PAGE_TOKEN_INVALID");
}
