//! `Intake`: refusals and sources.

use sextant_domain::source::HourCount;

use crate::conformance::Harness;
use crate::conformance::imports::mark;
use crate::conformance::make::{
    ACME, BOLT, account, at, batch, changed, event, from_source, once, rejection, tenant_row,
};
use crate::port::{
    FactBatch, HOURS_KEPT, Import, NewFact, NewRejection, Page, RejectionFilter, SourceRow,
};

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

    let newest = store
        .intake
        .rejections(ACME, &RejectionFilter::ALL, None, 2)
        .await
        .unwrap();
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
        .rejections(ACME, &RejectionFilter::ALL, Some(newest[1].ordinal), 10)
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

pub async fn refusals_are_asked_for_by_source_and_reason_and_removed<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let other = NewRejection {
        reason: "TOO_OLD".to_owned(),
        ..rejection("crm", "three")
    };
    let refused = FactBatch {
        rejections: vec![rejection("crm", "one"), rejection("app", "two"), other],
        ..batch(ACME, 1, Vec::new())
    };
    store.facts.commit(refused).await.unwrap();
    let listed = async |source: Option<&str>, reason: Option<&str>| {
        let filter = RejectionFilter {
            source: source.map(ToOwned::to_owned),
            reason: reason.map(ToOwned::to_owned),
        };
        let found = store.intake.rejections(ACME, &filter, None, 10).await;
        let fields = found.unwrap().into_iter().map(|row| row.field);
        fields.collect::<Vec<String>>()
    };
    assert_eq!(listed(Some("crm"), None).await, ["three", "one"]);
    assert_eq!(listed(None, Some("MUST_BE_POSITIVE")).await, ["two", "one"]);
    assert_eq!(listed(Some("crm"), Some("TOO_OLD")).await, ["three"]);
    assert_eq!(listed(Some("web"), None).await, Vec::<String>::new());
    let all = store
        .intake
        .rejections(ACME, &RejectionFilter::ALL, None, 10)
        .await
        .unwrap();
    let ordinals = [all[0].ordinal, all[2].ordinal, u64::MAX >> 1];
    let mut found = store.intake.rejections_by(ACME, &ordinals).await.unwrap();
    found.sort_by_key(|row| row.ordinal);
    assert_eq!(found, [all[2].clone(), all[0].clone()]);
    assert_eq!(
        store.intake.rejections_by(BOLT, &ordinals).await.unwrap(),
        []
    );
    store
        .intake
        .remove_rejections(BOLT, &ordinals)
        .await
        .unwrap();
    assert_eq!(listed(None, None).await.len(), 3);
    store
        .intake
        .remove_rejections(ACME, &ordinals)
        .await
        .unwrap();
    store
        .intake
        .remove_rejections(ACME, &ordinals)
        .await
        .unwrap();
    assert_eq!(listed(None, None).await, ["two"]);
    // What was corrected may be refused again.
    let again = FactBatch {
        rejections: vec![rejection("crm", "one")],
        ..batch(ACME, 2, Vec::new())
    };
    store.facts.commit(again).await.unwrap();
    assert_eq!(listed(None, None).await, ["one", "two"]);
}

pub async fn a_refusal_that_comes_again_is_listed_once_and_counted_again<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let of = |n: u32, tenant, fields: &[&str]| FactBatch {
        rejections: fields.iter().map(|field| rejection("crm", field)).collect(),
        ..batch(tenant, n, Vec::new())
    };
    let first = of(1, ACME, &["one", "two", "one"]);
    store.facts.commit(first).await.unwrap();
    let again = of(2, ACME, &["two", "three", "one"]);
    store.facts.commit(again).await.unwrap();
    store.facts.commit(of(3, BOLT, &["one"])).await.unwrap();

    let listed = |tenant| {
        let rejections = store
            .intake
            .rejections(tenant, &RejectionFilter::ALL, None, 10);
        async move {
            let rows = rejections.await.unwrap();
            rows.into_iter()
                .map(|row| (row.field, row.received_at))
                .collect::<Vec<_>>()
        }
    };
    let row = |field: &str, seconds| (field.to_owned(), at(seconds));
    assert_eq!(
        listed(ACME).await,
        [row("three", 1_002), row("two", 1_001), row("one", 1_001)]
    );
    assert_eq!(listed(BOLT).await, [row("one", 1_003)]);
    let sources = store.intake.sources(ACME, &Page::first(2)).await.unwrap();
    assert_eq!((sources.len(), sources[0].rejected), (1, 6));
}

