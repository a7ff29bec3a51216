//! From an `authorization` header to a principal, with a cache in front of the store that knows the keys.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use http::{HeaderMap, header};
use quick_cache::sync::Cache;
use tonic::Status;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use crate::auth::validity::Validity;
use crate::auth::{Key, KeyId, Principal, Scopes, SecretDigest};
use crate::clock::Clock;

/// Keys remembered, unknown ones included. What is asked for again stays in spite of a flood of invented keys (S3-FIFO).
const MAX_CACHED_KEYS: usize = 10_000;
/// When a client should try again after the store of keys did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is stored about a key.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// SHA-256 of the secret.
    pub secret_sha256: SecretDigest,
    /// The tenant it belongs to; `None` = the operator's.
    pub tenant: Option<TenantId>,
    /// What it allows.
    pub scopes: Scopes,
    /// From this moment on it is refused.
    pub expires_at: Option<Instant>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// The store of keys did not answer.
#[derive(Debug)]
pub struct KeySourceUnavailable {
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl fmt::Display for KeySourceUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store of keys did not answer")
    }
}

impl std::error::Error for KeySourceUnavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// Knows the keys.
pub trait KeySource: Send + Sync {
    /// The record of a key; `None` = no such key.
    fn resolve(&self, id: KeyId) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>>;
}

/// Why a caller is refused. The reasons are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No `authorization` header with a key.
    Missing,
    /// Malformed, unknown, or with a wrong secret; which of these is not told.
    Invalid,
    /// Past its expiry; told only to the holder of the secret.
    Expired,
    /// Taken back; told only to the holder of the secret.
    Revoked,
    /// The store of keys did not answer; try again.
    Unavailable,
}

impl Refusal {
    pub(crate) fn into_status(self) -> Status {
        use sextant_wire::status::{unauthenticated, unavailable};
        match self {
            Self::Missing => unauthenticated(
                "KEY_MISSING",
                "send an API key in the header \"authorization: Bearer sx_…\"",
            ),
            Self::Invalid => unauthenticated("KEY_INVALID", "the API key is not known"),
            Self::Expired => {
                unauthenticated("KEY_EXPIRED", "the API key has expired; ask for a new one")
            },
            Self::Revoked => {
                unauthenticated("KEY_REVOKED", "the API key was revoked; ask for a new one")
            },
            Self::Unavailable => {
                unavailable("API keys cannot be checked at the moment", RETRY_AFTER)
            },
        }
    }
}

/// Checks keys.
pub struct Authenticator {
    source: Arc<dyn KeySource>,
    clock: Clock,
    ttl: Duration,
    cache: Cache<KeyId, Arc<Cached>>,
    /// Counts what was forgotten, so that a record that was read before is not remembered after.
    n_forgotten: Mutex<u64>,
    service: Option<ServiceKey>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("ttl", &self.ttl)
            .field("cached", &self.cache.len())
            .finish_non_exhaustive()
    }
}

struct ServiceKey {
    id: KeyId,
    digest: SecretDigest,
    /// What our links' `authorization` headers begin with: all but the secret.
    start: String,
}

struct Cached {
    record: Option<KeyRecord>,
    until: tokio::time::Instant,
}

/// The answer of the cache.
pub(crate) enum Lookup {
    /// Decided without asking anybody.
    Known(Result<Principal, Refusal>),
    /// The source must be asked: [`Authenticator::resolve`].
    Unknown(Box<Key>),
}

impl Authenticator {
    /// Checks keys against `source`; each answer is remembered for `ttl`, "no such key" included.
    #[must_use]
    pub fn new(source: Arc<dyn KeySource>, clock: Clock, ttl: Duration) -> Self {
        Self {
            source,
            clock,
            ttl,
            cache: Cache::new(MAX_CACHED_KEYS),
            n_forgotten: Mutex::new(0),
            service: None,
        }
    }

    /// Also accepts this key, for every scope and no particular tenant: our own services.
    #[must_use]
    pub fn with_service_key(mut self, key: &Key) -> Self {
        self.service = Some(ServiceKey {
            id: key.id(),
            digest: key.digest(),
            start: format!("Bearer sx_{}_", key.id()),
        });
        self
    }

    /// Whether headers name the service key. Their secret is not looked at: this says whose turn it is, not who may call.
    pub(crate) fn claims_service(&self, headers: &HeaderMap) -> bool {
        self.service.as_ref().is_some_and(|service| {
            headers
                .get(header::AUTHORIZATION)
                .is_some_and(|value| value.as_bytes().starts_with(service.start.as_bytes()))
        })
    }

