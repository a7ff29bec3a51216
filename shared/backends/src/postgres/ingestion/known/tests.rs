use sextant_domain::id::{AccountUid, Slice};

use super::*;

const TENANT: TenantId = TenantId(1);

#[test]
fn a_new_connection_makes_all_be_forgotten() {
    let known = Known::default();
    let met = |opened: u64| {
        let mut met = known.0.lock().unwrap();
        met.is_of(opened) && met.accounts.find(TENANT, "acme").is_some()
    };
    let home = Home {
        uid: AccountUid(1),
        slice: Slice(0),
    };
    known.learn(1, TENANT, [("acme", home)].into_iter());
    assert!(met(1));
    assert!(!met(2));
    known.learn(1, TENANT, [("acme", home)].into_iter());
    assert!(
        !met(2),
        "what was read through an older connection is not remembered"
    );
}