pub async fn sources_tell_what_became_of_their_records<H: Harness>(harness: H) {
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
    let source = |source: &str,
                  [accepted, duplicate, conflict, held, rejected]: [u64; 5],
                  (seconds, watermark, n_records): (i64, Option<i64>, u64)| {
        SourceRow {
            source: source.to_owned(),
            accepted,
            duplicate,
            conflict,
            held,
            rejected,
            last_received_at: at(seconds),
            watermark: watermark.map(at),
            hours: vec![HourCount {
                hour: at(0).hour(),
                n_records,
            }],
        }
    };
    let expected = [
        source("app", [1, 1, 0, 0, 0], (1_002, Some(7), 2)),
        source("crm", [2, 1, 1, 1, 2], (1_001, Some(7), 7)),
        source("web", [0, 0, 0, 0, 1], (1_001, None, 1)),
    ];
    let list = async |after: Option<&str>, limit| {
        let after = after.map(str::to_owned);
        let page = Page { after, limit };
        store.intake.sources(ACME, &page).await.unwrap()
    };
    assert_eq!(list(None, 10).await, expected);
    assert_eq!(list(None, 2).await, expected[..2]);
    assert_eq!(list(Some("app"), 1).await, expected[1..2]);
    assert_eq!(list(Some("web"), 10).await, []);
    let of_another = store.intake.sources(BOLT, &Page::first(10)).await.unwrap();
    assert_eq!(of_another, []);
}

/// Batch `n`, stored in the hour `hours` after the first.
fn in_hour(hours: i32, n: u32, facts: Vec<NewFact>) -> FactBatch {
    FactBatch {
        recorded_at: at(i64::from(hours) * 3_600 + 60),
        ..batch(ACME, n, facts)
    }
}

pub async fn records_of_a_source_are_counted_by_the_hours_of_weeks<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let hours = async || {
        let sources = store.intake.sources(ACME, &Page::first(2)).await.unwrap();
        let hours = sources[0].hours.iter();
        let hours: Vec<(i32, u64)> = hours
            .map(|one| (one.hour - at(0).hour(), one.n_records))
            .collect();
        (hours, sources[0].watermark)
    };
    let commit = async |batch| store.facts.commit(batch).await.unwrap();
    let first = event("unknown", "e1", 7);
    commit(in_hour(5, 1, vec![first.clone()])).await;
    commit(in_hour(5, 2, vec![first, event("unknown", "e2", 70_000)])).await;
    // What waits already has come again; what is ahead of the clock leads the source no further than that.
    let clock = 5 * 3_600 + 60;
    assert_eq!(hours().await, (vec![(5, 3)], Some(at(clock))));

    // What was held has come before, and history has not come in this hour, whatever time it has.
    let mut old = event("unknown", "old", clock + 1);
    (old.historical, old.known_at) = (true, old.occurred_at);
    let (row, once) = (tenant_row(ACME, "acme"), once(None, "acme", 0));
    store.tenants.create(&row, once).await.unwrap();
    mark(&store, Import::Started, 10).await;
    commit(in_hour(6, 3, vec![old])).await;
    assert_eq!(hours().await, (vec![(5, 3)], Some(at(clock + 1))));
    commit(in_hour(7, 4, vec![account("unknown", 1, "a1")])).await;
    assert_eq!(hours().await.0, [(5, 3), (7, 1)]);

    // A clock that stands still counts its own hours.
    let standing = FactBatch {
        fixed_clock: Some(at(9 * 3_600)),
        ..in_hour(50, 5, vec![event("unknown", "e3", 8)])
    };
    commit(standing).await;
    assert_eq!(hours().await.0, [(5, 3), (7, 1), (9, 1)]);

    commit(in_hour(HOURS_KEPT + 5, 6, vec![event("unknown", "e4", 9)])).await;
    assert_eq!(
        hours().await.0,
        [(5, 3), (7, 1), (9, 1), (HOURS_KEPT + 5, 1)]
    );
    commit(in_hour(HOURS_KEPT + 8, 7, vec![event("unknown", "e5", 9)])).await;
    let kept = [(9, 1), (HOURS_KEPT + 5, 1), (HOURS_KEPT + 8, 1)];
    assert_eq!(hours().await.0, kept);
}
