//! What the cases store.

use std::fmt::Debug;
use std::sync::Arc;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId, PayloadHash, RecordIdentity, Slice, TenantId};
use sextant_domain::rfm::TiePolicy;
use sextant_domain::time::{Day, Instant};

use crate::conformance::Ingestion;
use crate::port::{
    AccountFactRow, FactBatch, FactEntry, MembershipRow, MovesProgress, NewFact, NewRejection,
    Once, Page, RejectionKey, ReplicaAccount, ReplicaCommit, Request, RevisionRow,
    SegmentationCommit, SegmentationRow, SourceRow, TenantRow, TransitionRow,
};

pub(super) const ACME: TenantId = TenantId(0x0198_0000_0000_7000_8000_0000_0000_0a01);
pub(super) const BOLT: TenantId = TenantId(0x0198_0000_0000_7000_8000_0000_0000_0b02);
pub(super) const SLICE: Slice = Slice(0);

const SECOND_US: i64 = 1_000_000;
/// 2026-01-01T00:00:00Z.
const BASE_US: i64 = 1_767_225_600_000_000;

/// Seconds after 2026-01-01T00:00:00Z.
pub(super) fn at(seconds: i64) -> Instant {
    Instant(BASE_US + seconds * SECOND_US)
}

pub(super) fn external(id: &str) -> ExternalId {
    ExternalId::parse(id).unwrap()
}

pub(super) fn uid(n: u128) -> AccountUid {
    AccountUid(0x0198_1111_0000_7000_8000_0000_0000_0000 + n)
}

/// The record `id` about an account, of second `seconds`.
pub(super) fn event(account: &str, id: &str, seconds: i64) -> NewFact {
    fact(FactKind::Event, Some(account), id, seconds)
}

/// A record that brings an account, which is to get uid `n`.
pub(super) fn account(account: &str, n: u128, id: &str) -> NewFact {
    NewFact {
        new_account_uid: uid(n).0,
        ..fact(FactKind::Account, Some(account), id, 0)
    }
}

pub(super) fn fact(kind: FactKind, account: Option<&str>, id: &str, seconds: i64) -> NewFact {
    let record = format!("record {id} of {}", account.unwrap_or("a user")).into_bytes();
    NewFact {
        identity: RecordIdentity::new("crm", id, at(seconds)),
        payload: PayloadHash::of(&record),
        kind,
        account: account.map(|id| external(id).into()),
        new_account_uid: 0,
        occurred_at: at(seconds),
        known_at: at(seconds + 1),
        historical: false,
        record,
    }
}

/// The same record with another payload.
pub(super) fn changed(fact: &NewFact) -> NewFact {
    let record = [fact.record.as_slice(), b", changed"].concat();
    NewFact {
        payload: PayloadHash::of(&record),
        record,
        ..fact.clone()
    }
}

/// Batch `n` of a tenant with one slice, from source "crm", stored at second `1000 + n`.
pub(super) fn batch(tenant: TenantId, n: u32, facts: Vec<NewFact>) -> FactBatch {
    let sources = facts.iter().map(|_| Arc::from("crm")).collect();
    FactBatch {
        tenant,
        n_slices: 1,
        batch_id: 0x0198_2222_0000_7000_8000_0000_0000_0000 + u128::from(n),
        recorded_at: at(1_000 + i64::from(n)),
        fixed_clock: None,
        facts,
        sources,
        rejections: Vec::new(),
        trace: None,
    }
}

/// The batch with all facts from another source.
pub(super) fn from_source(source: &str, batch: FactBatch) -> FactBatch {
    let sources = batch.facts.iter().map(|_| Arc::from(source)).collect();
    FactBatch { sources, ..batch }
}

pub(super) fn rejection(source: &str, field: &str) -> NewRejection {
    let record = format!("refused {field}").into_bytes();
    NewRejection {
        key: RejectionKey::of(source, field, &record, "MUST_BE_POSITIVE"),
        field: field.to_owned(),
        reason: "MUST_BE_POSITIVE".to_owned(),
        hint: "make it positive".to_owned(),
        record,
        source: source.to_owned(),
    }
}

/// All entries of a slice of ingestion's feed.
pub(super) async fn entries(store: &Ingestion, tenant: TenantId, slice: Slice) -> Vec<FactEntry> {
    let mut all: Vec<FactEntry> = Vec::new();
    loop {
        let after = all.last().map_or(0, |entry| entry.sequence);
        let read = store
            .intake
            .fact_entries(tenant, slice, after, usize::MAX)
            .await
            .unwrap();
        if read.is_empty() {
            return all;
        }
        all.extend(read);
    }
}

/// The sources of a tenant, ten at most.
pub(super) async fn sources(store: &Ingestion, tenant: TenantId) -> Vec<SourceRow> {
    let page = Page::first(10);
    store.intake.sources(tenant, &page).await.unwrap()
}

