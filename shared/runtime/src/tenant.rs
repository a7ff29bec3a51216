//! Which tenant a call is about.

use tonic::{Request, Status};

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use crate::auth::Principal;

/// Header by which a key of the installation names the tenant that a call is about, as a UUID. A tenant's own key needs
/// none, and may name only its own tenant.
pub const TENANT_HEADER: &str = "sextant-tenant";

/// The tenant that a call is about.
///
/// # Errors
/// FIELD_MISSING when a key of the installation names no tenant, and as [`tenant_if_named`].
pub fn tenant_of<T>(request: &Request<T>) -> Result<TenantId, Status> {
    tenant_if_named(request)?.ok_or_else(|| {
        let message = "must name the tenant, for the key belongs to the installation";
        Problem::field(ErrorReason::FieldMissing, TENANT_HEADER, message).into()
    })
}

/// Refuses the key of a tenant, whatever its scopes: the call is about what all tenants share.
///
/// # Errors
/// KEY_MISSING without a principal; SCOPE_MISSING when the key belongs to a tenant.
pub fn of_installation<T>(request: &Request<T>) -> Result<(), Status> {
    let principal = Principal::of(request)
        .ok_or_else(|| Problem::new(ErrorReason::KeyMissing, "no key was sent"))?;
    if principal.tenant.is_none() {
        return Ok(());
    }
    let message = "the key belongs to a tenant, and this is about the whole installation: use a key of the installation";
    Err(Problem::new(ErrorReason::ScopeMissing, message).into())
}

/// The same of a call that may be about none: `None` where a key of the installation names no tenant.
///
/// # Errors
/// KEY_MISSING without a principal; FIELD_INVALID when the header is no UUID; TENANT_UNKNOWN when a tenant's key names another
/// tenant.
pub fn tenant_if_named<T>(request: &Request<T>) -> Result<Option<TenantId>, Status> {
    let principal = Principal::of(request)
        .ok_or_else(|| Problem::new(ErrorReason::KeyMissing, "no key was sent"))?;
    let named = named_tenant(request)?;
    match (principal.tenant, named) {
        (Some(own), None) => Ok(Some(own)),
        (Some(own), Some(named)) if own == named => Ok(Some(own)),
        (Some(_), Some(_)) => Err(Problem::new(
            ErrorReason::TenantUnknown,
            "the key does not open this tenant",
        )
        .into()),
        (None, named) => Ok(named),
    }
}

fn named_tenant<T>(request: &Request<T>) -> Result<Option<TenantId>, Problem> {
    let Some(value) = request.metadata().get(TENANT_HEADER) else {
        return Ok(None);
    };
    let id = value
        .to_str()
        .ok()
        .and_then(|text| uuid::Uuid::parse_str(text).ok());
    let id = id.ok_or_else(|| {
        Problem::field(
            ErrorReason::FieldInvalid,
            TENANT_HEADER,
            "must be the UUID of a tenant",
        )
    })?;
    Ok(Some(TenantId(id.as_u128())))
}
