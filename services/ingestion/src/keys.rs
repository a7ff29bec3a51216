//! API keys: what their stored rows allow, and where each service looks them up.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tonic::{Request, Status};

use sextant_domain::id::{PayloadHash, TenantId};
use sextant_domain::store;
use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::access_service_client::AccessServiceClient;
use sextant_runtime::auth::{
    Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable, Principal, Scope, Scopes, SecretDigest,
};
use sextant_runtime::link::Link;
use sextant_runtime::tenant::TENANT_HEADER;
use sextant_store::Error;
use sextant_store::port::{KeyRow, Keys, Once};
use sextant_wire::time;

use crate::convert;
use crate::service::Shared;

/// The scopes that can be granted, with their bits in a stored row. The bits are stored: never change one.
const GRANTABLE: [(u32, pb::Scope, Scope); 6] = [
    (1, pb::Scope::Read, Scope::Read),
    (1 << 1, pb::Scope::Ingest, Scope::Ingest),
    (1 << 2, pb::Scope::Define, Scope::Define),
    (1 << 3, pb::Scope::PluginsPublish, Scope::PluginsPublish),
    (1 << 4, pb::Scope::PluginsActivate, Scope::PluginsActivate),
    (1 << 5, pb::Scope::Admin, Scope::Admin),
];

/// The bits of scopes as a row stores them; `None` when one of them cannot be granted.
pub(crate) fn bits(scopes: &[i32]) -> Option<u32> {
    scopes.iter().try_fold(0, |bits, scope| {
        let (bit, ..) = GRANTABLE
            .iter()
            .find(|(_, wire, _)| i32::from(*wire) == *scope)?;
        Some(bits | bit)
    })
}

/// The scopes that a row was given.
pub(crate) fn granted(bits: u32) -> impl Iterator<Item = pb::Scope> {
    GRANTABLE
        .into_iter()
        .filter(move |(bit, ..)| bits & bit != 0)
        .map(|(_, wire, _)| wire)
}

/// Whether a row was given the admin scope.
pub(crate) fn is_admin(bits: u32) -> bool {
    granted(bits).any(|scope| scope == pb::Scope::Admin)
}

/// Whether a key of the installation may have these: all of its scopes, or those that are about segmenters only.
pub(crate) fn may_open_installation(bits: u32) -> bool {
    let is_about_segmenters = |scope| {
        matches!(
            scope,
            pb::Scope::PluginsPublish | pb::Scope::PluginsActivate
        )
    };
    is_admin(bits) || granted(bits).all(is_about_segmenters)
}

/// Whether one of these is of use to the installation alone: tenants share what is published.
pub(crate) fn is_for_installation(bits: u32) -> bool {
    granted(bits).any(|scope| scope == pb::Scope::PluginsPublish)
}

/// What scopes allow: admin includes all that can be granted.
fn allowed(bits: u32) -> Scopes {
    let admin = is_admin(bits);
    GRANTABLE
        .into_iter()
        .filter(|(bit, ..)| admin || bits & bit != 0)
        .map(|(.., scope)| scope)
        .collect()
}

/// Whose keys a call is about: the caller's tenant, or the one that a caller of the installation names; `None`: all keys.
///
/// # Errors
/// As `tenant_of`, or TENANT_UNKNOWN.
pub(crate) async fn owner<T: Sync>(
    shared: &Shared,
    request: &Request<T>,
) -> Result<Option<TenantId>, Status> {
    let of_installation =
        Principal::of(request).is_some_and(|principal| principal.tenant.is_none());
    if of_installation && !request.metadata().contains_key(TENANT_HEADER) {
        return Ok(None);
    }
    Ok(Some(shared.tenant(request).await?.row.tenant))
}

fn record(row: &KeyRow) -> KeyRecord {
    KeyRecord {
        secret_sha256: SecretDigest(row.secret_sha256),
        tenant: row.tenant,
        scopes: allowed(row.scopes),
        expires_at: row.expires_at,
        revoked: row.revoked_at.is_some(),
    }
}

