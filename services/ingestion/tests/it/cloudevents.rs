use serde_json::{Value as Json, json};

use crate::http::{Answer, post};
use crate::records::account;
use crate::world::World;

fn event(id: &str) -> Json {
    json!({
        "specversion": "1.0", "id": id, "source": "/meter", "type": "report.built",
        "time": "2026-01-15T11:30:00Z", "accountid": "acme", "data": {"pages": 3}
    })
}

fn counts(answer: &Answer) -> [u64; 4] {
    assert_eq!(answer.code, 200, "{answer:?}");
    ["accepted", "duplicate", "conflict", "rejected"]
        .map(|name| answer.body[name].as_u64().unwrap())
}

#[tokio::test]
async fn events_come_alone_in_lists_and_in_headers_and_count_once() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant.send(vec![account("a", "acme")]).await;
    let address = world.serve().await;
    let key = format!("authorization: Bearer {}\r\n", tenant.key.expose());
    let send = async |kind: &str, body: String| {
        let headers = format!("{key}content-type: {kind}\r\n");
        post(address, "/v1/cloudevents", &headers, body.as_bytes()).await
    };
    let alone = send("application/cloudevents+json", event("1").to_string()).await;
    assert_eq!(counts(&alone), [1, 0, 0, 0]);
    let mut changed = event("1");
    changed["data"]["pages"] = json!(4);
    let batch = json!([event("1"), event("2"), changed, {"specversion": "1.0"}]);
    let listed = send("application/cloudevents-batch+json", batch.to_string()).await;
    assert_eq!(counts(&listed), [1, 1, 1, 1]);
    assert_eq!(listed.body["not_accepted"][2]["field"], "time");
    let binary = "ce-specversion: 1.0\r\nce-id: 2\r\nce-source: /meter\r\nce-type: report.built\r\n\
                  ce-time: 2026-01-15T11:30:00Z\r\nce-accountid: acme\r\ncontent-type: application/json\r\n";
    let headers = key.clone() + binary;
    let again = post(address, "/v1/cloudevents", &headers, br#"{"pages": 3}"#).await;
    assert_eq!(
        counts(&again),
        [0, 1, 0, 0],
        "the same event in another mode"
    );
    assert_eq!(tenant.counts("/meter").await, [2, 2, 1, 0, 0]);
    let bad = send("application/json", "{".to_owned()).await;
    assert_eq!((bad.code, bad.reason()), (400, "MALFORMED"));
}
