//! An import of history, from its opening to its completion: nothing of the tenant is evaluated in between.

use tonic::Status;
use uuid::Uuid;

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{CompleteImportRequest, HistorySchedule, StartImportRequest};

use crate::client::{Client, is};
use crate::import::patience::{News, persist};

/// What to do where an import is open already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// It is somebody else's: open none.
    Refuse,
    /// It is the caller's own and was interrupted: go on in it.
    Resume,
}

/// Opens an import. What the service said of one that is open already and goes on is returned.
///
/// # Errors
/// IMPORT_STATE where one is open that is not to be resumed, and whatever else the service refuses.
pub(crate) async fn open(client: &Client, open: Open) -> Result<Option<Status>, Status> {
    let request = StartImportRequest {
        request_id: Uuid::new_v4().to_string(),
    };
    match client.tenants().start_import(client.request(request)).await {
        Ok(_) => Ok(None),
        Err(status) if open == Open::Resume && is(&status, ErrorReason::ImportState) => {
            Ok(Some(status))
        },
        Err(status) => Err(status),
    }
}

/// Completes the open import, and gives the position at which it is evaluated. While the service is away, it waits, but not for
/// ever.
///
/// # Errors
/// IMPORT_STATE where none is open, and whatever else the service refuses.
pub(crate) async fn complete(
    client: &Client,
    schedule: HistorySchedule,
    tell: impl FnMut(News<'_>) + Send,
) -> Result<String, Status> {
    let request = CompleteImportRequest {
        history: schedule.into(),
        request_id: Uuid::new_v4().to_string(),
    };
    let answer = persist(tell, || {
        let (client, request) = (client.clone(), request.clone());
        Box::pin(async move {
            client
                .tenants()
                .complete_import(client.request(request))
                .await
        })
    });
    Ok(answer.await?.into_inner().position)
}
