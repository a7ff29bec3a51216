use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::money::Currency;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_runtime::{blocking, follow};
use sextant_store::port::{Once, SegmentationRow};
use sextant_wire::status::{Problem, store};
use sextant_wire::{request, time};

use super::Handlers;
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
    let base_currency = handlers.engine.view(tenant).await?.base_currency;
    let mut row = parse(handlers, &request, base_currency).await?;
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
    // Where it is there already, as for a request that came before, nothing is made.
    let is_new = |state: &TenantState| state.by_key(&row.key).is_none();
    if writing.as_ref().is_some_and(is_new) {
        drop(writing);
        writing = engine.level(tenant).await?;
    }
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
    // From here on it may be stored, and is evaluated also when this request is given up.
    engine.unbegun.note(tenant);
    let stored = engine
        .segmentations
        .create(tenant, &row, Once::new(asked, kept))
        .await
        .map_err(store)?;
    let answer: pb::CreateSegmentationResponse = request::answer(&stored)?;
    let mut begun = engine.begin(writing).await;
    if begun.as_ref().is_err_and(follow::is_overtaken) {
        // Perhaps by an earlier delivery in another process, which what was in memory here did not know of.
        begun = engine.begin(engine.write(tenant).await?).await;
    }
    let begun = begun?;
    let state = begun.as_ref();
    let one = state.and_then(|state| Some((state, state.by_key(&row.key)?)));
    if let Some(problem) = one.and_then(|(state, one)| state.failure(one)) {
        return Err(problem.clone().into());
    }
    Ok(Response::new(answer))
}

async fn parse(
    handlers: &Handlers,
    request: &pb::CreateSegmentationRequest,
    base_currency: Currency,
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
    let segmenter = handlers.engine.registry.get(&segmentation.segmenter_id)?;
    let config = if segmentation.config.is_empty() {
        "{}"
    } else {
        &segmentation.config
    };
    let config = registry::with_currency(segmenter, config, base_currency);
    let asked = segmenter.clone();
    let instance = blocking(move || registry::instance(&asked, &config)).await?;
    Ok(SegmentationRow {
        key: segmentation.key.clone(),
        number: 0,
        segmenter_id: segmentation.segmenter_id.clone(),
        config: instance.config().to_owned(),
        version: 1,
        plugin_digest: segmenter.digest_hex(),
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
        failure: String::new(),
    }
}
