use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use super::of_own_position;
use crate::error::{Error, Exit};

#[test]
fn a_position_that_the_caller_did_not_name_is_not_named_to_the_caller() {
    let told = |problem: Problem| {
        let error = Error::from(of_own_position(Status::from(problem)));
        (error.to_string(), error.exit())
    };
    let field = "at.at_least_position";
    let late = "was not reached before the deadline; try again";
    let late = Problem::field(ErrorReason::PositionNotReached, field, late);
    let said =
        "what is stored was not evaluated before the deadline; try again (POSITION_NOT_REACHED)";
    assert_eq!(told(late), (said.to_owned(), Exit::Unavailable));
    let other = Problem::new(ErrorReason::Unavailable, "scoring cannot be reached");
    let said = "scoring cannot be reached (UNAVAILABLE)";
    assert_eq!(told(other), (said.to_owned(), Exit::Unavailable));
}