/// The row of a key of the installation that may do everything.
#[must_use]
pub fn installation_key(key: &Key, title: &str, created_at: Instant) -> KeyRow {
    KeyRow {
        key_id: key.id().to_string(),
        secret_sha256: key.digest().0,
        tenant: None,
        scopes: GRANTABLE.iter().fold(0, |bits, (bit, ..)| bits | bit),
        title: title.to_owned(),
        created_at,
        expires_at: None,
        revoked_at: None,
    }
}

/// Stores a key of the installation unless it is stored already; for the process that keeps the key in a file of its own.
///
/// # Errors
/// The store's failure.
pub async fn ensure_installation_key(
    keys: &dyn Keys,
    key: &Key,
    title: &str,
    now: Instant,
) -> Result<(), Error> {
    // The key is the request: its own digest tells it from others.
    let parameters = PayloadHash::of(&key.digest().0);
    let request = store::Request {
        owner: None,
        method: "ensure_installation_key",
        id: parameters.0,
        parameters,
        at: now,
    };
    let once = Once::new(request, |_row| Vec::new());
    match keys.create(&installation_key(key, title, now), once).await {
        Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The keys of this process' own store: for the process that runs ingestion.
#[derive(Debug, Clone)]
pub struct StoreKeySource {
    keys: Arc<dyn Keys>,
}

impl StoreKeySource {
    /// Looks keys up in a store.
    #[must_use]
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self { keys }
    }
}

impl KeySource for StoreKeySource {
    fn resolve(&self, id: KeyId) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        Box::pin(async move {
            let row = self.keys.by_id(&id.to_string()).await;
            let row = row.map_err(|error| KeySourceUnavailable {
                source: Box::new(error),
            })?;
            Ok(row.as_ref().map(record))
        })
    }
}

/// The keys of ingestion, over a link: for the processes of other services. The link must call with the service key.
#[derive(Debug, Clone)]
pub struct LinkKeySource {
    client: AccessServiceClient<Link>,
}

impl LinkKeySource {
    /// Asks ingestion behind `link`.
    #[must_use]
    pub fn new(link: Link) -> Self {
        Self {
            client: AccessServiceClient::new(link),
        }
    }
}

impl KeySource for LinkKeySource {
    fn resolve(&self, id: KeyId) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let answer = client
                .resolve_key(pb::ResolveKeyRequest {
                    key_id: id.to_string(),
                })
                .await;
            let answer = answer.map_err(|status| KeySourceUnavailable {
                source: Box::new(status),
            })?;
            received(answer.into_inner())
        })
    }
}

fn received(answer: pb::ResolveKeyResponse) -> Result<Option<KeyRecord>, KeySourceUnavailable> {
    let Some(key) = answer.key else {
        return Ok(None);
    };
    let unreadable = |what: &str| KeySourceUnavailable {
        source: format!("ingestion answers an unreadable {what}").into(),
    };
    let secret: [u8; 32] = answer
        .secret_sha256
        .as_ref()
        .try_into()
        .map_err(|_length| unreadable("digest"))?;
    let tenant = match key.tenant_id.as_str() {
        "" => None,
        text => Some(
            convert::parse_tenant_id(text, "tenant_id")
                .map_err(|_not_a_uuid| unreadable("tenant"))?,
        ),
    };
    Ok(Some(KeyRecord {
        secret_sha256: SecretDigest(secret),
        tenant,
        scopes: allowed(bits(&key.scopes).ok_or_else(|| unreadable("scope"))?),
        expires_at: time::optional(key.expires_at.as_ref(), "expires_at")
            .map_err(|_no_moment| unreadable("expiry"))?,
        revoked: key.revoked_at.is_some(),
    }))
}

#[cfg(test)]
mod tests;
