use tonic::{Code, Request};

use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::auth::Key;
use sextant_runtime::tenant::TENANT_HEADER;

use crate::bad::{bad_records, text, with_state};
use crate::records::{
    DAY, HOUR, account, account_at, event, event_at, events, payment, with_event,
};
use crate::world::{BOTH, NOW, World, plain_tenant, reason, request_id, told};

#[tokio::test]
async fn a_refused_record_that_fits_no_answer_is_listed_without_itself() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let bulky = with_state("a", |account| {
        account.traits = [("bulky".to_owned(), text(3_500_000))].into();
    });
    let verdicts = tenant.verdicts(vec![bulky, account("b", "acme")]).await;
    let refused = "REJECTED account.traits[\"bulky\"] FIELD_TOO_LONG";
    assert_eq!(verdicts, [refused, "ACCEPTED"]);
    let request = pb::ListRejectionsRequest::default();
    let listed = tenant.clients.ingestion().list_rejections(request).await;
    let [rejected] = &listed.unwrap().into_inner().rejections[..] else {
        panic!("one was refused");
    };
    assert_eq!(rejected.record, None);
    let hint = &rejected.rejection.as_ref().unwrap().hint;
    assert!(hint.ends_with("bytes are too many to be shown)"), "{hint}");
}

#[tokio::test]
async fn every_bad_record_is_refused_by_name_and_the_good_ones_beside_it_are_kept() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut records = vec![account("a", "acme")];
    let mut expected = vec!["ACCEPTED".to_owned()];
    for (number, (bad, told)) in bad_records().into_iter().enumerate() {
        records.push(bad);
        expected.push(format!("REJECTED {told}"));
        records.push(event(&format!("good {number}"), "acme"));
        expected.push("ACCEPTED".to_owned());
    }
    let n_bad = u64::try_from(bad_records().len()).unwrap();
    assert_eq!(tenant.verdicts(records.clone()).await, expected);
    // The record without a source counts under none.
    assert_eq!(tenant.counts("web").await, [1 + n_bad, 0, 0, 0, n_bad - 1]);
    assert_eq!(tenant.counts("").await, [0, 0, 0, 0, 1]);

    let listed = tenant
        .clients
        .ingestion()
        .list_rejections(pb::ListRejectionsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.next_page_token, "");
    let listed: Vec<_> = listed.rejections.into_iter().rev().collect();
    assert_eq!(listed.len(), bad_records().len());
    for (listed, (bad, told)) in listed.iter().zip(bad_records()) {
        let rejection = listed.rejection.as_ref().unwrap();
        assert_eq!(format!("{} {}", rejection.field, rejection.reason), told);
        assert!(!rejection.hint.is_empty());
        assert_eq!(listed.received_at.unwrap().seconds, NOW.0 / 1_000_000);
        // Not compared as a whole: not-a-number equals nothing.
        let kept = listed.record.as_ref().unwrap();
        assert_eq!(
            (&kept.source, &kept.id, kept.time),
            (&bad.source, &bad.id, bad.time)
        );
    }
}

#[tokio::test]
async fn a_rejection_consumes_no_identity_and_a_corrected_record_is_accepted() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    assert_eq!(
        tenant
            .verdicts(vec![account("a", "acme"), payment("p", "acme", -5, "USD")])
            .await[1],
        "REJECTED payment.amount.minor AMOUNT_NEGATIVE"
    );
    assert_eq!(
        tenant.verdicts(vec![payment("p", "acme", 5, "USD")]).await,
        ["ACCEPTED"]
    );
    assert_eq!(tenant.counts("web").await, [2, 0, 0, 0, 1]);
}

#[tokio::test]
async fn the_same_record_is_a_duplicate_and_another_payload_under_its_identity_a_conflict() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let first = tenant
        .send(vec![
            account("a", "acme"),
            event("e", "acme"),
            event("e", "acme"),
        ])
        .await;
    assert_eq!(
        first.verdicts.iter().map(told).collect::<Vec<_>>(),
        ["ACCEPTED", "ACCEPTED", "DUPLICATE"]
    );
    let mut resent = event("e", "acme");
    resent.sent_at = Some(sextant_wire::time::timestamp(NOW));
    let changed = with_event(event("e", "acme"), |event| event.quantity = 7);
    let again = tenant
        .send(vec![
            resent,
            changed,
            event_at("e", "acme", NOW.plus_us(-5 * HOUR)),
        ])
        .await;
    // The identity holds the record's own time: the same id at another hour is another record.
    assert_eq!(
        again.verdicts.iter().map(told).collect::<Vec<_>>(),
        ["DUPLICATE", "CONFLICT", "ACCEPTED"]
    );
    assert_eq!(tenant.counts("web").await, [3, 2, 1, 0, 0]);
    // A batch of duplicates alone has the position of what was stored before.
    let only = tenant.send(vec![event("e", "acme")]).await;
    assert_eq!(only.position, again.position);
}