    /// Forgets what is remembered about a key: in this process, a revocation takes effect at once.
    pub fn forget(&self, id: KeyId) {
        let mut n_forgotten = self.n_forgotten();
        *n_forgotten += 1;
        self.cache.remove(&id);
    }

    fn n_forgotten(&self) -> MutexGuard<'_, u64> {
        self.n_forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// Nobody we know.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Refusal> {
        match self.lookup(headers) {
            Lookup::Known(verdict) => verdict,
            Lookup::Unknown(key) => self.resolve(&key).await,
        }
    }

    /// Watches a key that has been found valid.
    pub(crate) fn validity(self: &Arc<Self>, key: KeyId) -> Validity {
        Validity::new(Arc::clone(self), key, self.ttl)
    }

    /// Whether a key that has been found valid still is.
    ///
    /// # Errors
    /// It was taken back, has expired, or cannot be checked.
    pub(crate) async fn check_again(&self, id: KeyId) -> Result<(), Refusal> {
        if self
            .service
            .as_ref()
            .is_some_and(|service| service.id == id)
        {
            return Ok(());
        }
        // What is remembered may be as old as the last check.
        let record = self.ask(id).await?;
        self.allows(record.as_ref().ok_or(Refusal::Invalid)?)
    }

    /// Decides from the headers and the cache: one SHA-256 block, no lock, no allocation on a hit.
    pub(crate) fn lookup(&self, headers: &HeaderMap) -> Lookup {
        let key = match presented(headers) {
            Ok(key) => key,
            Err(refusal) => return Lookup::Known(Err(refusal)),
        };
        if let Some(service) = &self.service
            && service.id == key.id()
        {
            let principal = Principal {
                tenant: None,
                scopes: Scopes::ALL,
                key_id: service.id,
            };
            return Lookup::Known(if service.digest.matches(&key.digest()) {
                Ok(principal)
            } else {
                Err(Refusal::Invalid)
            });
        }
        match self.cache.get(&key.id()) {
            Some(cached) if cached.until > tokio::time::Instant::now() => {
                Lookup::Known(self.judge(&key, cached.record.as_ref()))
            },
            _ => Lookup::Unknown(Box::new(key)),
        }
    }

    /// Asks the source and remembers its answer.
    pub(crate) async fn resolve(&self, key: &Key) -> Result<Principal, Refusal> {
        let record = self.ask(key.id()).await?;
        self.judge(key, record.as_ref())
    }

    async fn ask(&self, id: KeyId) -> Result<Option<KeyRecord>, Refusal> {
        let n_forgotten = *self.n_forgotten();
        let record = match self.source.resolve(id).await {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!(key = %id, error = %error.source, "an API key could not be checked");
                return Err(Refusal::Unavailable);
            },
        };
        let cached = Cached {
            record: record.clone(),
            until: tokio::time::Instant::now() + self.ttl,
        };
        let now = self.n_forgotten();
        if *now == n_forgotten {
            self.cache.insert(id, Arc::new(cached));
        }
        drop(now);
        Ok(record)
    }

    fn judge(&self, key: &Key, record: Option<&KeyRecord>) -> Result<Principal, Refusal> {
        let record = record.ok_or(Refusal::Invalid)?;
        if !record.secret_sha256.matches(&key.digest()) {
            return Err(Refusal::Invalid);
        }
        self.allows(record)?;
        Ok(Principal {
            tenant: record.tenant,
            scopes: record.scopes,
            key_id: key.id(),
        })
    }

    fn allows(&self, record: &KeyRecord) -> Result<(), Refusal> {
        if record.revoked {
            return Err(Refusal::Revoked);
        }
        if record.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

/// The key that headers show: as `Bearer sx_…`, or as the user of `Basic`, as the write keys of HTTP doors are sent.
fn presented(headers: &HeaderMap) -> Result<Key, Refusal> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Refusal::Missing)?;
    let text = value.to_str().map_err(|_not_ascii| Refusal::Invalid)?;
    let (scheme, shown) = text.split_once(' ').ok_or(Refusal::Missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Key::parse(shown.trim()).map_err(|_malformed| Refusal::Invalid);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::Missing);
    }
    let decoded = BASE64.decode(shown.trim()).ok();
    let pair = decoded.and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.ok_or(Refusal::Invalid)?;
    let (user, _) = pair.split_once(':').unwrap_or((&pair, ""));
    Key::parse(user).map_err(|_malformed| Refusal::Invalid)
}
