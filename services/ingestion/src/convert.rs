//! Rows as the contract shows them.

use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_store::port::{KeyRow, TenantRow};
use sextant_wire::status::Problem;
use sextant_wire::tenant::rfm_tie_policy;
use sextant_wire::time::timestamp;

use crate::keys;

/// A tenant's id as text.
pub(crate) fn tenant_id(tenant: TenantId) -> String {
    Uuid::from_u128(tenant.0).to_string()
}

/// A tenant's id from text.
///
/// # Errors
/// Not a UUID.
pub(crate) fn parse_tenant_id(text: &str, field: &str) -> Result<TenantId, Problem> {
    let id = Uuid::try_parse(text).map_err(|_not_a_uuid| {
        Problem::field(
            ErrorReason::FieldInvalid,
            field,
            "must be the UUID of a tenant",
        )
    })?;
    Ok(TenantId(id.as_u128()))
}

pub(crate) fn tenant(row: &TenantRow) -> pb::Tenant {
    pb::Tenant {
        tenant_id: tenant_id(row.tenant),
        name: row.name.clone(),
        time_zone: row.time_zone.clone(),
        base_currency: row.base_currency.clone(),
        fixed_clock: row.fixed_clock.map(timestamp),
        retention_days: row.retention_days,
        slices: row.n_slices.into(),
        created_at: Some(timestamp(row.created_at)),
        rfm_tie_policy: rfm_tie_policy(row.rfm_tie_policy).into(),
        import_opened_at: row.import_opened_at.map(timestamp),
    }
}

pub(crate) fn key(row: &KeyRow) -> pb::Key {
    pb::Key {
        key_id: row.key_id.clone(),
        tenant_id: row.tenant.map(tenant_id).unwrap_or_default(),
        scopes: keys::granted(row.scopes).map(i32::from).collect(),
        title: row.title.clone(),
        created_at: Some(timestamp(row.created_at)),
        expires_at: row.expires_at.map(timestamp),
        revoked_at: row.revoked_at.map(timestamp),
    }
}
