use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;
use sextant_store::port::NewFact;

use super::*;

fn batch(id: u128, recorded_at: i64, accounts: &[&str]) -> FactBatch {
    let facts = accounts.iter().map(|account| NewFact {
        identity: RecordIdentity::new("test", account, Instant(0)),
        payload: PayloadHash(0),
        kind: FactKind::Event,
        account: ExternalId::parse(account).ok().map(AccountKey::from),
        new_account_uid: 0,
        occurred_at: Instant(0),
        known_at: Instant(0),
        historical: false,
        record: Vec::new(),
    });
    FactBatch {
        tenant: TenantId(1),
        n_slices: 4,
        batch_id: id,
        recorded_at: Instant(recorded_at),
        fixed_clock: None,
        facts: facts.collect(),
        sources: accounts.iter().map(|_| "test".into()).collect(),
        rejections: Vec::new(),
        trace: None,
    }
}

#[test]
fn joined_batches_keep_their_order_and_their_facts() {
    let group = Group::of(vec![
        batch(7, 10, &["a", "b"]),
        batch(8, 30, &[]),
        batch(9, 20, &["c"]),
    ])
    .unwrap();
    let accounts: Vec<_> = group
        .whole
        .facts
        .iter()
        .filter_map(|fact| fact.account.as_ref())
        .map(AccountKey::as_str)
        .collect();
    assert_eq!(
        (accounts, group.whole.recorded_at),
        (vec!["a", "b", "c"], Instant(30))
    );
    assert_eq!([0, 1, 2].map(|place| group.member_of(place)), [0, 0, 2]);
}

#[test]
fn each_batch_gets_its_own_outcomes_and_heads() {
    let group = Group::of(vec![batch(7, 0, &["a", "b"]), batch(8, 0, &["c"])]).unwrap();
    let outcomes = [Outcome::Duplicate, Outcome::Duplicate, Outcome::Accepted];
    let heads = [
        ((1, 0, Slice(3)), 5),
        ((1, 0, Slice(1)), 8),
        ((1, 1, Slice(1)), 9),
    ];
    let parts = group.split(&outcomes, &heads.into());
    let first = Committed {
        outcomes: vec![Outcome::Duplicate; 2],
        heads: Vec::new(),
    };
    let second = Committed {
        outcomes: vec![Outcome::Accepted],
        heads: vec![(Slice(1), 9), (Slice(3), 5)],
    };
    assert_eq!(parts, [first, second]);
}
