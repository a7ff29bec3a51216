//! What segmentations are decided by.

use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::SegmenterAction;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::{RevisionRow, RevisionState};
use sextant_wire::status::{Problem, store};
use sextant_wire::{page, request};

use super::{Handlers, offset};
use crate::gates;
use crate::revise::{Decision, Gates, Proposal, diff_of, revision_to_wire};
use crate::segmenters::{Actor, usable};

pub(super) async fn propose(
    handlers: &Handlers,
    request: Request<pb::ProposeRevisionRequest>,
) -> Result<Response<pb::ProposeRevisionResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let by = Actor::of(&request);
    let request = request.into_inner();
    let engine = &handlers.engine;
    let parameters = (&request, request.request_id.as_str());
    let once = request::read(
        Some(tenant),
        "ProposeRevision",
        parameters,
        engine.clock.now(),
    )?;
    let of = engine.definition(tenant, &request.segmentation).await?;
    let named = match &request.segmenter {
        Some(named) if named.segmenter_id.is_empty() && !named.version.is_empty() => {
            pb::SegmenterRef {
                segmenter_id: of.segmenter_id.clone(),
                ..named.clone()
            }
        },
        Some(named) if *named != pb::SegmenterRef::default() => named.clone(),
        _ => engine.segmenters.decides(&of),
    };
    let found = engine.segmenters.find_to_use(&named).await?;
    usable(&found)?;
    engine.segmenters.check_open_to(&found, tenant)?;
    let proposal = Proposal {
        segmenter: pb::Segmenter::clone(&found),
        config: request.config.clone(),
        note: request.note.clone(),
        by,
    };
    let proposed = engine.propose(tenant, &of, proposal, once).await?;
    // Of a request that comes again, the one that it has proposed, whatever became of it.
    let revisions = engine.revisions(tenant, of.number).await?;
    let stored = revisions.iter().find(|one| one.revision == proposed);
    let stored = stored.ok_or_else(|| unknown(&of.key, proposed))?;
    let diff = if stored.state == RevisionState::Proposed {
        Some(engine.shadow(tenant, &of, stored).await?)
    } else {
        diff_of(stored)
    };
    Ok(Response::new(pb::ProposeRevisionResponse {
        revision: Some(pb::Revision {
            diff,
            ..revision_to_wire(&of.key, stored)
        }),
    }))
}

pub(super) async fn get(
    handlers: &Handlers,
    request: Request<pb::GetRevisionRequest>,
) -> Result<Response<pb::GetRevisionResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let of = handlers
        .engine
        .definition(tenant, &request.segmentation)
        .await?;
    let revisions = handlers.engine.revisions(tenant, of.number).await?;
    let found = if request.revision == 0 {
        in_state(&revisions, RevisionState::Proposed)
            .or_else(|| in_state(&revisions, RevisionState::Active))
    } else {
        revisions
            .iter()
            .find(|one| one.revision == request.revision)
    };
    let found = found.ok_or_else(|| unknown(&of.key, request.revision))?;
    Ok(Response::new(pb::GetRevisionResponse {
        revision: Some(pb::Revision {
            diff: diff_of(found),
            ..revision_to_wire(&of.key, found)
        }),
    }))
}

pub(super) async fn list(
    handlers: &Handlers,
    request: Request<pb::ListRevisionsRequest>,
) -> Result<Response<pb::ListRevisionsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let of = handlers
        .engine
        .definition(tenant, &request.segmentation)
        .await?;
    let bound = pb::ListRevisionsRequest {
        segmentation: request.segmentation.clone(),
        ..pb::ListRevisionsRequest::default()
    };
    let before = handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?;
    let before = before.map_or(Ok(u64::MAX), |before| offset(Some(before)))?;
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    let segmentations = &handlers.engine.segmentations;
    let rows = segmentations
        .revisions(tenant, of.number, before, size + 1)
        .await;
    let rows = rows.map_err(store)?;
    let more = rows.len() > size;
    let last = rows.get(size - 1).filter(|_| more);
    let next_page_token = last.map_or(String::new(), |last| {
        handlers
            .pager
            .token(tenant.0, &bound, &last.revision.to_string())
    });
    let revisions = rows
        .iter()
        .take(size)
        .map(|row| revision_to_wire(&of.key, row));
    Ok(Response::new(pb::ListRevisionsResponse {
        revisions: revisions.collect(),
        next_page_token,
    }))
}