#[tokio::test]
async fn an_event_of_an_unknown_account_is_held_and_replayed_when_the_account_comes() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    assert_eq!(
        tenant
            .verdicts(vec![event("e", "acme"), event("f", "other")])
            .await,
        ["HELD", "HELD"]
    );
    // Still waiting, and counted once; another payload under the identity of a waiting record is a conflict.
    let changed = with_event(event("e", "acme"), |event| event.quantity = 7);
    assert_eq!(
        tenant.verdicts(vec![event("e", "acme"), changed]).await,
        ["HELD", "CONFLICT"]
    );
    let before = tenant.counts("web").await;
    assert_eq!((before[0], before[2], before[3]), (0, 1, 2));
    let held = |page_size, page_token: String| {
        let mut client = tenant.clients.ingestion();
        async move {
            client
                .list_held(pb::ListHeldRequest {
                    page_size,
                    page_token,
                })
                .await
                .unwrap()
                .into_inner()
        }
    };
    let first = held(1, String::new()).await;
    assert_eq!(
        (first.held.len(), first.held[0].account_id.as_str()),
        (1, "acme")
    );
    assert_eq!(first.held[0].record, Some(event("e", "acme")));
    let second = held(1, first.next_page_token).await;
    assert_eq!(
        (
            second.held[0].account_id.as_str(),
            second.next_page_token.as_str()
        ),
        ("other", "")
    );

    world.hand.advance_us(HOUR);
    assert_eq!(
        tenant.verdicts(vec![account("a", "acme")]).await,
        ["ACCEPTED"]
    );
    let after = tenant.counts("web").await;
    assert_eq!((after[0], after[2], after[3]), (2, 1, 1));
    assert_eq!(held(50, String::new()).await.held.len(), 1);
    let facts = world
        .by(&world.service)
        .feed()
        .read_facts(pb::ReadFactsRequest {
            tenant_id: tenant.id_bytes().into(),
            ..Default::default()
        })
        .await;
    let facts: Vec<pb::StoredFact> = facts
        .unwrap()
        .into_inner()
        .entries
        .into_iter()
        .flat_map(|entry| entry.facts)
        .collect();
    assert_eq!(facts.len(), 2);
    // It is known once its account is, not since it came.
    let replayed = facts
        .iter()
        .find(|fact| sextant_wire::record::decode(&fact.record).unwrap().id == "e")
        .unwrap();
    let waited = replayed.known_at.unwrap().seconds - NOW.0 / 1_000_000;
    assert_eq!(waited, 3_600);
}

#[tokio::test]
async fn validation_tells_the_verdicts_and_stores_nothing() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant.send(vec![account("a", "known")]).await;
    let records = vec![
        event("1", "known"),
        event("2", "new"),
        account("b", "new"),
        event("3", "nobody"),
        event("", "known"),
    ];
    let request = pb::IngestBatchRequest {
        records,
        validate_only: true,
        ..Default::default()
    };
    let answer = tenant
        .clients
        .ingestion()
        .ingest_batch(request)
        .await
        .unwrap()
        .into_inner();
    let verdicts: Vec<String> = answer.verdicts.iter().map(told).collect();
    assert_eq!(
        verdicts,
        [
            "ACCEPTED",
            "ACCEPTED",
            "ACCEPTED",
            "HELD",
            "REJECTED id FIELD_MISSING"
        ]
    );
    assert_eq!(tenant.counts("web").await, [1, 0, 0, 0, 0]);
    assert_eq!(tenant.verdicts(vec![event("2", "new")]).await, ["HELD"]);
}

#[tokio::test]
async fn a_batch_of_too_many_records_and_a_message_of_too_many_bytes_are_refused_as_a_whole() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let batch = |records| pb::IngestBatchRequest {
        records,
        ..Default::default()
    };
    let many = tenant
        .clients
        .ingestion()
        .ingest_batch(batch(events("e", "acme", 10_001)))
        .await;
    assert_eq!(reason(many), "BATCH_TOO_LARGE");
    let five_mib = with_event(event("e", "acme"), |event| {
        event.user_id = "x".repeat(5 << 20)
    });
    for kind in BOTH {
        let clients = world.over(kind, &tenant.key).await;
        let status = clients
            .ingestion()
            .ingest_batch(batch(vec![five_mib.clone()]))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{kind:?}");
        let told = status.message();
        assert!(
            told.starts_with("records: the message has 52429") && told.contains("limit is 4194304"),
            "{kind:?}: {told}"
        );
        assert!(
            told.contains("several IngestBatch calls") && told.contains("Ingest stream"),
            "{kind:?}: {told}"
        );
    }
    assert_eq!(tenant.counts("web").await, [0; 5]);
}

