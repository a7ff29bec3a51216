use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::position::Position;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::follow;
use sextant_runtime::telemetry::trace;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::{Once, SegmentationRow};
use sextant_wire::status::{Problem, store};
use sextant_wire::{request, time};

use super::Handlers;
use crate::columns::Of;
use crate::correct::Corrections;
use crate::engine::Writing;
use crate::evaluate::Evaluation;
use crate::registry;
use crate::state::TenantState;

/// Segmentations of one tenant at most.
const MAX_SEGMENTATIONS: usize = 100;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::CreateSegmentationRequest>,
) -> Result<Response<pb::CreateSegmentationResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let mut row = parse(handlers, &request)?;
    if request.validate_only {
        return Ok(Response::new(pb::CreateSegmentationResponse {
            segmentation: Some(to_wire(&row)),
        }));
    }
    let engine = &handlers.engine;
    let asked = (&request, request.request_id.as_str());
    let now = engine.clock.now();
    let asked = request::read(Some(tenant), "CreateSegmentation", asked, now)?;
    let mut writing = engine.write(tenant).await?;
    row.closed_on = writing.as_ref().and_then(TenantState::closed_on);
    let is_full = |state: &TenantState| {
        state.uses.len() >= MAX_SEGMENTATIONS && state.by_key(&row.key).is_none()
    };
    if writing.as_ref().is_some_and(is_full) {
        let message =
            format!("the tenant has {MAX_SEGMENTATIONS} segmentations, which is the most");
        return Err(Problem::field(ErrorReason::FieldInvalid, "segmentation", message).into());
    }
    let kept = |row: &SegmentationRow| {
        let segmentation = Some(to_wire(row));
        pb::CreateSegmentationResponse { segmentation }.encode_to_vec()
    };
    let stored = engine
        .segmentations
        .create(tenant, &row, Once::new(asked, kept))
        .await
        .map_err(store)?;
    let answer: pb::CreateSegmentationResponse = request::answer(&stored)?;
    let made_at = answer
        .segmentation
        .as_ref()
        .and_then(|made| made.created_at);
    if made_at != Some(time::timestamp(row.created_at)) {
        // An earlier delivery has made it, perhaps in another process: what is in memory here may not know it.
        *writing = None;
        drop(writing);
        writing = engine.write(tenant).await?;
    }
    let mut evaluated = evaluate_if_new(handlers, writing, &row.key).await;
    if evaluated.as_ref().is_err_and(follow::is_overtaken) {
        let writing = engine.write(tenant).await?;
        evaluated = evaluate_if_new(handlers, writing, &row.key).await;
    }
    evaluated?;
    Ok(Response::new(answer))
}

/// Evaluates the segmentation unless that is done: also where a request that made it was cut off before.
async fn evaluate_if_new(
    handlers: &Handlers,
    mut writing: Writing,
    key: &str,
) -> Result<(), Status> {
    let Some(state) = writing.as_mut() else {
        return Ok(());
    };
    handlers.engine.load_uses(state).await?;
    handlers.engine.publish(state);
    let tenant = state.tenant;
    let number = state.by_key(key).map(|one| one.row.number);
    match number.filter(|number| !state.present.contains_key(number)) {
        Some(number) => evaluate(handlers, tenant, writing, number).await,
        None => Ok(()),
    }
}

/// Evaluates the new segmentation over the accounts of the present.
async fn evaluate(
    handlers: &Handlers,
    tenant: TenantId,
    mut writing: Writing,
    number: u16,
) -> Result<(), Status> {
    let engine = &handlers.engine;
    let slices: Vec<_> = writing.as_ref().map_or(Vec::new(), |state| {
        state
            .slices
            .iter()
            .map(|(slice, progress)| (*slice, progress.clone()))
            .collect()
    });
    for (slice, progress) in slices
        .into_iter()
        .filter(|(_, progress)| progress.cursor > 0 && !progress.backfilling)
    {
        let now = engine.now(tenant, &Position::default()).await?;
        let evaluation = Evaluation {
            slice,
            cursor: progress.cursor,
            facts_sequence: progress.facts_sequence,
            as_of: now,
            known_at: now,
            closed_on: None,
            backfilling: false,
            watermark: progress.watermark,
            recorded_at: None,
            trace: trace::of_this_span(),
            model_versions: progress.model_versions,
            unsettled: None,
        };
        let of = Of::Evaluation(&evaluation);
        let columns = engine.columns(tenant, slice, of, Vec::new()).await?;
        writing = engine
            .evaluate(
                writing,
                evaluation,
                Corrections::default(),
                (columns, Some(number)),
            )
            .await?;
    }
    Ok(())
}

fn parse(
    handlers: &Handlers,
    request: &pb::CreateSegmentationRequest,
) -> Result<SegmentationRow, Problem> {
    let missing = || Problem::field(ErrorReason::FieldMissing, "segmentation", "must be set");
    let segmentation = request.segmentation.as_ref().ok_or_else(missing)?;
    let valid_key = |key: &str| {
        (1..=64).contains(&key.len())
            && key
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_')
    };
    if !valid_key(&segmentation.key) {
        let message = "must have 1 to 64 lower-case letters, digits, '-' and '_'";
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "segmentation.key",
            message,
        ));
    }
    let plugin = handlers.engine.registry.get(&segmentation.segmenter_id)?;
    let config = if segmentation.config.is_empty() {
        "{}"
    } else {
        &segmentation.config
    };
    let instance = registry::instance(plugin, config)?;
    Ok(SegmentationRow {
        key: segmentation.key.clone(),
        number: 0,
        segmenter_id: segmentation.segmenter_id.clone(),
        config: instance.config().to_owned(),
        version: 1,
        plugin_digest: plugin.digest_hex(),
        created_at: handlers.engine.clock.now(),
        closed_on: None,
    })
}

/// A segmentation as callers see it.
pub(super) fn to_wire(row: &SegmentationRow) -> pb::Segmentation {
    let created_at: Instant = row.created_at;
    pb::Segmentation {
        key: row.key.clone(),
        segmenter_id: row.segmenter_id.clone(),
        config: row.config.clone(),
        version: row.version,
        plugin_digest: row.plugin_digest.clone(),
        created_at: Some(time::timestamp(created_at)),
    }
}