/// The records of all facts of a slice, as text, in order.
pub(super) async fn records(store: &Ingestion, tenant: TenantId, slice: Slice) -> Vec<String> {
    let entries = entries(store, tenant, slice).await;
    entries
        .iter()
        .flat_map(|entry| &entry.facts)
        .map(|fact| String::from_utf8(fact.record.clone()).unwrap())
        .collect()
}

/// A change that is asked for at a second, under a name that stands for the id of its request. Its answer is its result in
/// words, see [`answer`].
pub(super) fn once<T: Debug + 'static>(
    owner: Option<TenantId>,
    name: &str,
    seconds: i64,
) -> Once<T> {
    asked(owner, name, "", seconds)
}

/// The same with parameters.
pub(super) fn asked<T: Debug + 'static>(
    owner: Option<TenantId>,
    name: &str,
    parameters: &str,
    seconds: i64,
) -> Once<T> {
    let request = Request {
        owner,
        method: "Change",
        id: PayloadHash::of(name.as_bytes()).0,
        parameters: PayloadHash::of(parameters.as_bytes()),
        at: at(seconds),
    };
    Once::new(request, answer)
}

/// The answer to a change with this result.
pub(super) fn answer<T: Debug>(result: &T) -> Vec<u8> {
    format!("{result:?}").into_bytes()
}

/// The first revision of a segmentation.
pub(super) fn first(of: &SegmentationRow) -> RevisionRow {
    RevisionRow::first(of, "1.0.0", "a key")
}

pub(super) fn tenant_row(tenant: TenantId, name: &str) -> TenantRow {
    TenantRow {
        tenant,
        name: name.to_owned(),
        time_zone: "Europe/Warsaw".to_owned(),
        base_currency: "EUR".to_owned(),
        fixed_clock: None,
        retention_days: 1_825,
        n_slices: 3,
        import_opened_at: None,
        created_at: at(0),
        rfm_tie_policy: TiePolicy::ValueQuantile,
    }
}

/// A commit of a following service from one cursor to another, with nothing in it.
/// With two segmentations behind.
pub(super) fn moves_progress(cursor: u64) -> MovesProgress {
    MovesProgress {
        cursor,
        facts_sequence: 10 * cursor,
        behind: vec!["tier-2".to_owned(), "value_b".to_owned()],
    }
}

pub(super) fn replica(tenant: TenantId, expected_cursor: u64, cursor: u64) -> ReplicaCommit {
    ReplicaCommit {
        tenant,
        slice: SLICE,
        expected_cursor,
        cursor,
        accounts: Vec::new(),
        facts: Vec::new(),
    }
}

pub(super) fn replica_account(n: u128, id: &str, name: &str) -> ReplicaAccount {
    ReplicaAccount {
        uid: uid(n),
        id: external(id),
        name: name.to_owned(),
    }
}

pub(super) fn account_fact(n: u128, sequence: u64, ordinal: u32) -> AccountFactRow {
    AccountFactRow {
        uid: uid(n),
        sequence,
        ordinal,
        kind: FactKind::Subscription,
        occurred_at: at(10),
        known_at: at(11),
        record: format!("fact {n}/{sequence}/{ordinal}").into_bytes(),
    }
}

/// A commit of segmentation to a cursor, with nothing in it.
pub(super) fn segmentation(tenant: TenantId, version: u64, cursor: u64) -> SegmentationCommit {
    SegmentationCommit {
        tenant,
        slice: SLICE,
        version,
        cursor,
        facts_sequence: 10 * cursor,
        closed_on: Some(Day(20_000)),
        accounts: Vec::new(),
        memberships: Vec::new(),
        transitions: Vec::new(),
        behind: Vec::new(),
        judged: Vec::new(),
        entries: Vec::new(),
    }
}

pub(super) const MEMBER: u8 = 1;
pub(super) const ABSTAINED: u8 = 3;

pub(super) fn membership(segmentation: u16, n: u128, segment: &str) -> MembershipRow {
    MembershipRow {
        segmentation,
        uid: uid(n),
        state: MEMBER,
        segment: segment.to_owned(),
        entered_at: at(5),
        close_state: 0,
        close_segment: String::new(),
        transition: format!("into {segment}").into_bytes(),
        trouble: String::new(),
    }
}

/// Transition `id` of account `n`: into a segment of segmentation 1 at a second, known at once.
pub(super) fn transition(id: u128, n: u128, segment: &str, seconds: i64) -> TransitionRow {
    TransitionRow {
        id,
        segmentation: 1,
        uid: uid(n),
        at: at(seconds),
        known_at: at(seconds),
        to_state: MEMBER,
        to_segment: segment.to_owned(),
        value_minor: 0,
        downward: false,
        is_move: true,
        is_correction: false,
        transition: format!("transition {id}").into_bytes(),
    }
}
