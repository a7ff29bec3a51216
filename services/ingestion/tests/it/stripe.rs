//! Events of Stripe, signed as it signs them.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;

use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1 as pb;

use crate::http::{Answer, exchange, post};
use crate::records::account_ref;
use crate::world::{NOW, Tenant, World, within};

const SECRET: &str = "whsec_first";

/// Half an hour before [`NOW`], in seconds.
fn half_an_hour_ago() -> i64 {
    NOW.0 / 1_000_000 - 1_800
}

fn event(id: &str, kind: &str, object: &Json) -> Json {
    json!({
        "id": id, "object": "event", "created": half_an_hour_ago(), "type": kind, "pending_webhooks": 1,
        "data": {"object": object}
    })
}

fn payer(id: &str, name: &str) -> Json {
    json!({"id": id, "object": "customer", "name": name, "metadata": {}, "created": 1_700_000_000})
}

fn invoice(id: &str, status: &str) -> Json {
    json!({
        "id": id, "object": "invoice", "customer": "cus_1", "status": status, "currency": "usd", "total": 5_000,
        "amount_due": 5_000
    })
}

struct Site {
    world: World,
    tenant: Tenant,
    address: SocketAddr,
}

impl Site {
    /// A tenant with an endpoint that makes accounts of customers.
    async fn new() -> Self {
        let world = World::new().await;
        let tenant = world.tenant("acme").await;
        let address = world.serve().await;
        let site = Self {
            world,
            tenant,
            address,
        };
        site.set_secrets(&[SECRET]);
        site
    }

    fn set_secrets(&self, secrets: &[&str]) {
        let file = json!({"tenant": "acme", "signing_secrets": secrets, "accounts": "create"});
        self.world.write_endpoint("live", &file);
    }

    /// Posts a body that is signed now.
    async fn deliver(&self, body: &str) -> Answer {
        self.deliver_by(SECRET, NOW, body).await
    }

    async fn deliver_by(&self, secret: &str, at: Instant, body: &str) -> Answer {
        let seconds = at.0.div_euclid(1_000_000);
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{seconds}.{body}").as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let header = format!("stripe-signature: t={seconds},v1={hex}\r\n");
        post(self.address, "/v1/stripe/live", &header, body.as_bytes()).await
    }

    async fn accounts(&self) -> Vec<(String, String)> {
        let mut client = self.tenant.clients.accounts();
        let listed = client.list_accounts(pb::ListAccountsRequest::default());
        let accounts = listed.await.unwrap().into_inner().accounts;
        let named = accounts.into_iter().map(|account| {
            let id = account.r#ref.unwrap().id;
            (id, account.name)
        });
        named.collect()
    }

    async fn invoices(&self) -> Vec<(String, pb::InvoiceStatus)> {
        let request = pb::ListInvoicesRequest {
            account: account_ref("cus_1"),
            ..pb::ListInvoicesRequest::default()
        };
        let mut client = self.tenant.clients.accounts();
        let listed = client.list_invoices(request).await.unwrap().into_inner();
        let states = listed.invoices.into_iter().map(|one| one.state.unwrap());
        states
            .map(|state| (state.invoice_id.clone(), state.status()))
            .collect()
    }
}

