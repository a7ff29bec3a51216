//! Memberships and transitions as answers.

use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::time::{Day, Zone};
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;
use sextant_store::port::{MembershipRow, SegmentationRow};
use sextant_wire::time;

use crate::decide::decode;

/// The keys of the cached memberships of a segmentation, but for the account at their end.
pub(crate) fn cache_keys(tenant: TenantId, segmentation: &str) -> String {
    let tenant = Uuid::from_u128(tenant.0).simple();
    format!("{{{tenant}}}:membership:{segmentation}:")
}

/// The membership that a transition led to. It is provisional until its day is closed.
pub(crate) fn membership(
    transition: pb::Transition,
    closed_on: Option<Day>,
    zone: &Zone,
) -> pb::Membership {
    let provisional = is_provisional(&transition, closed_on, zone);
    let state = transition.to_state();
    let missing = transition
        .reasons
        .iter()
        .filter(|reason| reason.value.is_empty())
        .map(|reason| reason.feature.clone());
    pb::Membership {
        account: transition.account,
        segmentation: transition.segmentation,
        segment: transition.to_segment,
        state: state.into(),
        entered_at: transition.entered_at.or(transition.at),
        left_at: None,
        known_at: transition.known_at,
        provisional,
        missing_features: if state == MembershipState::Abstained {
            missing.collect()
        } else {
            Vec::new()
        },
        reasons: transition.reasons,
        current_reasons: Vec::new(),
        trouble: String::new(),
        segmentation_version: transition.segmentation_version,
        plugin_digest: transition.plugin_digest,
    }
}

/// A segmentation as callers see it, with the version of its segmenter.
pub(crate) fn segmentation(row: &SegmentationRow, segmenter_version: &str) -> pb::Segmentation {
    pb::Segmentation {
        key: row.key.clone(),
        segmenter_id: row.segmenter_id.clone(),
        config: row.config.clone(),
        version: row.version,
        plugin_digest: row.plugin_digest.clone(),
        created_at: Some(time::timestamp(row.created_at)),
        failure: String::new(),
        segmenter_version: segmenter_version.to_owned(),
        revision: row.revision,
    }
}

/// The present membership that is stored.
pub(crate) fn present(
    row: &MembershipRow,
    closed_on: Option<Day>,
    zone: &Zone,
) -> Option<pb::Membership> {
    Some(pb::Membership {
        trouble: row.trouble.clone(),
        ..membership(decode(&row.transition)?, closed_on, zone)
    })
}

/// A transition with what only the present knows of it.
pub(crate) fn transition(
    mut transition: pb::Transition,
    closed_on: Option<Day>,
    zone: &Zone,
) -> pb::Transition {
    transition.provisional = is_provisional(&transition, closed_on, zone);
    transition
}

fn is_provisional(transition: &pb::Transition, closed_on: Option<Day>, zone: &Zone) -> bool {
    let at = transition.at.as_ref().and_then(|at| time::instant(at).ok());
    at.is_some_and(|at| closed_on.is_none_or(|closed_on| zone.day_of(at) > closed_on))
}
