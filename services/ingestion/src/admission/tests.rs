use sextant_domain::id::TenantId;
use sextant_domain::money::Currency;
use sextant_domain::rfm::TiePolicy;
use sextant_domain::time::DAY_US;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_store::port::TenantRow;
use sextant_wire::time::timestamp;

use super::*;

const NOW: Instant = Instant(20_000 * DAY_US);

fn tenant(fixed_clock: Option<Instant>) -> KnownTenant {
    let row = TenantRow {
        tenant: TenantId(7),
        name: "acme".into(),
        time_zone: "UTC".into(),
        base_currency: "USD".into(),
        fixed_clock,
        retention_days: 395,
        n_slices: 1,
        import_opened_at: None,
        created_at: Instant(0),
        rfm_tie_policy: TiePolicy::default(),
    };
    KnownTenant {
        row,
        base_currency: Currency::USD,
    }
}

fn event(id: &str, at: Instant, sent_at: Option<Instant>) -> pb::Record {
    pb::Record {
        source: "web".into(),
        id: id.into(),
        time: Some(timestamp(at)),
        sent_at: sent_at.map(timestamp),
        fact: Some(Fact::Event(pb::EventFact {
            account_id: "acme".into(),
            r#type: "session.start".into(),
            ..pb::EventFact::default()
        })),
        ..pb::Record::default()
    }
}

fn one(record: pb::Record, fixed_clock: Option<Instant>, knowledge: Knowledge) -> NewFact {
    let batch = check(
        [Arrived::of(record)].into_iter(),
        &Terms::new(&tenant(fixed_clock), knowledge, NOW),
    );
    assert!(batch.refused.is_empty(), "{:?}", batch.refused);
    batch.facts.into_iter().next().unwrap()
}

#[test]
fn a_fact_is_known_when_it_comes_by_the_evaluation_clock() {
    let clock = Instant(10_000 * DAY_US);
    let hour_ago = |now: Instant| now.plus_us(-3_600_000_000);
    let known_at =
        |now, fixed, knowledge| one(event("1", hour_ago(now), None), fixed, knowledge).known_at;
    assert_eq!(known_at(NOW, None, Knowledge::Now), NOW);
    assert_eq!(known_at(clock, Some(clock), Knowledge::Now), clock);
    assert_eq!(known_at(NOW, None, Knowledge::Assumed), hour_ago(NOW));
    assert_eq!(
        known_at(clock, Some(clock), Knowledge::Assumed),
        hour_ago(clock)
    );
}

#[test]
fn imported_history_is_flagged_and_never_known_before_now_lies() {
    let ahead = NOW.plus_us(3_600_000_000);
    let fact = one(event("1", ahead, None), None, Knowledge::Assumed);
    assert_eq!(
        (fact.occurred_at, fact.known_at, fact.historical),
        (ahead, NOW, true)
    );
    assert!(!one(event("1", ahead, None), None, Knowledge::Now).historical);
}

#[test]
fn a_source_clock_is_corrected_only_where_sending_and_receiving_are_one_moment() {
    let slow = NOW.plus_us(-2 * DAY_US);
    let clock = Instant(19_990 * DAY_US);
    let occurred_at = |fixed, knowledge| {
        one(
            event("1", slow.plus_us(-DAY_US), Some(slow)),
            fixed,
            knowledge,
        )
        .occurred_at
    };
    assert_eq!(occurred_at(None, Knowledge::Now), NOW.plus_us(-DAY_US));
    assert_eq!(occurred_at(None, Knowledge::Assumed), slow.plus_us(-DAY_US));
    let sent = clock.plus_us(-2 * DAY_US);
    let fixed = one(
        event("1", sent.plus_us(-5), Some(sent)),
        Some(clock),
        Knowledge::Now,
    );
    assert_eq!(fixed.occurred_at, sent.plus_us(-5));
}

#[test]
fn a_refused_record_is_kept_as_it_came_beside_the_good_ones() {
    let sent_at = Some(NOW.plus_us(-10_000_000));
    let bad = pb::Record {
        id: String::new(),
        ..event("", NOW, sent_at)
    };
    let records = vec![
        event("1", NOW, sent_at),
        bad.clone(),
        event("2", NOW, sent_at),
    ];
    let records = records.into_iter().map(Arrived::of);
    let batch = check(records, &Terms::new(&tenant(None), Knowledge::Now, NOW));
    assert_eq!(
        (batch.n_records, batch.facts.len(), batch.refused.len()),
        (3, 2, 1)
    );
    let refused = &batch.refused[0];
    assert_eq!(
        (
            refused.index,
            refused.kept.field.as_str(),
            refused.kept.reason.as_str()
        ),
        (1, "id", "FIELD_MISSING")
    );
    assert_eq!(
        pb::Record::decode(refused.kept.record.as_slice()).unwrap(),
        bad
    );
}

#[test]
fn what_a_bad_record_holds_cannot_fill_or_break_the_lists() {
    let source = format!("a\0b{}", "é".repeat(500));
    let bad = pb::Record {
        source,
        ..event("1", NOW, None)
    };
    let bad = [Arrived::of(bad)].into_iter();
    let batch = check(bad, &Terms::new(&tenant(None), Knowledge::Now, NOW));
    let kept = &batch.refused[0].kept;
    assert!(
        kept.source.starts_with("a béé") && kept.source.len() <= MAX_EXTERNAL_ID_BYTES,
        "{:?}",
        kept.source
    );
    assert_eq!(
        printable(&"x".repeat(1_000), MAX_HINT_BYTES).len(),
        MAX_HINT_BYTES
    );
}

#[test]
fn new_ids_are_of_version_7_and_differ() {
    let ids: BTreeSet<u128> = (0..1_000).map(|_| new_uid(NOW)).collect();
    assert_eq!(ids.len(), 1_000);
    for id in ids {
        let id = Uuid::from_u128(id);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(
            id.get_timestamp().unwrap().to_unix().0,
            u64::try_from(NOW.0 / 1_000_000).unwrap()
        );
    }
}

#[test]
fn a_batch_holds_no_more_records_than_allowed() {
    assert!(check_size(10_000, 10_000).is_ok());
    assert_eq!(
        check_size(10_001, 10_000).unwrap_err().reason_name(),
        "BATCH_TOO_LARGE"
    );
}
