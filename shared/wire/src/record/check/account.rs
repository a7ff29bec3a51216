//! Accounts, users and what they do.

use std::collections::BTreeMap;

use sextant_domain::id::ExternalId;
use sextant_domain::time::Zone;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::value::Kind;

use crate::read::external_id;
use crate::record::check::field::{
    at_most, cleared, finite, ids, known, optional_id, text, values,
};
use crate::record::fact::TIME_ZONE_TRAIT;
use crate::status::Problem;
use crate::time;

/// Names of one thing in other systems.
const MAX_IDS: usize = 20;

pub(super) fn account(fact: &pb::AccountFact) -> Result<(), Problem> {
    text(&fact.name, "name")?;
    optional_id(&fact.owner_id, "owner_id")?;
    optional_id(&fact.parent_account_id, "parent_account_id")?;
    time::optional(fact.created_at.as_ref(), "created_at")?;
    values(&fact.traits, "traits")?;
    cleared(&fact.cleared_traits)?;
    time_zone(&fact.traits)?;
    known::<pb::TraitOrigin>(fact.origin, "origin")?;
    optional_id(&fact.domain, "domain")?;
    at_most(fact.external_ids.len(), MAX_IDS, "external_ids")?;
    for (at, one) in fact.external_ids.iter().enumerate() {
        external_id(&one.system, &format!("external_ids[{at}].system"))?;
        external_id(&one.id, &format!("external_ids[{at}].id"))?;
    }
    Ok(())
}

fn time_zone(traits: &BTreeMap<String, pb::Value>) -> Result<(), Problem> {
    let kind = traits.get(TIME_ZONE_TRAIT).map(|value| &value.kind);
    match kind {
        None => Ok(()),
        Some(Some(Kind::Text(name))) if Zone::parse(name).is_ok() => Ok(()),
        Some(_) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            format!("traits[{TIME_ZONE_TRAIT:?}]"),
            "must be the IANA name of a time zone, such as Europe/Warsaw",
        )),
    }
}

pub(super) fn user(fact: &pb::UserFact) -> Result<(), Problem> {
    external_id(&fact.user_id, "user_id")?;
    values(&fact.traits, "traits")?;
    cleared(&fact.cleared_traits)?;
    known::<pb::TraitOrigin>(fact.origin, "origin")?;
    ids(&fact.anonymous_ids, MAX_IDS, "anonymous_ids")
}

pub(super) fn account_user(fact: &pb::AccountUserFact) -> Result<(), Problem> {
    external_id(&fact.user_id, "user_id")?;
    known::<pb::AccountUserRole>(fact.role, "role")
}

/// The user who did it, known or not.
pub(super) fn event(fact: &pb::EventFact) -> Result<Option<ExternalId>, Problem> {
    optional_id(&fact.user_id, "user_id")?;
    external_id(&fact.r#type, "type")?;
    optional_id(&fact.feature_key, "feature_key")?;
    optional_id(&fact.anonymous_id, "anonymous_id")?;
    optional_id(&fact.session_id, "session_id")?;
    if fact.duration_ms < 0 {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "duration_ms",
            "must not be negative",
        ));
    }
    values(&fact.data, "data")?;
    let user = if fact.user_id.is_empty() {
        &fact.anonymous_id
    } else {
        &fact.user_id
    };
    Ok(ExternalId::parse(user).ok())
}

/// A product feature is of the tenant, not of an account.
pub(super) fn product_feature(fact: &pb::ProductFeatureFact) -> Result<(), Problem> {
    external_id(&fact.feature_key, "feature_key")?;
    text(&fact.name, "name")?;
    for (id, field) in [
        (&fact.module, "module"),
        (&fact.tier, "tier"),
        (&fact.automates_action, "automates_action"),
        (&fact.price_id, "price_id"),
    ] {
        optional_id(id, field)?;
    }
    finite(fact.depth_weight, "depth_weight")?;
    if fact.depth_weight < 0.0 {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "depth_weight",
            "must not be negative",
        ));
    }
    Ok(())
}
