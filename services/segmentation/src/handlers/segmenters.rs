//! Versions of segmenters: published, approved, taken out of use.

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_plugin_host::MAX_FILE_BYTES;
use sextant_plugin_host::trust::{MAX_SIGNED_BYTES, Signed};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::upload_segmenter_request::Part;
use sextant_runtime::tenant::{of_installation, tenant_if_named};
use sextant_store::port::EventFilter;
use sextant_wire::status::{Problem, store};
use sextant_wire::{page, request, time};

use super::Handlers;
use crate::segmenters::{Actor, Offer, told};
use crate::supervise::Change;

/// How long a file may take to arrive, and its next piece: whoever stops sending gives way to others.
const LONGEST_UPLOAD: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const DIGEST_DIGITS: usize = 64;

pub(super) async fn upload(
    handlers: &Handlers,
    request: Request<Streaming<pb::UploadSegmenterRequest>>,
) -> Result<Response<pb::UploadSegmenterResponse>, Status> {
    of_installation(&request)?;
    let by = Actor::of(&request);
    let mut parts = request.into_inner();
    let first = parts.next().await.transpose()?.and_then(|first| first.part);
    let Some(Part::Head(head)) = first else {
        let message = "must be what the first message holds";
        return Err(Problem::field(ErrorReason::FieldMissing, "head", message).into());
    };
    let size = check(&head)?;
    let _room = handlers.engine.segmenters.room_to_upload().await;
    let receiving = tokio::time::timeout(LONGEST_UPLOAD, received(&mut parts, size));
    let code = receiving.await.map_err(|_too_long| {
        let message = format!("the file did not come within {LONGEST_UPLOAD:?}: send it again");
        Problem::new(ErrorReason::DeadlineExceeded, message)
    })??;
    let offer = Offer {
        name: "upload".to_owned(),
        code,
        digest: head.digest,
        signed: Signed {
            manifest: head.manifest.to_vec(),
            signature: head.signature,
        },
        by,
    };
    let (segmenter, known) = handlers.engine.segmenters.publish(offer).await?;
    Ok(Response::new(pb::UploadSegmenterResponse {
        segmenter: Some(segmenter),
        known,
    }))
}

async fn received(
    parts: &mut Streaming<pb::UploadSegmenterRequest>,
    size: usize,
) -> Result<Vec<u8>, Status> {
    let mut code = Vec::new();
    loop {
        let next = tokio::time::timeout(LONGEST_PAUSE, parts.next()).await;
        let next = next.map_err(|_elapsed| {
            let message = format!("nothing came for {LONGEST_PAUSE:?}: send it again");
            Problem::new(ErrorReason::DeadlineExceeded, message)
        })?;
        let Some(part) = next.transpose()? else {
            break;
        };
        let Some(Part::Chunk(chunk)) = part.part else {
            let message = "must be what every message behind the first holds";
            return Err(Problem::field(ErrorReason::FieldMissing, "chunk", message).into());
        };
        code.extend_from_slice(&chunk);
        if code.len() > size {
            break;
        }
    }
    if code.len() != size {
        let message = format!(
            "V-digest: head.size is {size}, and {} bytes came (what is published is what was sent); to fix it: send it again",
            code.len()
        );
        return Err(Problem::new(ErrorReason::SegmenterRejected, message).into());
    }
    Ok(code)
}

fn check(head: &pb::UploadHead) -> Result<usize, Problem> {
    let is_digest = head.digest.len() == DIGEST_DIGITS
        && head
            .digest
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !is_digest {
        let message =
            format!("must be SHA-256 of the file, {DIGEST_DIGITS} lower-case hexadecimal digits");
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "head.digest",
            message,
        ));
    }
    if head.size > MAX_FILE_BYTES {
        let message = format!(
            "is {}; a segmenter has at most {MAX_FILE_BYTES} bytes",
            head.size
        );
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "head.size",
            message,
        ));
    }
    let signed_bytes = head.manifest.len().max(head.signature.len());
    if signed_bytes as u64 > MAX_SIGNED_BYTES {
        let message = format!("has more than {MAX_SIGNED_BYTES} bytes");
        return Err(Problem::field(
            ErrorReason::FieldTooLong,
            "head.manifest",
            message,
        ));
    }
    usize::try_from(head.size)
        .map_err(|_too_many| Problem::field(ErrorReason::FieldInvalid, "head.size", "is too large"))
}

