use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::auth::{Key, Principal};
use sextant_store::port::{KeyRow, Once};
use sextant_wire::status::Problem;
use sextant_wire::{request, time};

use crate::service::Shared;
use crate::{convert, failure, keys};

const MAX_TITLE_BYTES: usize = 200;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<pb::CreateKeyRequest>,
) -> Result<Response<pb::CreateKeyResponse>, Status> {
    let own = Principal::of(&request).and_then(|principal| principal.tenant);
    let request = request.into_inner();
    let parameters = (&request, request.request_id.as_str());
    let once = request::read(own, "CreateKey", parameters, shared.deps.clock.now())?;
    let asked = request
        .key
        .as_ref()
        .ok_or_else(|| Problem::field(ErrorReason::FieldMissing, "key", "must be set"))?;
    let secret = Key::generate().map_err(|error| {
        tracing::error!(%error, "no key was made");
        Problem::new(ErrorReason::Internal, "no key could be made")
    })?;
    let row = row(shared, asked, own, &secret).map_err(|problem| problem.below("key"))?;
    if let Some(tenant) = row.tenant {
        shared.tenants.get(tenant).await?;
    }
    // The secret is in no store, so the answer that is kept is the key without it.
    let kept = |row: &KeyRow| convert::key(row).encode_to_vec();
    let stored = shared
        .deps
        .keys
        .create(&row, Once::new(once, kept))
        .await
        .map_err(failure::of_store)?;
    let key: pb::Key = request::answer(&stored)?;
    if key.key_id != row.key_id {
        return Err(shown(&key.key_id).into());
    }
    Ok(Response::new(pb::CreateKeyResponse {
        key: Some(key),
        secret: secret.expose(),
    }))
}

/// An earlier delivery of the request has made a key.
fn shown(key_id: &str) -> Problem {
    let message = format!(
        "made the key \"{key_id}\", whose secret was shown once; revoke that key and make another with a new request id"
    );
    Problem::field(ErrorReason::SecretShown, "request_id", message)
}

fn row(
    shared: &Shared,
    asked: &pb::Key,
    own: Option<TenantId>,
    secret: &Key,
) -> Result<KeyRow, Problem> {
    let invalid =
        |field: &str, message: &str| Problem::field(ErrorReason::FieldInvalid, field, message);
    let now = shared.deps.clock.now();
    let scopes = keys::bits(&asked.scopes)
        .ok_or_else(|| invalid("scopes", "holds a value that is no scope"))?;
    if scopes == 0 {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "scopes",
            "must name at least one scope",
        ));
    }
    let tenant = tenant(&asked.tenant_id, own)?;
    if tenant.is_none() && !keys::may_open_installation(scopes) {
        return Err(invalid(
            "scopes",
            "must hold SCOPE_ADMIN, or nothing but SCOPE_PLUGINS_PUBLISH and SCOPE_PLUGINS_ACTIVATE, for a key of the installation; name a tenant otherwise",
        ));
    }
    if tenant.is_some() && keys::is_for_installation(scopes) {
        return Err(invalid(
            "scopes",
            "must not hold SCOPE_PLUGINS_PUBLISH for a key of a tenant, for tenants share what is published: make a key of the installation for it, which names no tenant",
        ));
    }
    if asked.title.len() > MAX_TITLE_BYTES {
        let message = format!(
            "has {} bytes, at most {MAX_TITLE_BYTES} are allowed",
            asked.title.len()
        );
        return Err(Problem::field(ErrorReason::FieldTooLong, "title", message));
    }
    if asked.title.chars().any(char::is_control) {
        return Err(invalid("title", "must not hold control characters"));
    }
    let expires_at = time::optional(asked.expires_at.as_ref(), "expires_at")?;
    if expires_at.is_some_and(|at| at <= now) {
        return Err(invalid("expires_at", "must lie ahead"));
    }
    Ok(KeyRow {
        key_id: secret.id().to_string(),
        secret_sha256: secret.digest().0,
        tenant,
        scopes,
        title: asked.title.clone(),
        created_at: now,
        expires_at,
        revoked_at: None,
    })
}

/// The tenant that the new key opens: the caller's own, or any for a caller of the installation.
fn tenant(asked: &str, own: Option<TenantId>) -> Result<Option<TenantId>, Problem> {
    let asked = match asked {
        "" => None,
        text => Some(convert::parse_tenant_id(text, "tenant_id")?),
    };
    match (asked, own) {
        (_, None) => Ok(asked),
        (Some(asked), Some(own)) if asked == own => Ok(Some(own)),
        (Some(_), Some(_)) => Err(crate::tenants::unknown()),
        (None, Some(_)) => {
            let message = "must name your tenant: only a key of the installation makes keys of the installation";
            Err(Problem::field(
                ErrorReason::ScopeMissing,
                "tenant_id",
                message,
            ))
        },
    }
}
