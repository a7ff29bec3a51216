//! What is told of segmenters and of what was done to them.

use prost::Message as _;
use tonic::Request;

use sextant_domain::id::{PayloadHash, TenantId};
use sextant_domain::time::Instant;
use sextant_plugin_host::{Segmenter, conformance};
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::{SegmenterAction, SegmenterKind, SegmenterState};
use sextant_runtime::auth::Principal;
use sextant_store::port::{self, EventRow, SegmenterRow};
use sextant_wire::time;

use crate::registry;

/// Longest text of a note, and of what is kept of why something was done.
const MAX_WHY_BYTES: usize = 2_000;

/// Who does something.
#[derive(Debug, Clone)]
pub(crate) struct Actor(pub(crate) String);

impl Actor {
    /// Whoever sent a request, by the public part of the key.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let key = Principal::of(request).map(|principal| principal.key_id.to_string());
        Self(key.unwrap_or_default())
    }

    /// The installation, by itself.
    pub(crate) fn installation() -> Self {
        Self("installation".to_owned())
    }
}

/// A request that nobody has sent.
pub(crate) fn own_request(method: &'static str, now: Instant) -> port::Request {
    port::Request {
        owner: None,
        method,
        id: uuid::Uuid::new_v4().as_u128(),
        parameters: PayloadHash::of(&[]),
        at: now,
    }
}

/// A segmenter as it is shown: where a server is and how it is opened is for the operators of the installation.
pub(crate) fn to(is_operator: bool, segmenter: pb::Segmenter) -> pb::Segmenter {
    if is_operator {
        return segmenter;
    }
    pb::Segmenter {
        address: String::new(),
        token_name: String::new(),
        ..segmenter
    }
}

/// States of versions that are not over.
pub(crate) const LIVING: [port::SegmenterState; 3] = [
    port::SegmenterState::Waiting,
    port::SegmenterState::Ready,
    port::SegmenterState::Quarantined,
];

/// A stored state as callers see it.
pub(crate) const fn state(stored: port::SegmenterState) -> SegmenterState {
    match stored {
        port::SegmenterState::Waiting => SegmenterState::Waiting,
        port::SegmenterState::Ready => SegmenterState::Ready,
        port::SegmenterState::Quarantined => SegmenterState::Quarantined,
        port::SegmenterState::Retired => SegmenterState::Retired,
    }
}

/// A stored version as callers see it; `None`: it cannot be read.
pub(crate) fn segmenter(row: &SegmenterRow) -> Option<pb::Segmenter> {
    let told = pb::Segmenter::decode(row.segmenter.as_slice()).ok()?;
    Some(pb::Segmenter {
        state: state(row.state).into(),
        published_at: Some(time::timestamp(row.published_at)),
        ..told
    })
}

/// A segmenter that is about to be published.
pub(crate) fn published(
    segmenter: &Segmenter,
    kind: SegmenterKind,
    by: &Actor,
    verdicts: &[conformance::Verdict],
) -> pb::Segmenter {
    pb::Segmenter {
        kind: kind.into(),
        published_by: by.0.clone(),
        verdicts: verdicts.iter().map(verdict).collect(),
        ..registry::to_wire(segmenter)
    }
}

pub(crate) fn verdict(of: &conformance::Verdict) -> pb::Verdict {
    pb::Verdict {
        check: of.id.to_owned(),
        outcome: match of.outcome {
            conformance::Outcome::Pass => "pass",
            conformance::Outcome::Warning => "warning",
            conformance::Outcome::Fail => "fail",
            conformance::Outcome::Skipped => "skipped",
        }
        .to_owned(),
        found: of.what.clone(),
        why: of.why.to_owned(),
        fix: of.fix.to_owned(),
    }
}

/// A state in one word.
pub(crate) const fn word(state: SegmenterState) -> &'static str {
    match state {
        SegmenterState::Unspecified => "unknown",
        SegmenterState::Waiting => "waiting",
        SegmenterState::Ready => "ready",
        SegmenterState::Quarantined => "quarantined",
        SegmenterState::Retired => "retired",
    }
}

/// A state as the rest of a sentence.
pub(crate) const fn stands(state: SegmenterState) -> &'static str {
    match state {
        SegmenterState::Unspecified => "is in an unknown state",
        SegmenterState::Waiting => {
            "waits for somebody to approve its digest (sextant plugin approve)"
        },
        SegmenterState::Ready => "can be used",
        SegmenterState::Quarantined => "is in quarantine",
        SegmenterState::Retired => "is retired",
    }
}

/// Something that is done to a version.
pub(crate) fn event(
    action: SegmenterAction,
    of: &pb::Segmenter,
    by: &Actor,
    why: &str,
) -> pb::SegmenterEvent {
    pb::SegmenterEvent {
        action: action.into(),
        segmenter_id: of.segmenter_id.clone(),
        version: of.version.clone(),
        digest: of.digest.clone(),
        by: by.0.clone(),
        why: shortened(why),
        ..pb::SegmenterEvent::default()
    }
}

/// An event as it is stored.
pub(crate) fn event_row(
    event: &pb::SegmenterEvent,
    tenant: Option<TenantId>,
    at: Instant,
) -> EventRow {
    EventRow {
        number: 0,
        at,
        tenant,
        segmenter_id: event.segmenter_id.clone(),
        segmentation: event.segmentation.clone(),
        revision: event.revision,
        event: event.encode_to_vec(),
    }
}

/// A stored event as callers see it; `None`: it cannot be read.
pub(crate) fn event_of(row: &EventRow) -> Option<pb::SegmenterEvent> {
    let told = pb::SegmenterEvent::decode(row.event.as_slice()).ok()?;
    Some(pb::SegmenterEvent {
        number: row.number,
        at: Some(time::timestamp(row.at)),
        revision: row.revision,
        ..told
    })
}

/// The beginning of a text, as much as is kept of it.
pub(crate) fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_WHY_BYTES);
    text.get(..end).unwrap_or_default().to_owned()
}
