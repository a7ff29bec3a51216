use std::io::Write as _;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::Scope;

use crate::http::{Answer, exchange, post};
use crate::world::{Tenant, World};

/// The header by which SDKs show their write key.
fn basic(key: &str) -> String {
    format!(
        "authorization: Basic {}\r\n",
        BASE64.encode(format!("{key}:"))
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A message of half an hour ago.
fn message(id: &str, mut fields: Json) -> Json {
    let object = fields.as_object_mut().unwrap();
    object.insert("messageId".to_owned(), json!(id));
    object.insert("timestamp".to_owned(), json!("2026-01-15T11:30:00Z"));
    fields
}

fn group(id: &str, account: &str) -> Json {
    message(
        id,
        json!({"type": "group", "userId": "u1", "groupId": account, "traits": {"name": "Acme"}}),
    )
}

fn track(id: &str, account: &str) -> Json {
    message(
        id,
        json!({"type": "track", "userId": "u1", "event": "Report Built", "context": {"groupId": account}}),
    )
}

struct Site {
    world: World,
    tenant: Tenant,
    address: SocketAddr,
}

impl Site {
    async fn new() -> Self {
        let world = World::new().await;
        let tenant = world.tenant("acme").await;
        let address = world.serve().await;
        Self {
            world,
            tenant,
            address,
        }
    }

    async fn send(&self, path: &str, body: &Json) -> Answer {
        let key = basic(&self.tenant.key.expose());
        post(self.address, path, &key, body.to_string().as_bytes()).await
    }
}

#[tokio::test]
async fn a_batch_is_stored_with_a_verdict_for_each_record() {
    let site = Site::new().await;
    let batch = json!({"batch": [group("m1", "acme"), track("m2", "acme"), track("m3", "nobody"), json!({"type": "track"})]});
    let answer = site.send("/v1/batch", &batch).await;
    // The group is an account and a membership.
    assert_eq!(answer.counts(), [3, 0, 0, 1, 1]);
    let others = answer.body["not_accepted"].as_array().unwrap();
    assert_eq!(
        (&others[0]["message"], &others[0]["verdict"]),
        (&json!(2), &json!("held"))
    );
    assert_eq!(others[1]["field"], "event");
    let again = site.send("/v1/batch", &batch).await;
    assert_eq!(again.counts(), [0, 3, 0, 1, 1]);
    assert_eq!(site.tenant.counts("segment").await, [3, 3, 0, 1, 2]);
}

#[tokio::test]
async fn single_messages_are_taken_where_their_kind_says() {
    let site = Site::new().await;
    let mut plain = group("m1", "acme");
    plain.as_object_mut().unwrap().shift_remove("type");
    assert_eq!(
        site.send("/v1/group", &plain).await.counts(),
        [2, 0, 0, 0, 0]
    );
    for (path, id) in [
        ("/v1/track", "m2"),
        ("/v1/page", "m3"),
        ("/v1/screen", "m4"),
    ] {
        let mut one = track(id, "acme");
        one.as_object_mut().unwrap().shift_remove("type");
        assert_eq!(
            site.send(path, &one).await.counts(),
            [1, 0, 0, 0, 0],
            "{path}"
        );
    }
    let user = message(
        "m5",
        json!({"userId": "u1", "traits": {"email": "eve@acme.example"}}),
    );
    assert_eq!(
        site.send("/v1/identify", &user).await.counts(),
        [1, 0, 0, 0, 0]
    );
    let alias = message("m6", json!({"userId": "u1", "previousId": "a1"}));
    assert_eq!(
        site.send("/v1/alias", &alias).await.counts(),
        [1, 0, 0, 0, 0]
    );
}

#[tokio::test]
async fn what_was_refused_is_listed_as_it_came() {
    let site = Site::new().await;
    let bad = json!({"type": "track", "messageId": "m1", "event": "x"});
    site.send("/v1/batch", &json!({"batch": [bad]})).await;
    let mut client = site.tenant.clients.ingestion();
    let listed = client
        .list_rejections(pb::ListRejectionsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .rejections;
    let record = listed[0].record.as_ref().unwrap();
    assert_eq!(
        (record.source.as_str(), record.id.as_str()),
        ("segment", "m1")
    );
    let original: Json = serde_json::from_slice(&record.original).unwrap();
    assert_eq!(original, bad);
    assert_eq!(listed[0].rejection.as_ref().unwrap().field, "timestamp");
}

#[tokio::test]
async fn bodies_may_be_compressed_and_a_bomb_is_not_inflated() {
    let site = Site::new().await;
    let headers = basic(&site.tenant.key.expose()) + "content-encoding: gzip\r\n";
    let body = gzip(
        json!({"batch": [group("m1", "acme")]})
            .to_string()
            .as_bytes(),
    );
    let answer = post(site.address, "/v1/batch", &headers, &body).await;
    assert_eq!(answer.counts(), [2, 0, 0, 0, 0]);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let answer = post(site.address, "/v1/batch", &headers, &bomb).await;
    assert_eq!((answer.code, answer.reason()), (413, "MESSAGE_TOO_LARGE"));
    let answer = post(site.address, "/v1/batch", &headers, b"no gzip").await;
    assert_eq!((answer.code, answer.reason()), (400, "MALFORMED"));
    let other = basic(&site.tenant.key.expose()) + "content-encoding: br\r\n";
    let answer = post(site.address, "/v1/batch", &other, b"{}").await;
    assert_eq!((answer.code, answer.reason()), (400, "FIELD_INVALID"));
}

#[tokio::test]
async fn who_may_not_come_in_is_told_as_http_clients_know_it() {
    let site = Site::new().await;
    let body = json!({"batch": []}).to_string();
    let send = async |path: &str, headers: &str| {
        let answer = post(site.address, path, headers, body.as_bytes()).await;
        (answer.code, answer.reason().to_owned())
    };
    let refused = |code: u16, reason: &str| (code, reason.to_owned());
    assert_eq!(send("/v1/batch", "").await, refused(401, "KEY_MISSING"));
    assert_eq!(
        send("/v1/batch", &basic("wrong")).await,
        refused(401, "KEY_INVALID")
    );
    let reader = site
        .world
        .key(&site.tenant.clients, &site.tenant.id, &[Scope::Read])
        .await;
    let reader = basic(&reader.expose());
    assert_eq!(
        send("/v1/batch", &reader).await,
        refused(403, "SCOPE_MISSING")
    );
    let own = basic(&site.tenant.key.expose());
    assert_eq!(
        send("/v1/nothing", &own).await,
        refused(404, "METHOD_UNKNOWN")
    );
    assert_eq!(send("/nothing", &own).await, refused(404, "METHOD_UNKNOWN"));
    let bearer = format!("authorization: Bearer {}\r\n", site.tenant.key.expose());
    assert_eq!(send("/v1/batch/", &bearer).await.0, 200);
    let get = format!("GET /v1/batch HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{own}\r\n");
    assert_eq!(exchange(site.address, get.as_bytes()).await.code, 404);
}

#[tokio::test]
async fn bodies_that_are_no_batch_are_refused_whole() {
    let site = Site::new().await;
    for body in [json!([]), json!({}), json!({"batch": 3})] {
        let answer = site.send("/v1/batch", &body).await;
        assert_eq!(
            (answer.code, answer.reason()),
            (400, "FIELD_MISSING"),
            "{body}"
        );
    }
    let own = basic(&site.tenant.key.expose());
    let deep = "[".repeat(100_000);
    for body in ["", "{", "\u{1}", deep.as_str()] {
        let answer = post(site.address, "/v1/batch", &own, body.as_bytes()).await;
        assert_eq!((answer.code, answer.reason()), (400, "MALFORMED"));
    }
    let large = json!({"batch": ["x".repeat(5 << 20)]});
    let answer = site.send("/v1/batch", &large).await;
    assert_eq!((answer.code, answer.reason()), (413, "MESSAGE_TOO_LARGE"));
    let many = json!({"batch": vec![json!(1); 10_001]});
    let answer = site.send("/v1/batch", &many).await;
    assert_eq!((answer.code, answer.reason()), (400, "BATCH_TOO_LARGE"));
}
