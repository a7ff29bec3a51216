use tonic::{Request, Response, Status};

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{
    CompleteImportRequest, CompleteImportResponse, HistorySchedule,
};
use sextant_store::port::Import;
use sextant_wire::request;
use sextant_wire::status::Problem;

use crate::handlers::start_import::mark;
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<CompleteImportRequest>,
) -> Result<Response<CompleteImportResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    let request = request.into_inner();
    let history = schedule(request.history)?;
    let asked = (&request, request.request_id.as_str());
    let now = shared.deps.clock.now();
    let once = request::read(Some(tenant), "CompleteImport", asked, now)?;
    let position = mark(shared, tenant, Import::Completed(history), once).await?;
    let message = "no import is open; open one first";
    let position = position.ok_or_else(|| Problem::new(ErrorReason::ImportState, message))?;
    Ok(Response::new(CompleteImportResponse { position }))
}

/// The number of a schedule as the feed keeps it; not said is daily.
fn schedule(history: i32) -> Result<u8, Problem> {
    let known = match HistorySchedule::try_from(history) {
        Ok(HistorySchedule::Unspecified | HistorySchedule::Daily) => HistorySchedule::Daily,
        Ok(schedule @ (HistorySchedule::Monthly | HistorySchedule::Latest)) => schedule,
        Err(_unknown) => {
            let message = format!("{history} is no value of this field");
            return Err(Problem::field(
                ErrorReason::FieldInvalid,
                "history",
                message,
            ));
        },
    };
    u8::try_from(i32::from(known))
        .map_err(|_too_great| Problem::new(ErrorReason::Internal, "schedule does not fit"))
}