#[tokio::test]
async fn calls_without_a_key_with_a_bad_one_or_of_an_unknown_tenant_are_refused() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let stranger = world.by(&Key::generate().unwrap());
    assert_eq!(
        reason(
            stranger
                .ingestion()
                .ingest_batch(pb::IngestBatchRequest::default())
                .await
        ),
        "KEY_INVALID"
    );
    let operator = world.by(&world.operator);
    let of = |header: Option<&str>| {
        let mut request = Request::new(pb::IngestBatchRequest::default());
        if let Some(header) = header {
            request
                .metadata_mut()
                .insert(TENANT_HEADER, header.parse().unwrap());
        }
        request
    };
    assert_eq!(
        reason(operator.ingestion().ingest_batch(of(None)).await),
        "FIELD_MISSING"
    );
    assert_eq!(
        reason(operator.ingestion().ingest_batch(of(Some("acme"))).await),
        "FIELD_INVALID"
    );
    assert_eq!(
        reason(
            operator
                .ingestion()
                .ingest_batch(of(Some(&request_id())))
                .await
        ),
        "TENANT_UNKNOWN"
    );
    assert!(
        operator
            .ingestion()
            .ingest_batch(of(Some(&tenant.id)))
            .await
            .is_ok()
    );
    let mut stream = Request::new(tokio_stream::empty());
    stream
        .metadata_mut()
        .insert(TENANT_HEADER, request_id().parse().unwrap());
    assert_eq!(
        reason(operator.ingestion().ingest(stream).await),
        "TENANT_UNKNOWN"
    );
}

#[tokio::test]
async fn a_tenant_with_a_fixed_clock_lives_in_its_own_time() {
    let world = World::new().await;
    let clock = NOW.plus_us(-1_000 * DAY);
    let fixed = pb::Tenant {
        fixed_clock: Some(sextant_wire::time::timestamp(clock)),
        ..plain_tenant()
    };
    let tenant = world.tenant_as(fixed).await;
    let day_later = clock.plus_us(24 * HOUR);
    let sent = |records| tenant.verdicts(records);
    let first = vec![
        account_at("a", "acme", "", clock),
        event_at("1", "acme", day_later),
        event_at("2", "acme", day_later.plus_us(1)),
    ];
    assert_eq!(
        sent(first).await,
        ["ACCEPTED", "ACCEPTED", "REJECTED time TIME_IN_FUTURE"]
    );
    let to = Some(sextant_wire::time::timestamp(day_later));
    tenant
        .clients
        .tenants()
        .advance_clock(pb::AdvanceClockRequest {
            to,
            request_id: request_id(),
        })
        .await
        .unwrap();
    assert_eq!(
        sent(vec![event_at("2", "acme", day_later.plus_us(1))]).await,
        ["ACCEPTED"]
    );
}

#[tokio::test]
async fn imported_history_is_known_at_its_own_time_and_flagged() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let at = NOW.plus_us(-100 * DAY);
    let request = pb::IngestBatchRequest {
        options: Some(pb::IngestOptions { historical: true }),
        records: vec![account_at("a", "acme", "Acme", at)],
        validate_only: false,
    };
    let ingest = || {
        let (mut client, request) = (tenant.clients.ingestion(), request.clone());
        async move { client.ingest_batch(request).await }
    };
    assert_eq!(reason(ingest().await), "IMPORT_STATE");
    tenant.start_import().await;
    let stored = ingest().await.unwrap().into_inner();
    let verdicts: Vec<_> = stored.verdicts.iter().map(told).collect();
    assert_eq!(verdicts, ["ACCEPTED"]);
    tenant
        .send(vec![account_at("b", "acme", "New", at.plus_us(DAY))])
        .await;
    let request = pb::ReadFactsRequest {
        tenant_id: tenant.id_bytes().into(),
        ..Default::default()
    };
    let read = world
        .by(&world.service)
        .feed()
        .read_facts(request)
        .await
        .unwrap()
        .into_inner();
    let known: Vec<(i64, bool)> = read
        .entries
        .iter()
        .flat_map(|entry| &entry.facts)
        .map(|fact| (fact.known_at.unwrap().seconds, fact.historical))
        .collect();
    assert_eq!(
        known,
        [(at.0 / 1_000_000, true), (NOW.0 / 1_000_000, false)]
    );
}

#[tokio::test]
async fn rejections_are_paged_newest_first_and_a_token_of_another_list_is_refused() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    for number in 0..5 {
        tenant
            .send(vec![
                event_at(&format!("{number}"), "acme", NOW.plus_us(2 * DAY)),
                event(&format!("held {number}"), "nobody"),
            ])
            .await;
    }
    let list = |page_size, page_token: &str| {
        let request = pb::ListRejectionsRequest {
            page_size,
            page_token: page_token.to_owned(),
            ..pb::ListRejectionsRequest::default()
        };
        let mut client = tenant.clients.ingestion();
        async move { client.list_rejections(request).await }
    };
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(2, &token).await.unwrap().into_inner();
        ids.extend(
            page.rejections
                .into_iter()
                .map(|one| one.record.unwrap().id),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, ["4", "3", "2", "1", "0"]);
    let held = tenant
        .clients
        .ingestion()
        .list_held(pb::ListHeldRequest {
            page_size: 1,
            page_token: String::new(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        reason(list(2, &held.next_page_token).await),
        "PAGE_TOKEN_INVALID"
    );
    assert_eq!(reason(list(2, "nonsense").await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(list(-1, "").await), "FIELD_INVALID");
}
