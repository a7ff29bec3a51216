use super::*;

const TENANT: TenantId = TenantId(1);

fn account(n: usize) -> (String, Home) {
    let home = Home {
        uid: AccountUid(u128::try_from(n).unwrap()),
        slice: Slice(0),
    };
    (format!("account-{n}"), home)
}

fn insert(known: &mut KnownAccounts, n: usize) {
    let (id, home) = account(n);
    known.insert(TENANT, id, home);
}

fn find(known: &mut KnownAccounts, n: usize) -> Option<Home> {
    known.find(TENANT, &account(n).0)
}

#[test]
fn an_account_is_known_to_its_tenant_only() {
    let mut known = KnownAccounts::default();
    insert(&mut known, 7);
    assert_eq!(find(&mut known, 7), Some(account(7).1));
    assert_eq!(known.find(TenantId(2), &account(7).0), None);
}

#[test]
fn accounts_in_use_outlive_those_that_are_not() {
    let mut known = KnownAccounts::default();
    for n in 0..=2 * MAX_GENERATION {
        insert(&mut known, n);
        assert!(find(&mut known, 0).is_some(), "account 0 is in use");
    }
    assert_eq!(find(&mut known, 1), None);
    assert!(known.n_recent <= MAX_GENERATION);
}

#[test]
fn nothing_is_known_after_clear() {
    let mut known = KnownAccounts::default();
    insert(&mut known, 7);
    known.clear();
    assert_eq!(find(&mut known, 7), None);
}
