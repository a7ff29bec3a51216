use sextant_proto::ingestion::v1::{RevokeKeyRequest, StartImportRequest, StartImportResponse};

use super::*;

const OWNER: Owner = Some(TenantId(1));

fn answer(position: &str) -> impl Future<Output = Result<StartImportResponse, Status>> {
    std::future::ready(Ok(StartImportResponse {
        position: position.into(),
    }))
}

fn request() -> StartImportRequest {
    StartImportRequest::default()
}

#[tokio::test]
async fn a_repeated_request_gets_its_first_answer_and_changes_nothing() {
    let requests = Requests::default();
    let id = Uuid::new_v4();
    let first = requests
        .once(OWNER, id, &request(), Repeat::SameAnswer, answer("1"))
        .await
        .unwrap();
    let again = requests
        .once(OWNER, id, &request(), Repeat::SameAnswer, answer("2"))
        .await
        .unwrap();
    assert_eq!(
        (first.position.as_str(), again.position.as_str()),
        ("1", "1")
    );
    let of_another = requests
        .once(
            Some(TenantId(2)),
            id,
            &request(),
            Repeat::SameAnswer,
            answer("3"),
        )
        .await
        .unwrap();
    assert_eq!(of_another.position, "3");
}

#[tokio::test]
async fn an_id_cannot_be_used_for_another_request_or_another_method() {
    let requests = Requests::default();
    let id = Uuid::new_v4();
    requests
        .once(OWNER, id, &request(), Repeat::SameAnswer, answer("1"))
        .await
        .unwrap();
    let changed = StartImportRequest {
        request_id: "x".into(),
    };
    let other = requests
        .once(OWNER, id, &changed, Repeat::SameAnswer, answer("2"))
        .await
        .unwrap_err();
    let method = requests
        .once(
            OWNER,
            id,
            &RevokeKeyRequest::default(),
            Repeat::SameAnswer,
            answer("2"),
        )
        .await
        .unwrap_err();
    for status in [other, method] {
        assert_eq!(
            sextant_wire::status::reason_of(&status).as_deref(),
            Some("REQUEST_ID_REUSED")
        );
    }
}

#[tokio::test]
async fn a_failed_change_may_be_tried_again_and_a_secret_is_told_once() {
    let requests = Requests::default();
    let id = Uuid::new_v4();
    let failed = std::future::ready(Err::<StartImportResponse, _>(
        Problem::new(ErrorReason::Unavailable, "down").into(),
    ));
    assert!(
        requests
            .once(OWNER, id, &request(), Repeat::Refused, failed)
            .await
            .is_err()
    );
    requests
        .once(OWNER, id, &request(), Repeat::Refused, answer("secret"))
        .await
        .unwrap();
    let again = requests
        .once(OWNER, id, &request(), Repeat::Refused, answer("other"))
        .await
        .unwrap_err();
    assert!(again.message().contains("only once"), "{again}");
}

#[tokio::test]
async fn the_oldest_answers_are_forgotten_when_there_are_too_many() {
    let requests = Requests::default();
    let ids: Vec<Uuid> = (0..=MAX_ANSWERS)
        .map(|number| Uuid::from_u128(number as u128))
        .collect();
    for id in &ids {
        requests
            .once(OWNER, *id, &request(), Repeat::SameAnswer, answer("1"))
            .await
            .unwrap();
    }
    assert_eq!(requests.answers.lock().await.by_id.len(), MAX_ANSWERS);
    let newest = requests
        .once(
            OWNER,
            ids[MAX_ANSWERS],
            &request(),
            Repeat::SameAnswer,
            answer("2"),
        )
        .await
        .unwrap();
    assert_eq!(newest.position, "1");
}

#[test]
fn a_request_id_is_a_uuid() {
    assert_eq!(id("").unwrap_err().reason_name(), "FIELD_MISSING");
    assert_eq!(id("7").unwrap_err().reason_name(), "FIELD_INVALID");
    assert!(id("6f1f0f0e-6b1c-4b8e-9b57-0d6a4a3f2b11").is_ok());
}
