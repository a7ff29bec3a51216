use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;

use super::{DEAF_GRACE_US, Lag};

const ACME: TenantId = TenantId(1);

#[test]
fn a_feed_is_ahead_from_its_first_unread_entry_until_the_newest_is_taken_in() {
    let lag = Lag::default();
    let now = Instant(25);
    lag.grown(ACME, Slice(0), 5, Instant(10));
    lag.grown(ACME, Slice(0), 7, Instant(20));
    lag.grown(TenantId(2), Slice(0), 7, Instant(1));
    assert!(lag.is_behind(ACME, now) && lag.age_us(ACME, now) == 15);
    lag.taken_in(ACME, Slice(0), 6);
    assert!(lag.is_behind(ACME, now) && lag.age_us(ACME, now) == 15);
    lag.taken_in(ACME, Slice(0), 7);
    assert!(!lag.is_behind(ACME, now) && lag.age_us(ACME, now) == 0);
    lag.grown(ACME, Slice(0), 7, now);
    assert!(!lag.is_behind(ACME, now), "heard of after it was taken in");
}

#[test]
fn a_feed_that_is_not_heard_may_hold_anything() {
    let lag = Lag::default();
    lag.deaf(Instant(3));
    lag.deaf(Instant(9));
    assert_eq!(lag.age_us(ACME, Instant(10)), 7);
    assert!(
        !lag.is_behind(ACME, Instant(3 + DEAF_GRACE_US)),
        "it may only be connecting again"
    );
    assert!(lag.is_behind(ACME, Instant(4 + DEAF_GRACE_US)));
    lag.hears();
    assert!(!lag.is_behind(ACME, Instant(4 + DEAF_GRACE_US)) && lag.age_us(ACME, Instant(10)) == 0);
}
