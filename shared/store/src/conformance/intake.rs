//! `Intake`: refusals and counts.

use crate::conformance::Harness;
use crate::conformance::make::{ACME, account, at, batch, changed, event, from_source, rejection};
use crate::port::{FactBatch, SourceCount};

pub async fn refused_records_are_listed_newest_first<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let first = FactBatch {
        rejections: vec![rejection("crm", "one"), rejection("crm", "two")],
        ..batch(ACME, 1, Vec::new())
    };
    store.facts.commit(first).await.unwrap();
    let second = FactBatch {
        rejections: vec![rejection("app", "three")],
        ..batch(ACME, 2, Vec::new())
    };
    store.facts.commit(second).await.unwrap();

    let newest = store.intake.rejections(ACME, None, 2).await.unwrap();
    assert_eq!(
        newest
            .iter()
            .map(|row| row.field.as_str())
            .collect::<Vec<_>>(),
        ["three", "two"]
    );
    let row = &newest[0];
    assert_eq!(
        (row.reason.as_str(), row.hint.as_str(), row.received_at),
        ("MUST_BE_POSITIVE", "make it positive", at(1_002))
    );
    assert_eq!(row.record, b"refused three");
    let older = store
        .intake
        .rejections(ACME, Some(newest[1].ordinal), 10)
        .await
        .unwrap();
    assert_eq!(
        older
            .iter()
            .map(|row| row.field.as_str())
            .collect::<Vec<_>>(),
        ["one"]
    );
}

pub async fn counts_tell_what_became_of_the_records_of_each_source<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let fact = event("anvil", "e1", 7);
    let facts = vec![
        account("anvil", 1, "a1"),
        fact.clone(),
        fact.clone(),
        changed(&fact),
        event("unknown", "e2", 7),
    ];
    let refused = vec![
        rejection("web", "value"),
        rejection("crm", "value"),
        rejection("crm", "value"),
    ];
    store
        .facts
        .commit(FactBatch {
            rejections: refused,
            ..batch(ACME, 1, facts)
        })
        .await
        .unwrap();
    store
        .facts
        .commit(from_source(
            "app",
            batch(ACME, 2, vec![fact, event("anvil", "e3", 7)]),
        ))
        .await
        .unwrap();
    let count = |source: &str,
                 [accepted, duplicate, conflict, held, rejected]: [u64; 5],
                 seconds| SourceCount {
        source: source.to_owned(),
        accepted,
        duplicate,
        conflict,
        held,
        rejected,
        last_received_at: at(seconds),
    };
    let expected = [
        count("app", [1, 1, 0, 0, 0], 1_002),
        count("crm", [2, 1, 1, 1, 2], 1_001),
        count("web", [0, 0, 0, 0, 1], 1_001),
    ];
    assert_eq!(store.intake.counts(ACME).await.unwrap(), expected);
}