pub(super) async fn register(
    handlers: &Handlers,
    request: Request<pb::RegisterSegmenterRequest>,
) -> Result<Response<pb::RegisterSegmenterResponse>, Status> {
    of_installation(&request)?;
    let by = Actor::of(&request);
    let request = request.into_inner();
    // What a server says of itself is its identity, so the same request again changes nothing.
    let parameters = (&request, request.request_id.as_str());
    request::read(
        None,
        "RegisterSegmenter",
        parameters,
        handlers.engine.clock.now(),
    )?;
    if request.address.is_empty() {
        let message = "must be where the server is, such as https://models.internal:8443";
        return Err(Problem::field(ErrorReason::FieldMissing, "address", message).into());
    }
    let segmenters = &handlers.engine.segmenters;
    let (segmenter, _known) = segmenters
        .register(&request.address, &request.token_name, &by)
        .await?;
    Ok(Response::new(pb::RegisterSegmenterResponse {
        segmenter: Some(segmenter),
    }))
}

pub(super) async fn get(
    handlers: &Handlers,
    request: Request<pb::GetSegmenterRequest>,
) -> Result<Response<pb::GetSegmenterResponse>, Status> {
    let is_operator = of_installation(&request).is_ok();
    let named = request.into_inner().segmenter.unwrap_or_default();
    let segmenters = &handlers.engine.segmenters;
    let segmenter = segmenters.find(&named, &told::LIVING).await?;
    let segmenter = segmenters.as_trusted(&segmenter);
    Ok(Response::new(pb::GetSegmenterResponse {
        segmenter: Some(told::to(is_operator, segmenter)),
    }))
}

/// What is asked of a version's state.
pub(super) struct Asked<'r, Q> {
    pub(super) method: &'static str,
    pub(super) change: Change,
    pub(super) request: &'r Q,
    pub(super) request_id: &'r str,
    pub(super) segmenter: pb::SegmenterRef,
    pub(super) note: &'r str,
}

/// Changes the state of a version.
pub(super) async fn change<Q: prost::Message>(
    handlers: &Handlers,
    by: &Actor,
    asked: Asked<'_, Q>,
) -> Result<pb::Segmenter, Status> {
    let Asked {
        method,
        change,
        request,
        request_id,
        segmenter,
        note,
    } = asked;
    let engine = &handlers.engine;
    let once = request::read(None, method, (request, request_id), engine.clock.now())?;
    if note.is_empty() && matches!(change, Change::Quarantine | Change::Release) {
        let message = "must say why: it is kept in the journal";
        return Err(Problem::field(ErrorReason::FieldMissing, "note", message).into());
    }
    let segmenters = &engine.segmenters;
    let states = change.states().0;
    let found = match change {
        // A part of a digest may be another file's, too.
        Change::Approve if segmenter.digest.len() < DIGEST_DIGITS => {
            let message =
                format!("must have all {DIGEST_DIGITS} digits: one file is approved, and no other");
            return Err(Problem::field(ErrorReason::FieldInvalid, "digest", message).into());
        },
        Change::Approve => segmenters.find_to_change(&segmenter, states).await?,
        // Nobody who is in a hurry waits for what lies in the directory.
        Change::Quarantine | Change::Release | Change::Retire => {
            segmenters.find(&segmenter, states).await?
        },
    };
    if found.kind() == pb::SegmenterKind::BuiltIn {
        let message = format!(
            "\"{}\" comes with the service and stays",
            found.segmenter_id
        );
        return Err(Problem::field(ErrorReason::SegmenterState, "segmenter", message).into());
    }
    let mut judged = pb::Segmenter::clone(&found);
    if change == Change::Approve {
        judged.approved_by.clone_from(&by.0);
    }
    if matches!(change, Change::Approve | Change::Release)
        && let Some(distrust) = segmenters.distrusted(&judged)?
    {
        let message = format!("{} {}: {distrust}", found.segmenter_id, found.version);
        return Err(Problem::field(ErrorReason::SegmenterState, "segmenter", message).into());
    }
    match engine.change(&judged, change, (by, note), once).await? {
        Some(changed) => Ok(changed),
        None => {
            let used = match change {
                Change::Retire => engine.used_by(&found.digest).await?,
                Change::Approve | Change::Quarantine | Change::Release => String::new(),
            };
            let message = format!(
                "{} {} {}; {}{used}",
                found.segmenter_id,
                found.version,
                told::stands(found.state()),
                change.asks()
            );
            Err(Problem::field(ErrorReason::SegmenterState, "segmenter", message).into())
        },
    }
}

