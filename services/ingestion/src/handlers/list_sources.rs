use prost_types::Duration;
use tonic::{Request, Response, Status};

use sextant_domain::source::{SourceHealth, SourceState, health_of};
use sextant_domain::time::{Instant, Zone};
use sextant_proto::ingestion::v1 as pb;
use sextant_store::port::{Page, SourceRow};
use sextant_wire::page;
use sextant_wire::time::timestamp;

use crate::reading::Reading;
use crate::service::Shared;
use crate::{failure, pages};

/// Of one page: each has the hours of weeks.
const MAX_SOURCES: usize = 100;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<pb::ListSourcesRequest>,
) -> Result<Response<pb::ListSourcesResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let (size, id) = (
        page::size(request.page_size)?.min(MAX_SOURCES),
        tenant.row.tenant,
    );
    let (pager, bound) = (&shared.deps.pager, pb::ListSourcesRequest::default());
    let after = pager.cursor(id.0, &bound, &request.page_token)?;
    let reading = Reading::begin(shared, tenant, None).await?;
    let zone = reading.zone()?;
    let asked = Page {
        after,
        limit: size + 1,
    };
    let found = shared.deps.intake.sources(id, &asked).await;
    let mut rows = found.map_err(failure::of_store)?;
    let next_page_token = pages::cut(&mut rows, size)
        .map(|last| pager.token(id.0, &bound, &last.source))
        .unwrap_or_default();
    let watermark = rows.iter().filter_map(|row| row.watermark).max();
    let now = reading.moment.as_of;
    Ok(Response::new(pb::ListSourcesResponse {
        sources: rows.into_iter().map(|row| shown(row, now, &zone)).collect(),
        next_page_token,
        freshness: Some(reading.freshness(watermark)),
    }))
}

fn shown(row: SourceRow, now: Instant, zone: &Zone) -> pb::Source {
    let SourceHealth {
        state,
        silent_since,
        expected,
    } = health_of(&row.hours, now, zone);
    let state = match state {
        SourceState::Learning => pb::SourceState::Learning,
        SourceState::Flowing => pb::SourceState::Flowing,
        SourceState::Silent => pb::SourceState::Silent,
        SourceState::Ended => pb::SourceState::Ended,
    };
    pb::Source {
        source: row.source,
        accepted: row.accepted,
        duplicate: row.duplicate,
        conflict: row.conflict,
        held: row.held,
        rejected: row.rejected,
        last_received_at: Some(timestamp(row.last_received_at)),
        watermark: row.watermark.map(timestamp),
        lag: row.watermark.map(|watermark| since(watermark, now)),
        state: state.into(),
        silent_since: silent_since.map(timestamp),
        expected: expected.map(|band| pb::RecordRate {
            low: band.low,
            high: band.high,
        }),
    }
}

/// At least 0.
fn since(watermark: Instant, now: Instant) -> Duration {
    let us = now.0.saturating_sub(watermark.0).max(0);
    let nanos = i32::try_from(us % 1_000_000).unwrap_or(0) * 1_000;
    Duration {
        seconds: us / 1_000_000,
        nanos,
    }
}