pub(super) async fn activate(
    handlers: &Handlers,
    request: Request<pb::ActivateRevisionRequest>,
) -> Result<Response<pb::ActivateRevisionResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let by = Actor::of(&request);
    let request = request.into_inner();
    let engine = &handlers.engine;
    let parameters = (&request, request.request_id.as_str());
    let once = request::read(
        Some(tenant),
        "ActivateRevision",
        parameters,
        engine.clock.now(),
    )?;
    if request.accept_diff && request.revision == 0 {
        let message = "must name the revision whose difference is accepted: another one may be proposed meanwhile";
        return Err(Problem::field(ErrorReason::FieldMissing, "revision", message).into());
    }
    if request.accept_diff && request.note.is_empty() {
        let message = "must say why the difference is accepted: it is kept in the journal";
        return Err(Problem::field(ErrorReason::FieldMissing, "note", message).into());
    }
    let of = engine.definition(tenant, &request.segmentation).await?;
    let revisions = engine.revisions(tenant, of.number).await?;
    let found = if request.revision == 0 {
        // Of a request that comes again, the one that it has activated.
        in_state(&revisions, RevisionState::Proposed)
            .or_else(|| in_state(&revisions, RevisionState::Active))
    } else {
        revisions
            .iter()
            .find(|one| one.revision == request.revision)
    };
    let found = found.ok_or_else(|| unknown(&of.key, request.revision))?;
    let gates = if request.accept_diff {
        Gates::Accepted
    } else {
        Gates::Judged
    };
    if found.state == RevisionState::Proposed {
        // Nobody waits for what does not pass.
        if gates == Gates::Judged {
            gates::check(&of, found)?;
        }
        engine.segmenters.wait_for_replicas(&found.digest).await?;
        engine.can_be_asked(tenant, &of, found).await?;
    }
    let (number, revision, state) = (of.number, found.revision, found.state);
    let decision = Decision {
        segmentation: number,
        revision,
        action: SegmenterAction::Activated,
        gates,
    };
    let decided = decide(handlers, tenant, decision, (&by, &request.note), once).await?;
    let segmentation = decided.ok_or_else(|| {
        let message = format!("revision {revision} is {}: propose it again", word(state));
        Problem::field(ErrorReason::SegmenterState, "revision", message)
    })?;
    Ok(Response::new(pb::ActivateRevisionResponse {
        segmentation: Some(segmentation),
    }))
}

pub(super) async fn roll_back(
    handlers: &Handlers,
    request: Request<pb::RollBackRevisionRequest>,
) -> Result<Response<pb::RollBackRevisionResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let by = Actor::of(&request);
    let request = request.into_inner();
    let engine = &handlers.engine;
    let parameters = (&request, request.request_id.as_str());
    let once = request::read(
        Some(tenant),
        "RollBackRevision",
        parameters,
        engine.clock.now(),
    )?;
    if request.note.is_empty() {
        let message = "must say why: it is kept in the journal";
        return Err(Problem::field(ErrorReason::FieldMissing, "note", message).into());
    }
    let of = engine.definition(tenant, &request.segmentation).await?;
    let revisions = engine.revisions(tenant, of.number).await?;
    // Of a request that comes again, the one that it has returned to.
    let found = in_state(&revisions, RevisionState::Previous)
        .or_else(|| in_state(&revisions, RevisionState::Active))
        .ok_or_else(|| unknown(&of.key, 0))?;
    let decision = Decision {
        segmentation: of.number,
        revision: found.revision,
        action: SegmenterAction::RolledBack,
        gates: Gates::Accepted,
    };
    let decided = decide(handlers, tenant, decision, (&by, &request.note), once).await?;
    let segmentation = decided.ok_or_else(|| {
        let message = format!("segmentation \"{}\" has no revision to go back to", of.key);
        Problem::field(ErrorReason::SegmenterState, "segmentation", message)
    })?;
    Ok(Response::new(pb::RollBackRevisionResponse {
        segmentation: Some(segmentation),
    }))
}

async fn decide(
    handlers: &Handlers,
    tenant: TenantId,
    decision: Decision,
    told: (&Actor, &str),
    once: sextant_store::port::Request,
) -> Result<Option<pb::Segmentation>, Status> {
    let writing = handlers.engine.write(tenant).await?;
    let (_writing, decided) = handlers
        .engine
        .decide(writing, decision, told, once)
        .await?;
    Ok(decided)
}

fn in_state(revisions: &[RevisionRow], state: RevisionState) -> Option<&RevisionRow> {
    revisions.iter().find(|one| one.state == state)
}

const fn word(state: RevisionState) -> &'static str {
    match state {
        RevisionState::Proposed => "proposed, and the segmentation was changed meanwhile",
        RevisionState::Active => "active",
        RevisionState::Previous => "the one before, to which a roll-back returns",
        RevisionState::Retired => "retired",
    }
}

fn unknown(key: &str, revision: u32) -> Problem {
    let message = match revision {
        0 => format!("segmentation \"{key}\" has none that is proposed: propose one"),
        number => format!("segmentation \"{key}\" has no revision {number}"),
    };
    Problem::field(ErrorReason::RevisionUnknown, "revision", message)
}
