use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::money::Currency;
use sextant_plugin_host::Segmenter;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::SegmenterKind;
use sextant_runtime::auth::{Principal, Scope};
use sextant_runtime::follow;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::{Once, RevisionRow, SegmentationRow};
use sextant_wire::request;
use sextant_wire::status::{Problem, store};

use super::Handlers;
use crate::registry;
use crate::segmenters::Actor;
use crate::state::TenantState;
use crate::wire;

/// Segmentations of one tenant at most.
const MAX_SEGMENTATIONS: usize = 100;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::CreateSegmentationRequest>,
) -> Result<Response<pb::CreateSegmentationResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let principal = Principal::of(&request).map(|principal| principal.scopes);
    let (by, may_activate) = (
        Actor::of(&request),
        principal.is_some_and(|scopes| scopes.contains(Scope::PluginsActivate)),
    );
    let request = request.into_inner();
    let view = handlers.engine.view(tenant).await?;
    let Asked {
        mut row,
        told,
        segmenter,
    } = parse(
        handlers,
        &request,
        (tenant, view.base_currency),
        may_activate,
    )
    .await?;
    if request.validate_only {
        return Ok(Response::new(pb::CreateSegmentationResponse {
            segmentation: Some(wire::segmentation(&row, &told.version)),
        }));
    }
    handlers
        .engine
        .segmenters
        .wait_for_replicas(&told.digest)
        .await?;
    let engine = &handlers.engine;
    let asked = (&request, request.request_id.as_str());
    let now = engine.clock.now();
    let asked = request::read(Some(tenant), "CreateSegmentation", asked, now)?;
    // Of one that is there nothing is learned: the request came before, or is refused.
    let is_there = view.segmentations.iter().any(|known| known.key == row.key);
    let fit_to = (segmenter, row.config.clone());
    row.fit = engine
        .fitted_once(tenant, fit_to, (&asked, is_there))
        .await?;
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
    let version = told.version.clone();
    let kept = move |row: &SegmentationRow| {
        let segmentation = Some(wire::segmentation(row, &version));
        pb::CreateSegmentationResponse { segmentation }.encode_to_vec()
    };
    let first = RevisionRow::first(&row, &told.version, &by.0);
    // From here on it may be stored, and is evaluated also when this request is given up.
    engine.unbegun.note(tenant);
    let stored = engine
        .segmentations
        .create(tenant, &row, &first, Once::new(asked, kept))
        .await
        .map_err(store)?;
    let mut answer: pb::CreateSegmentationResponse = request::answer(&stored)?;
    let mut begun = engine.begin(writing).await;
    if begun.as_ref().is_err_and(follow::is_overtaken) {
        // Perhaps by an earlier delivery in another process, which what was in memory here did not know of.
        begun = engine.begin(engine.write(tenant).await?).await;
    }
    let begun = begun?;
    // It is made, also where its segmenter could not be asked yet: that is told, and made up for.
    if let (Some(state), Some(made)) = (begun.as_ref(), answer.segmentation.as_mut()) {
        made.failure = state.why_behind(&row.key);
    }
    Ok(Response::new(answer))
}

/// What is asked for.
struct Asked {
    row: SegmentationRow,
    told: Arc<pb::Segmenter>,
    segmenter: Segmenter,
}

async fn parse(
    handlers: &Handlers,
    request: &pb::CreateSegmentationRequest,
    (tenant, base_currency): (TenantId, Currency),
    may_activate: bool,
) -> Result<Asked, Problem> {
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
    let segmenters = &handlers.engine.segmenters;
    let named = pb::SegmenterRef {
        digest: String::new(),
        segmenter_id: segmentation.segmenter_id.clone(),
        version: segmentation.segmenter_version.clone(),
    };
    let told = segmenters.find_to_use(&named).await;
    let told = told.map_err(|problem| Problem {
        field: problem
            .field
            .replace("segmenter.version", "segmenter.segmenter_version")
            .replace("segmenter.", "segmentation."),
        ..problem
    })?;
    // Before anything of it runs.
    if told.kind() != SegmenterKind::BuiltIn && !may_activate {
        let message = "the key lacks the scope plugins.activate, which putting a published segmenter to work needs";
        return Err(Problem::new(ErrorReason::ScopeMissing, message));
    }
    let mut row = SegmentationRow {
        key: segmentation.key.clone(),
        number: 0,
        segmenter_id: told.segmenter_id.clone(),
        config: String::new(),
        version: 1,
        plugin_digest: told.digest.clone(),
        fit: Vec::new(),
        revision: 1,
        created_at: handlers.engine.clock.now(),
        closed_on: None,
    };
    segmenters.check_open_to(&told, tenant)?;
    let segmenter = segmenters.of(tenant, &row).await?;
    let config = if segmentation.config.is_empty() {
        "{}"
    } else {
        &segmentation.config
    };
    let config = registry::with_currency(&segmenter, config, base_currency);
    row.config = registry::canonical(&segmenter, config).await?;
    Ok(Asked {
        row,
        told,
        segmenter,
    })
}
