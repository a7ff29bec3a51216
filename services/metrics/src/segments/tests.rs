use sextant_domain::time::Instant;

use super::{SegmentHistory, SegmentMove};
use crate::state::Moment;

/// (segmentation, segment, at, known at), in the order in which they were told.
type Told = (&'static str, &'static str, i64, i64);

/// (as of, known at), and the segment.
type Case = ((i64, i64), Option<&'static str>);

fn check(told: &[Told], cases: &[Case]) {
    let mut history = SegmentHistory::default();
    for (segmentation, segment, at, known_at) in told {
        let (segmentation, segment) = ((*segmentation).into(), (*segment).into());
        history.add(SegmentMove {
            segmentation,
            segment,
            at: Instant(*at),
            known_at: Instant(*known_at),
        });
    }
    for ((as_of, known_at), expected) in cases {
        let moment = Moment {
            as_of: Instant(*as_of),
            known_at: Instant(*known_at),
        };
        assert_eq!(
            history.segment_at("health", moment),
            *expected,
            "as of {as_of}, known at {known_at}"
        );
    }
}

#[test]
fn an_account_is_where_its_newest_move_led_it() {
    check(
        &[
            ("health", "fine", 10, 10),
            ("tier", "gold", 15, 15),
            ("health", "at_risk", 20, 20),
            ("health", "", 30, 30),
        ],
        &[
            ((9, 99), None),
            ((10, 99), Some("fine")),
            ((19, 99), Some("fine")),
            ((20, 99), Some("at_risk")),
            ((30, 99), Some("")),
        ],
    );
}

#[test]
fn a_move_counts_only_once_it_is_known() {
    check(
        &[("health", "fine", 10, 10), ("health", "at_risk", 20, 25)],
        &[((22, 24), Some("fine")), ((22, 25), Some("at_risk"))],
    );
}

#[test]
fn of_two_moves_at_one_instant_the_later_told_holds_even_if_another_came_between() {
    check(
        &[
            ("health", "fine", 10, 10),
            ("health", "at_risk", 20, 20),
            ("health", "vip", 10, 30),
        ],
        &[
            ((10, 29), Some("fine")),
            ((10, 30), Some("vip")),
            ((20, 30), Some("at_risk")),
        ],
    );
}
