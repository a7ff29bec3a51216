use sextant_proto::ingestion::v1::CompleteImportRequest;

use super::*;

const ID: &str = "6f1f0f0e-6b1c-4b8e-9b57-0d6a4a3f2b11";

fn of(history: i32, id: &str) -> Result<Request, Problem> {
    let request = CompleteImportRequest {
        history,
        request_id: id.to_owned(),
    };
    read(
        Some(TenantId(1)),
        "CompleteImport",
        (&request, id),
        Instant(7),
    )
}

#[test]
fn a_request_id_is_a_uuid() {
    assert_eq!(of(1, "").unwrap_err().reason_name(), "FIELD_MISSING");
    assert_eq!(of(1, "7").unwrap_err().reason_name(), "FIELD_INVALID");
    assert!(of(1, ID).is_ok());
}

#[test]
fn every_parameter_makes_another_hash() {
    assert_eq!(of(1, ID).unwrap(), of(1, ID).unwrap());
    assert_ne!(of(1, ID).unwrap().parameters, of(2, ID).unwrap().parameters);
}
