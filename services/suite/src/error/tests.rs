use std::io;

use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use super::{Error, Exit};

fn exit_of(reason: ErrorReason) -> u8 {
    let status: Status = Problem::new(reason, "as it happens").into();
    Error::from(status).exit() as u8
}

#[test]
fn every_kind_of_refusal_has_the_exit_code_that_scripts_rely_on() {
    let table = [
        (ErrorReason::FieldInvalid, 2),
        (ErrorReason::MessageTooLarge, 2),
        (ErrorReason::AccountUnknown, 3),
        (ErrorReason::TenantUnknown, 3),
        (ErrorReason::SegmentationUnknown, 3),
        (ErrorReason::KeyMissing, 4),
        (ErrorReason::KeyInvalid, 4),
        (ErrorReason::ScopeMissing, 4),
        (ErrorReason::Unavailable, 5),
        (ErrorReason::Overloaded, 5),
        (ErrorReason::DeadlineExceeded, 5),
        (ErrorReason::PositionNotReached, 5),
        (ErrorReason::AlreadyExists, 6),
        (ErrorReason::ImportState, 6),
        (ErrorReason::ClockState, 6),
        (ErrorReason::Internal, 1),
    ];
    for (reason, code) in table {
        assert_eq!(exit_of(reason), code, "{reason:?}");
    }
}

#[test]
fn a_refusal_is_shown_with_its_reason_and_where_to_read_on() {
    let status: Status =
        Problem::new(ErrorReason::AccountUnknown, "account \"acme\" is not known").into();
    let error = Error::from(status);
    assert_eq!(
        error.to_string(),
        "account \"acme\" is not known (ACCOUNT_UNKNOWN)"
    );
    assert_eq!(error.hint(), "sextant explain ACCOUNT_UNKNOWN");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let error = Error::Output(io::ErrorKind::BrokenPipe.into());
    assert_eq!(error.exit(), Exit::Ok);
    assert!(error.is_silent());
}

#[test]
fn a_missing_file_and_an_interruption_have_codes_of_their_own() {
    let missing = Error::File {
        path: "facts.csv".into(),
        source: io::ErrorKind::NotFound.into(),
    };
    assert_eq!(missing.exit() as u8, 3);
    assert_eq!(Error::Interrupted.exit() as u8, 130);
    assert_eq!(Error::usage("what?").exit() as u8, 2);
    assert_eq!(Error::Incomplete.exit() as u8, 1);
}
