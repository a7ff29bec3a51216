use tonic::{Request, Response, Status};

use sextant_domain::fact::FactKind;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::config::nearest;
use sextant_store::port::{FactAddress, TimelinePlace, TimelineQuery, TimelineRow};
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;
use sextant_wire::{page, read, record};

use crate::pages::Room;
use crate::reading::Reading;
use crate::service::Shared;
use crate::{failure, fold};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<pb::ListTimelineRequest>,
) -> Result<Response<pb::ListTimelineResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let id = read::account(request.account.as_ref(), "account")?;
    let kinds = kinds(&request.kinds)?;
    let size = page::size(request.page_size)?;
    let (pager, owner) = (&shared.deps.pager, tenant.row.tenant.0);
    let bound = pb::ListTimelineRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let cursor = pager.cursor(owner, &bound, &request.page_token)?;
    let reading = Reading::begin(shared, tenant, request.at.as_ref()).await?;
    reading.with_places(shared).await?;
    let accounts = &shared.deps.accounts;
    let found = accounts
        .resolve(reading.tenant_id(), std::slice::from_ref(&id))
        .await
        .map_err(failure::of_store)?;
    let account = found.first().ok_or_else(|| read::account_unknown(&id))?;
    let versions = accounts
        .versions(reading.tenant_id(), &[account.uid])
        .await
        .map_err(failure::of_store)?;
    if fold::profile(&id, &versions, reading.moment)?.is_none() {
        return Err(read::account_unknown(&id).into());
    }
    // A cursor that carries our signature is readable; what is none anyway continues at the beginning.
    let before = cursor.as_deref().and_then(place);
    let query = TimelineQuery {
        uid: account.uid,
        slice: account.slice,
        kinds,
        known_at: reading.moment.known_at,
        before: before.unwrap_or_else(|| TimelinePlace::behind(reading.moment.as_of)),
        limit: 0,
    };
    let (rows, has_more) = gather(shared, &reading, query, size).await?;
    let last = rows.last().filter(|_| has_more);
    let next_page_token = last.map_or_else(String::new, |last| {
        pager.token(owner, &bound, &written(last.place))
    });
    let watermark = rows.iter().map(|row| row.place.occurred_at).max();
    let entries = rows
        .into_iter()
        .map(entry)
        .collect::<Result<_, Problem>>()?;
    Ok(Response::new(pb::ListTimelineResponse {
        entries,
        next_page_token,
        freshness: Some(reading.freshness(watermark)),
    }))
}

/// The rows of a page, and whether others follow.
async fn gather(
    shared: &Shared,
    reading: &Reading,
    mut query: TimelineQuery,
    size: usize,
) -> Result<(Vec<TimelineRow>, bool), Problem> {
    let (mut room, mut rows) = (Room::new(size), Vec::new());
    loop {
        query.limit = room.ask();
        let timeline = shared.deps.accounts.timeline(reading.tenant_id(), &query);
        let found = timeline.await.map_err(failure::of_store)?;
        let is_all = found.len() < query.limit;
        for row in found {
            if !room.take(row.record.len()) {
                return Ok((rows, true));
            }
            query.before = row.place;
            rows.push(row);
        }
        if is_all {
            return Ok((rows, false));
        }
    }
}

fn kinds(names: &[String]) -> Result<Vec<FactKind>, Problem> {
    let kind = |name: &String| {
        let known = || FactKind::ALL.into_iter().map(FactKind::field);
        let found = FactKind::ALL.into_iter().find(|kind| kind.field() == name);
        found.ok_or_else(|| {
            let message = match nearest(name, known()) {
                Some(near) => format!("\"{name}\" is no kind of record; did you mean {near}?"),
                None => {
                    let all = known().collect::<Vec<_>>().join(", ");
                    format!("\"{name}\" is no kind of record; there are {all}")
                },
            };
            Problem::field(ErrorReason::FieldInvalid, "kinds", message)
        })
    };
    names.iter().map(kind).collect()
}

/// A place as a cursor carries it.
fn written(place: TimelinePlace) -> String {
    let FactAddress { batch_id, ordinal } = place.address;
    format!("{} {batch_id:x} {ordinal}", place.occurred_at.0)
}

fn place(cursor: &str) -> Option<TimelinePlace> {
    let (occurred_at, address) = cursor.split_once(' ')?;
    let (batch_id, ordinal) = address.split_once(' ')?;
    Some(TimelinePlace {
        occurred_at: Instant(occurred_at.parse().ok()?),
        address: FactAddress {
            batch_id: u128::from_str_radix(batch_id, 16).ok()?,
            ordinal: ordinal.parse().ok()?,
        },
    })
}

fn entry(row: TimelineRow) -> Result<pb::TimelineEntry, Problem> {
    Ok(pb::TimelineEntry {
        record: Some(record::decode(&row.record)?),
        known_at: Some(timestamp(row.known_at)),
        historical: row.historical,
    })
}
