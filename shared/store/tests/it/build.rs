//! What the tests store.

use std::sync::Arc;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;
use sextant_store::port::{FactBatch, NewFact};

pub(crate) const TENANT: TenantId = TenantId(0xa01);
pub(crate) const NOON: Instant = Instant(1_767_268_800_000_000);

pub(crate) fn fact(kind: FactKind, id: &str, record: Vec<u8>) -> NewFact {
    NewFact {
        identity: RecordIdentity::new("crm", id, NOON),
        payload: PayloadHash::of(&record),
        kind,
        account: Some(ExternalId::parse("anvil").unwrap().into()),
        new_account_uid: 7,
        occurred_at: NOON,
        known_at: NOON,
        historical: false,
        record,
    }
}

/// The record that brings the account of all others.
pub(crate) fn account() -> NewFact {
    fact(FactKind::Account, "anvil", b"anvil".to_vec())
}

pub(crate) fn event(id: &str) -> NewFact {
    fact(FactKind::Event, id, id.as_bytes().to_vec())
}

pub(crate) fn batch(n: u128, facts: Vec<NewFact>) -> FactBatch {
    let source: Arc<str> = "crm".into();
    let sources = vec![source; facts.len()];
    FactBatch {
        tenant: TENANT,
        n_slices: 1,
        batch_id: n,
        recorded_at: NOON,
        fixed_clock: None,
        facts,
        sources,
        rejections: Vec::new(),
        trace: None,
    }
}
