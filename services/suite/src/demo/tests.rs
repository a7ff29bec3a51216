use sextant_proto::segmentation::v1::{ListSegmentsResponse, SegmentSummary};

use super::occupied;

#[test]
fn segments_that_no_account_is_in_are_not_shown_and_the_others_are_as_they_were() {
    let of = |accounts| SegmentSummary {
        accounts,
        ..SegmentSummary::default()
    };
    let answer = ListSegmentsResponse {
        segments: [0, 3, 0, 1].map(of).into(),
        accounts: 4,
        ..ListSegmentsResponse::default()
    };
    let shown = occupied(answer);
    assert_eq!(shown.segments, [3, 1].map(of));
    assert_eq!(shown.accounts, 4);
}
