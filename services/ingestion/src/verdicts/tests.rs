use super::*;

#[test]
fn every_record_has_its_verdict_in_the_order_in_which_the_records_came() {
    use Outcome::{Accepted, Conflict, Duplicate, Held};
    let refused = |indexes: &[u32]| {
        indexes
            .iter()
            .map(|index| (*index, Rejection::default()))
            .collect::<Vec<_>>()
    };
    type Case<'a> = (&'a [u32], &'a [Outcome], &'a str);
    let cases: [Case<'_>; 6] = [
        (&[], &[], ""),
        (&[], &[Accepted, Held], "0 Accepted, 1 Held"),
        (&[0, 1], &[], "0 Rejected, 1 Rejected"),
        (&[0], &[Duplicate], "0 Rejected, 1 Duplicate"),
        (&[1], &[Accepted], "0 Accepted, 1 Rejected"),
        (
            &[1, 2, 4],
            &[Accepted, Conflict],
            "0 Accepted, 1 Rejected, 2 Rejected, 3 Conflict, 4 Rejected",
        ),
    ];
    for (indexes, outcomes, expected) in cases {
        let verdicts: Vec<String> = in_order(refused(indexes), outcomes)
            .map(|verdict| format!("{} {:?}", verdict.index, verdict.kind()))
            .collect();
        assert_eq!(verdicts.join(", "), expected);
    }
}
