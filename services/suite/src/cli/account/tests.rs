use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use super::{Missing, Position};
use crate::error::Error;

#[test]
fn a_position_that_is_not_reached_is_named_where_it_was_given() {
    let late = || {
        let said = "was not reached before the deadline; try again";
        Problem::field(
            ErrorReason::PositionNotReached,
            "at.at_least_position",
            said,
        )
    };
    for (position, said) in [
        (
            Position::Given,
            "--at-least: was not reached before the deadline; try again",
        ),
        (
            Position::OfFacts,
            "what is stored was not evaluated before the deadline; try again",
        ),
    ] {
        let mut missing = Missing {
            position,
            parts: Vec::new(),
        };
        for part in ["segments", "scores"] {
            let refused: Result<(), Error> = Err(Status::from(late()).into());
            assert!(missing.unless_away(part, refused).unwrap().is_none());
        }
        let [(status, parts)] = missing.parts.as_slice() else {
            panic!("{:?}", missing.parts);
        };
        let told = Error::from(Status::clone(status)).to_string();
        assert_eq!(told, format!("{said} (POSITION_NOT_REACHED)"));
        assert_eq!(parts, &["segments", "scores"]);
    }
}
