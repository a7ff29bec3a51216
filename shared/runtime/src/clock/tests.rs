use sextant_domain::time::Instant;

use super::Clock;

#[test]
fn a_manual_clock_stands_still_until_its_hand_moves() {
    let (clock, hand) = Clock::manual(Instant(1_000));
    assert_eq!(clock.now(), Instant(1_000));
    let same = clock.clone();
    hand.advance_us(5);
    assert_eq!(clock.now(), Instant(1_005));
    assert_eq!(same.now(), Instant(1_005));
    hand.set(Instant(7));
    assert_eq!(clock.now(), Instant(7));
}

#[test]
fn the_real_clock_is_past_the_year_this_was_written() {
    let floor = Instant::parse("2025-01-01T00:00:00Z").unwrap();
    assert!(Clock::real().now() > floor);
}
