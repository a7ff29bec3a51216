use sextant_domain::id::TenantId;

use super::{MAX_TOLD, Unbegun};

#[test]
fn a_failure_is_news_once_for_as_long_as_the_tenant_is_noted() {
    let unbegun = Unbegun::default();
    let (acme, other) = (TenantId(1), TenantId(2));
    for tenant in [acme, other] {
        assert!(unbegun.note(tenant));
        assert!(unbegun.is_news(tenant, "it crashed"));
        assert!(!unbegun.is_news(tenant, "it crashed"));
    }
    assert!(unbegun.is_news(acme, "it is away"));
    assert!(!unbegun.note(acme));
    assert!(!unbegun.is_news(acme, "it crashed"));

    unbegun.locked().remove(&acme);
    assert!(unbegun.note(acme));
    assert!(unbegun.is_news(acme, "it crashed"));
    assert!(!unbegun.is_news(other, "it crashed"));
}

#[test]
fn failures_that_differ_each_time_are_not_kept_for_ever() {
    let unbegun = Unbegun::default();
    let tenant = TenantId(1);
    unbegun.note(tenant);
    for attempt in 0..10 * MAX_TOLD {
        assert!(unbegun.is_news(tenant, &format!("attempt {attempt}")));
    }
    assert!(unbegun.locked()[&tenant].len() <= MAX_TOLD);
}
