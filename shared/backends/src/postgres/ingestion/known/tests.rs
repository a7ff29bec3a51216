use super::*;

const TENANT: TenantId = TenantId(1);

fn home(number: usize) -> Home {
    (AccountUid(u128::try_from(number).unwrap()), Slice(0))
}

#[test]
fn an_account_that_is_met_again_outlives_others() {
    let mut generations = Generations::default();
    let half = MAX_ACCOUNTS / 2;
    for number in 0..half {
        generations.put(TENANT, &number.to_string(), home(number));
    }
    generations.put(TENANT, "one more", home(half));
    assert_eq!(generations.get(TENANT, "7"), Some(home(7)));
    for number in half + 1..2 * half {
        generations.put(TENANT, &number.to_string(), home(number));
    }
    assert_eq!(generations.get(TENANT, "7"), Some(home(7)));
    assert_eq!(generations.get(TENANT, "8"), None);
    let n_kept: usize = [&generations.newer, &generations.older]
        .map(|accounts| accounts.values().map(HashMap::len).sum::<usize>())
        .iter()
        .sum();
    assert!(n_kept <= MAX_ACCOUNTS, "{n_kept} are kept");
}

#[test]
fn a_new_connection_makes_all_be_forgotten() {
    let known = Known::default();
    let met = |opened: u64| {
        let mut generations = known.0.lock().unwrap();
        generations.is_of(opened) && generations.get(TENANT, "acme").is_some()
    };
    known.learn(1, TENANT, [("acme", home(1))].into_iter());
    assert!(met(1));
    assert!(!met(2));
    known.learn(1, TENANT, [("acme", home(1))].into_iter());
    assert!(
        !met(2),
        "what was read through an older connection is not remembered"
    );
}

#[test]
fn an_account_is_known_to_its_tenant_only() {
    let mut generations = Generations::default();
    generations.put(TENANT, "acme", home(1));
    assert_eq!(generations.get(TenantId(2), "acme"), None);
}
