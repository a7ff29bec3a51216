use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;

use super::{AHEAD_GRACE_US, DEAF_GRACE_US, Lag};

const ACME: TenantId = TenantId(1);

#[test]
fn a_feed_is_ahead_from_its_first_unread_entry_until_the_newest_is_taken_in() {
    let lag = Lag::default();
    let now = Instant(11 + AHEAD_GRACE_US);
    lag.grown(ACME, Slice(0), 5, Instant(10));
    lag.grown(ACME, Slice(0), 7, Instant(20));
    lag.grown(TenantId(2), Slice(0), 7, Instant(1));
    assert!(lag.of(ACME, now).is_behind && lag.of(ACME, now).age_us == 1 + AHEAD_GRACE_US);
    let young = Instant(10 + AHEAD_GRACE_US);
    assert!(!lag.of(ACME, young).is_behind && lag.of(ACME, young).age_us == AHEAD_GRACE_US);
    lag.taken_in(ACME, Slice(0), 6);
    assert!(lag.of(ACME, now).is_behind && lag.of(ACME, now).age_us == 1 + AHEAD_GRACE_US);
    lag.taken_in(ACME, Slice(0), 7);
    assert!(!lag.of(ACME, now).is_behind && lag.of(ACME, now).age_us == 0);
    lag.grown(ACME, Slice(0), 7, now);
    assert!(
        !lag.of(ACME, now).is_behind,
        "heard of after it was taken in"
    );
}

#[test]
fn a_feed_that_is_not_heard_may_hold_anything() {
    let lag = Lag::default();
    lag.deaf(Instant(3));
    lag.deaf(Instant(9));
    assert_eq!(lag.of(ACME, Instant(10)).age_us, 7);
    assert!(
        !lag.of(ACME, Instant(3 + DEAF_GRACE_US)).is_behind,
        "it may only be connecting again"
    );
    assert!(lag.of(ACME, Instant(4 + DEAF_GRACE_US)).is_behind);
    lag.hears();
    assert!(
        !lag.of(ACME, Instant(4 + DEAF_GRACE_US)).is_behind
            && lag.of(ACME, Instant(10)).age_us == 0
    );
}

#[test]
fn all_feeds_together_are_as_far_behind_as_their_entries_and_as_old_as_the_oldest_fact() {
    let lag = Lag::default();
    let (now, other) = (Instant(1_000_000), TenantId(2));
    lag.taken_in(ACME, Slice(0), 4);
    lag.grown(ACME, Slice(0), 7, Instant(900_000));
    lag.grown(other, Slice(1), 2, Instant(600_000));
    assert_eq!((lag.entries(), lag.oldest(now).as_micros()), (5, 400_000));
    // The first of them was stored long before anybody told of it.
    lag.waits_since(ACME, Slice(0), Instant(100_000));
    assert_eq!(lag.oldest(now).as_micros(), 900_000);
    lag.taken_in(ACME, Slice(0), 6);
    lag.waits_since(ACME, Slice(0), Instant(950_000));
    assert_eq!((lag.entries(), lag.oldest(now).as_micros()), (3, 400_000));
    lag.taken_in(other, Slice(1), 2);
    lag.taken_in(ACME, Slice(0), 7);
    lag.waits_since(ACME, Slice(0), Instant(0));
    assert_eq!((lag.entries(), lag.oldest(now).as_micros()), (0, 0));
    lag.deaf(now);
    let connecting = Instant(now.0 + DEAF_GRACE_US);
    assert_eq!(lag.oldest(connecting).as_micros(), 0);
    assert_eq!(lag.oldest(connecting.plus_us(1)).as_micros(), 10_000_001);
}

#[test]
fn what_fails_is_as_old_as_its_first_failure_until_it_succeeds() {
    let lag = Lag::default();
    let other = TenantId(2);
    let close = (ACME, None);
    let slice = (ACME, Some(Slice(1)));
    let failed = || Err::<(), _>(Status::unavailable("away"));
    lag.ended(close, &failed(), Instant(3));
    lag.ended(close, &failed(), Instant(8));
    lag.ended(slice, &failed(), Instant(5));
    assert!(lag.of(ACME, Instant(10)).is_failing && !lag.of(other, Instant(10)).is_failing);
    assert_eq!(lag.of(ACME, Instant(10)).age_us, 7);
    lag.ended(close, &Ok(()), Instant(10));
    assert_eq!(lag.of(ACME, Instant(10)).age_us, 5);
    lag.ended(slice, &Ok(()), Instant(10));
    assert!(!lag.of(ACME, Instant(10)).is_failing && lag.of(ACME, Instant(10)).age_us == 0);
}

#[test]
fn whom_another_process_has_overtaken_has_not_failed() {
    let lag = Lag::default();
    let overtaken = Err::<(), _>(sextant_wire::status::store(
        sextant_domain::store::Error::Fenced,
    ));
    lag.ended((ACME, None), &overtaken, Instant(3));
    assert!(!lag.of(ACME, Instant(10)).is_failing);
}