pub(super) async fn list_events(
    handlers: &Handlers,
    request: Request<pb::ListSegmenterEventsRequest>,
) -> Result<Response<pb::ListSegmenterEventsResponse>, Status> {
    let tenant = tenant_if_named(&request)?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmenterEventsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let owner = tenant.unwrap_or(TenantId(0)).0;
    let before = handlers.pager.cursor(owner, &bound, &request.page_token)?;
    let before = before.map_or(Ok(u64::MAX), |before| super::offset(Some(before)))?;
    let filter = EventFilter {
        tenant,
        segmenter_id: request.segmenter_id,
        segmentation: request.segmentation,
        before,
        limit: size + 1,
    };
    let rows = handlers
        .engine
        .segmenters
        .catalogue
        .events(&filter)
        .await
        .map_err(store)?;
    let more = rows.len() > size;
    let last = rows.get(size - 1).filter(|_| more);
    let next_page_token = last.map_or(String::new(), |last| {
        handlers
            .pager
            .token(owner, &bound, &last.number.to_string())
    });
    Ok(Response::new(pb::ListSegmenterEventsResponse {
        events: rows.iter().take(size).filter_map(told::event_of).collect(),
        next_page_token,
    }))
}

pub(super) async fn list_lines(
    handlers: &Handlers,
    request: Request<pb::ListSegmenterLinesRequest>,
) -> Result<Response<pb::ListSegmenterLinesResponse>, Status> {
    // What it prints may be of any tenant.
    of_installation(&request)?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmenterLinesRequest {
        segmenter: request.segmenter.clone(),
        ..pb::ListSegmenterLinesRequest::default()
    };
    let skipped = super::offset(handlers.pager.cursor(
        TenantId(0).0,
        &bound,
        &request.page_token,
    )?)?;
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let segmenters = &handlers.engine.segmenters;
    let named = request.segmenter.unwrap_or_default();
    let found = segmenters.find(&named, &told::LIVING).await?;
    let lines = segmenters.lines(&found.digest);
    let more = lines.len() > skipped.saturating_add(size);
    let next_page_token = if more {
        let next = (skipped + size).to_string();
        handlers.pager.token(TenantId(0).0, &bound, &next)
    } else {
        String::new()
    };
    let lines = lines.into_iter().skip(skipped).take(size);
    let now = handlers.engine.clock.now();
    let read_at = |age: Duration| {
        let age_us = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        time::timestamp(Instant(now.0.saturating_sub(age_us)))
    };
    Ok(Response::new(pb::ListSegmenterLinesResponse {
        lines: lines
            .map(|line| pb::SegmenterLine {
                at: Some(read_at(line.age())),
                level: line.level,
                text: line.text,
            })
            .collect(),
        next_page_token,
    }))
}
