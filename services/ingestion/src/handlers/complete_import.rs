use tonic::{Request, Response, Status};

use sextant_domain::position::Position;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{
    CompleteImportRequest, CompleteImportResponse, HistorySchedule,
};
use sextant_store::port::Import;
use sextant_wire::status::Problem;

use crate::handlers::start_import::mark;
use crate::requests::{self, Repeat};
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<CompleteImportRequest>,
) -> Result<Response<CompleteImportResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    let request = request.into_inner();
    let id = requests::id(&request.request_id)?;
    let history = schedule(request.history)?;
    let change = async {
        let heads = mark(shared, tenant, Import::Completed(history)).await?;
        let message = "no import is open; open one first";
        let heads = heads.ok_or_else(|| Problem::new(ErrorReason::ImportState, message))?;
        Ok(CompleteImportResponse {
            position: Position::new(heads).encode(tenant),
        })
    };
    let answer = shared
        .requests
        .once(Some(tenant), id, &request, Repeat::SameAnswer, change)
        .await?;
    Ok(Response::new(answer))
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
