//! An import of history, from its opening to its completion: nothing of the tenant is evaluated in between.

use futures_util::future::BoxFuture;
use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{CompleteImportRequest, HistorySchedule, StartImportRequest};
use sextant_proto::metrics::v1::GetRevenueRequest;
use sextant_proto::scoring::v1::GetClockRequest;
use sextant_proto::segmentation::v1::{ListSegmentationsRequest, ListSegmentsRequest};

use crate::client::{Client, all_pages, at_least, is, request_id, settled};
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
        request_id: request_id(),
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
        request_id: request_id(),
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

/// Returns once scoring, segmentation, for every segmentation, and metrics have evaluated what a position stands for: whoever asks
/// then is answered with it. While a service is away, it waits, but not for ever.
///
/// # Errors
/// Whatever a service refuses.
pub(crate) async fn evaluated(
    client: &Client,
    position: &str,
    mut tell: impl FnMut(News<'_>) + Send,
) -> Result<(), Status> {
    let request = GetClockRequest {
        at_least_position: position.to_owned(),
    };
    let asking = client.clone();
    let read = move || {
        let (client, request) = (asking.clone(), request.clone());
        Box::pin(async move {
            let request = client.request(request);
            client.clock().get_clock(request).await
        }) as BoxFuture<'static, _>
    };
    reached(&mut tell, read).await?;
    let listed = persist(&mut tell, || {
        let client = client.clone();
        Box::pin(async move {
            let request = ListSegmentationsRequest::default();
            let listed = all_pages!(
                client,
                segmentation.list_segmentations,
                request,
                segmentations
            );
            Ok(listed)
        })
    });
    for one in listed.await? {
        let request = ListSegmentsRequest {
            segmentation: one.key,
            at: at_least(position),
            page_size: 1,
            ..ListSegmentsRequest::default()
        };
        let client = client.clone();
        let read = move || {
            let (client, request) = (client.clone(), request.clone());
            Box::pin(async move {
                let request = client.request(request);
                client.segmentation().list_segments(request).await
            }) as BoxFuture<'static, _>
        };
        reached(&mut tell, read).await?;
    }
    let request = GetRevenueRequest {
        at: at_least(position),
        ..GetRevenueRequest::default()
    };
    let client = client.clone();
    let read = move || {
        let (client, request) = (client.clone(), request.clone());
        Box::pin(async move {
            let request = client.request(request);
            client.metrics().get_revenue(request).await
        }) as BoxFuture<'static, _>
    };
    reached(&mut tell, read).await
}

/// Repeats a read until its service is there and has processed the position that it asks for.
async fn reached<T: Send + 'static>(
    tell: &mut (impl FnMut(News<'_>) + Send),
    read: impl Fn() -> BoxFuture<'static, Result<T, Status>> + Clone + Send + Sync + 'static,
) -> Result<(), Status> {
    let call = || Box::pin(settled(read.clone())) as BoxFuture<'static, _>;
    persist(tell, call).await.map(drop)
}