#[tokio::test]
async fn events_count_once_however_often_and_in_whatever_order_they_come() {
    let site = Site::new().await;
    let mut paid = event("evt_3", "invoice.paid", &invoice("in_1", "paid"));
    let first = site.deliver(&paid.to_string()).await;
    assert_eq!(first.counts(), [0, 0, 0, 1, 0], "its customer is not known");
    let payer = event("evt_1", "customer.created", &payer("cus_1", "Acme"));
    let known = site.deliver(&payer.to_string()).await;
    assert_eq!(known.counts(), [1, 0, 0, 0, 0]);
    within(async {
        while site.invoices().await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What came before it in the same second comes after it.
    let open = event("evt_2", "invoice.finalized", &invoice("in_1", "open"));
    let late = site.deliver(&open.to_string()).await;
    assert_eq!(late.counts(), [1, 0, 0, 0, 0]);
    assert_eq!(
        site.invoices().await,
        [("in_1".to_owned(), pb::InvoiceStatus::Paid)]
    );
    // Another try of the same event, signed anew.
    site.world.hand.advance_us(60_000_000);
    paid["pending_webhooks"] = json!(0);
    for again in [&paid, &payer, &open] {
        let signed_at = NOW.plus_us(60_000_000);
        let again = site.deliver_by(SECRET, signed_at, &again.to_string()).await;
        assert_eq!(again.counts(), [0, 1, 0, 0, 0]);
    }
    assert_eq!(
        site.accounts().await,
        [("cus_1".to_owned(), "Acme".to_owned())]
    );
    assert_eq!(site.tenant.counts("stripe").await, [3, 3, 0, 0, 0]);
}

#[tokio::test]
async fn what_is_not_signed_with_the_secret_of_the_endpoint_changes_nothing() {
    let site = Site::new().await;
    let body = event("evt_1", "customer.created", &payer("cus_1", "Acme")).to_string();
    let refused = |answer: Answer| (answer.code, answer.reason().to_owned());
    let invalid = (401, "SIGNATURE_INVALID".to_owned());
    assert_eq!(
        refused(site.deliver_by("whsec_other", NOW, &body).await),
        invalid
    );
    let old = NOW.plus_us(-301_000_000);
    assert_eq!(refused(site.deliver_by(SECRET, old, &body).await), invalid);
    let unsigned = post(site.address, "/v1/stripe/live", "", body.as_bytes()).await;
    assert_eq!(refused(unsigned), invalid);
    let unknown = (404, "WEBHOOK_UNKNOWN".to_owned());
    for path in [
        "/v1/stripe",
        "/v1/stripe/",
        "/v1/stripe/test",
        "/v1/stripe/live/live",
        "/v1/stripe/..%2flive",
    ] {
        let answer = post(site.address, path, "", body.as_bytes()).await;
        assert_eq!(refused(answer), unknown, "{path}");
    }
    let got = exchange(
        site.address,
        b"GET /v1/stripe/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(got.reason(), "METHOD_UNKNOWN");
    let broken = site.deliver("{").await;
    assert_eq!(refused(broken), (400, "MALFORMED".to_owned()));
    assert_eq!(site.accounts().await, []);
    assert_eq!(site.tenant.counts("stripe").await, [0; 5]);
    assert_eq!(site.deliver(&body).await.counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_restart() {
    let site = Site::new().await;
    let body = |id: &str| event(id, "customer.updated", &payer("cus_1", "Acme")).to_string();
    let code = async |secret: &str, id: &str| site.deliver_by(secret, NOW, &body(id)).await.code;
    site.set_secrets(&["whsec_second", SECRET]);
    assert_eq!(code(SECRET, "evt_1").await, 200);
    assert_eq!(code("whsec_second", "evt_2").await, 200);
    site.set_secrets(&["whsec_second"]);
    assert_eq!(code(SECRET, "evt_3").await, 401);
    assert_eq!(code("whsec_second", "evt_4").await, 200);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_says_so_and_others_go_on() {
    let site = Site::new().await;
    let world = &site.world;
    let body = event("evt_1", "customer.created", &payer("cus_1", "Acme")).to_string();
    world.write_endpoint("live", &json!({"tenant": "acme"}));
    let damaged = site.deliver(&body).await;
    assert_eq!((damaged.code, damaged.reason()), (500, "INTERNAL"));
    let file = json!({"tenant": "nobody", "signing_secrets": [SECRET]});
    world.write_endpoint("live", &file);
    let nobody = site.deliver(&body).await;
    assert_eq!((nobody.code, nobody.reason()), (404, "TENANT_UNKNOWN"));
    let file = json!({"tenant": site.tenant.id, "source": "billing", "signing_secrets": [SECRET], "accounts": "create"});
    world.write_endpoint("live", &file);
    assert_eq!(site.deliver(&body).await.counts(), [1, 0, 0, 0, 0]);
    assert_eq!(site.tenant.counts("billing").await, [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_taken_is_kept_as_it_came() {
    let site = Site::new().await;
    let product = event(
        "evt_9",
        "product.created",
        &json!({"id": "prod_1", "object": "product"}),
    );
    let answer = site.deliver(&product.to_string()).await;
    assert_eq!(answer.counts(), [0, 0, 0, 0, 1]);
    assert_eq!(
        answer.body["not_accepted"][0]["field"],
        "data.object.customer"
    );
    let mut client = site.tenant.clients.ingestion();
    let listed = client.list_rejections(pb::ListRejectionsRequest::default());
    let rejections = listed.await.unwrap().into_inner().rejections;
    let kept = rejections[0].record.as_ref().unwrap();
    assert_eq!((&*kept.source, &*kept.id), ("stripe", "evt_9"));
    let original: Json = serde_json::from_slice(&kept.original).unwrap();
    assert_eq!(original, product);
}
