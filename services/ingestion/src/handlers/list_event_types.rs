use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1 as pb;
use sextant_store::port::{EventTypeRow, Page};
use sextant_wire::page;
use sextant_wire::time::timestamp;

use crate::reading::Reading;
use crate::service::Shared;
use crate::{failure, pages};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<pb::ListEventTypesRequest>,
) -> Result<Response<pb::ListEventTypesResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let (size, id) = (page::size(request.page_size)?, tenant.row.tenant);
    let (pager, bound) = (&shared.deps.pager, pb::ListEventTypesRequest::default());
    let after = pager.cursor(id.0, &bound, &request.page_token)?;
    let reading = Reading::begin(shared, tenant, None).await?;
    reading.with_places(shared).await?;
    let asked = Page {
        after,
        limit: size + 1,
    };
    let found = shared.deps.places.event_types(id, &asked).await;
    let mut rows = found.map_err(failure::of_store)?;
    let next_page_token = pages::cut(&mut rows, size)
        .map(|last| pager.token(id.0, &bound, &last.event_type))
        .unwrap_or_default();
    let watermark = rows.iter().map(|row| row.last_at).max();
    Ok(Response::new(pb::ListEventTypesResponse {
        event_types: rows.into_iter().map(shown).collect(),
        next_page_token,
        freshness: Some(reading.freshness(watermark)),
    }))
}

fn shown(row: EventTypeRow) -> pb::EventType {
    pb::EventType {
        r#type: row.event_type,
        events: row.events,
        first_at: Some(timestamp(row.first_at)),
        last_at: Some(timestamp(row.last_at)),
    }
}
