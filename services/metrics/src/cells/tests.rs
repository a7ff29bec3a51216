use sextant_domain::id::TenantId;

use super::Cells;

fn kept(cells: &Cells) -> Vec<u128> {
    (0..10)
        .filter(|tenant| cells.kept(TenantId(*tenant)).is_some())
        .collect()
}

#[test]
fn the_tenant_that_was_asked_for_longest_ago_goes_first() {
    let cells = Cells::new(2);
    for tenant in [1, 2, 1, 3] {
        drop(cells.asked(TenantId(tenant)));
    }
    assert_eq!(kept(&cells), [1, 3]);
}

#[test]
fn a_tenant_that_is_only_fed_goes_before_those_that_are_asked_for() {
    let cells = Cells::new(2);
    drop(cells.asked(TenantId(1)));
    for tenant in 2..8 {
        drop(cells.fed(TenantId(tenant)));
    }
    drop(cells.asked(TenantId(8)));
    assert_eq!(kept(&cells), [1, 8]);
}

#[test]
fn a_tenant_in_use_stays() {
    let cells = Cells::new(1);
    let in_use = [cells.asked(TenantId(1)), cells.asked(TenantId(2))];
    assert_eq!(kept(&cells), [1, 2]);
    drop(in_use);
    drop(cells.asked(TenantId(3)));
    assert_eq!(kept(&cells), [3]);
}
