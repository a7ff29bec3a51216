//! The segmenters that there are: those that come with the service, and those that were published.

mod directory;
mod fallen;
mod loaded;
mod publish;
mod replicas;
mod servers;
pub(crate) mod told;
mod trusted;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prost::Message as _;
use semver::Version;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit};

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_plugin_host::{Allowance, External, Hosts, LoadError, Segmenter, Verified};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::{SegmenterKind, SegmenterState};
use sextant_runtime::blocking;
use sextant_runtime::clock::Clock;
use sextant_store::port::{self, Catalogue, ReadyRow, SegmentationRow, SegmenterRow};
use sextant_wire::status::Problem;

use crate::registry::{Registry, chain};
use loaded::Loading;

pub(crate) use directory::Watched;
pub(crate) use publish::Offer;
pub(crate) use told::{Actor, own_request};
pub use trusted::{Trust, TrustLevel};

/// Digits of a digest that people are shown.
const SHOWN_DIGITS: usize = 12;
/// Uploads that are in memory at one time, at most.
const MAX_UPLOADS: usize = 4;
/// Segmenters that are judged at one time, at most: one that takes all the time there is holds up nobody else.
const MAX_JUDGED: usize = 2;

/// Where segmenters run that were published, and what is asked of them.
#[derive(Debug, Clone)]
pub struct Isolation {
    /// Where their processes are started.
    pub hosts: Hosts,
    /// What each of them may have.
    pub allowance: Allowance,
    /// What has to be true of them.
    pub trust: Trust,
    /// Directory with the tokens of servers, a file each; `None`: there are none.
    pub token_dir: Option<PathBuf>,
    /// Directory whose shared libraries are published as they come; `None`: there is none.
    pub watched_dir: Option<PathBuf>,
    /// Who else serves what this process serves.
    pub replicas: Replicas,
}

/// Who else serves what this process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// Nobody: the store is open in one process.
    Alone,
    /// Perhaps others, which have to have a segmenter before it decides.
    Several,
}

/// Everything that is known of published versions, by digest.
pub(crate) type Published = BTreeMap<String, Arc<pb::Segmenter>>;

/// The segmenters of this process.
#[derive(Debug)]
pub(crate) struct Segmenters {
    pub(crate) built_in: Registry,
    pub(crate) catalogue: Arc<dyn Catalogue>,
    pub(crate) isolation: Isolation,
    clock: Clock,
    published: RwLock<Arc<Published>>,
    /// Number of the newest event that `published` knows of.
    newest_event: AtomicU64,
    loaded: Mutex<BTreeMap<String, Arc<Loading>>>,
    watched: AsyncMutex<Watched>,
    keys: trusted::Keys,
    /// Servers, by digest, that cannot be asked where the catalogue says, and why.
    unplaced: Mutex<BTreeMap<String, String>>,
    /// Counts what changes which of them may be asked.
    edition: AtomicU64,
    /// Uploads that may be in memory at one time.
    uploads: Semaphore,
    /// Segmenters that may be judged at one time: it takes processors. Of one key one, so that no team takes all turns.
    judges: Arc<Semaphore>,
    judges_of: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    /// Held by whoever stores one: what is newest is found by what was stored before.
    storing: AsyncMutex<()>,
    /// This process among the replicas, and what it can ask.
    replica: u128,
    ready: AsyncMutex<Vec<ReadyRow>>,
}

impl Segmenters {
    pub(crate) fn new(
        built_in: Registry,
        catalogue: Arc<dyn Catalogue>,
        isolation: Isolation,
        clock: Clock,
    ) -> Self {
        Self {
            built_in,
            catalogue,
            isolation,
            clock,
            published: RwLock::default(),
            newest_event: AtomicU64::new(u64::MAX),
            loaded: Mutex::default(),
            watched: AsyncMutex::default(),
            keys: trusted::Keys::default(),
            unplaced: Mutex::default(),
            edition: AtomicU64::new(0),
            uploads: Semaphore::new(MAX_UPLOADS),
            judges: Arc::new(Semaphore::new(MAX_JUDGED)),
            judges_of: Mutex::default(),
            storing: AsyncMutex::default(),
            replica: uuid::Uuid::new_v4().as_u128(),
            ready: AsyncMutex::default(),
        }
    }

    /// Which state of the catalogue this process knows.
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Takes over what was done to the catalogue since; false: nothing was.
    pub(crate) async fn refresh(&self) -> sextant_store::Result<bool> {
        let newest = self.catalogue.newest_event().await?;
        if newest == self.newest_event.load(Ordering::Acquire) {
            return Ok(false);
        }
        let rows = self.catalogue.published().await?;
        let published = rows.iter().filter_map(told::segmenter);
        let published: Published = published
            .map(|one| (one.digest.clone(), Arc::new(one)))
            .collect();
        let before = self.published();
        // Who was released is asked again, also about what it has failed with.
        for (digest, segmenter) in self.running() {
            let is_ready = |known: &Published| {
                known
                    .get(&digest)
                    .is_some_and(|one| one.state() == SegmenterState::Ready)
            };
            let releases = |known: &Published| known.get(&digest).map(|one| one.releases);
            let is_released = !is_ready(&before) || releases(&published) != releases(&before);
            if is_ready(&published) && is_released {
                segmenter.release();
            }
            // Who may not be asked any more takes nothing of the machine.
            if !is_ready(&published) && is_ready(&before) {
                segmenter.end_process();
            }
        }
        let mut known = self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Arc::new(published);
        self.newest_event.store(newest, Ordering::Release);
        self.edition.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Everything that was published, as this process knows it.
    pub(crate) fn published(&self) -> Arc<Published> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&published)
    }

    /// The same, as it is stored.
    pub(crate) async fn now_published(&self) -> Result<Arc<Published>, Problem> {
        self.refresh().await?;
        Ok(self.published())
    }

    /// The version that a reference names; where that leaves it open, the newest in one of these states.
    ///
    /// # Errors
    /// SEGMENTER_UNKNOWN, naming those that there are.
    pub(crate) async fn find(
        &self,
        named: &pb::SegmenterRef,
        states: &[port::SegmenterState],
    ) -> Result<Arc<pb::Segmenter>, Problem> {
        let published = self.now_published().await?;
        let field = |field: &str| format!("segmenter.{field}");
        if !named.digest.is_empty() {
            // As it is shown to people, too.
            let found = published.range(named.digest.clone()..);
            let mut found = found.take_while(|(digest, _)| digest.starts_with(&named.digest));
            let only = found.next().filter(|_| named.digest.len() >= SHOWN_DIGITS);
            let only = only.filter(|_| found.next().is_none());
            return only.map(|(_, one)| Arc::clone(one)).ok_or_else(|| {
                let message = format!(
                    "no segmenter was published with the digest \"{}\"",
                    named.digest
                );
                Problem::field(ErrorReason::SegmenterUnknown, field("digest"), message)
            });
        }
        if let Ok(segmenter) = self.built_in.get(&named.segmenter_id) {
            let told = crate::registry::to_wire(segmenter);
            if named.version.is_empty() || named.version == told.version {
                return Ok(Arc::new(told));
            }
        }
        let mut of_id = published.values().filter(|one| {
            one.segmenter_id == named.segmenter_id
                && (one.platform.is_empty() || one.platform == PLATFORM)
        });
        let found = if named.version.is_empty() {
            of_id
                .filter(|one| {
                    states
                        .iter()
                        .any(|state| told::state(*state) == one.state())
                })
                .max_by_key(|one| by_age(&one.version))
        } else {
            of_id.find(|one| one.version == named.version)
        };
        found
            .map(Arc::clone)
            .ok_or_else(|| self.unknown(named, &published))
    }

    /// Digests of the newest version of each segmenter that can be used here.
    fn newest_ready(&self, published: &Published) -> Vec<String> {
        let mut newest: BTreeMap<&str, (Age, &str)> = BTreeMap::new();
        for one in published.values().filter(|one| is_for_here(one)) {
            let found = (by_age(&one.version), one.digest.as_str());
            let known = newest
                .entry(&one.segmenter_id)
                .or_insert_with(|| found.clone());
            if found.0 > known.0 {
                *known = found;
            }
        }
        newest
            .into_values()
            .map(|(_, digest)| digest.to_owned())
            .collect()
    }

    fn unknown(&self, named: &pb::SegmenterRef, published: &Published) -> Problem {
        let versions = published
            .values()
            .filter(|one| one.segmenter_id == named.segmenter_id);
        let built_in = self.built_in.get(&named.segmenter_id).ok();
        let built_in = built_in.map(|one| format!("{} (built in)", one.descriptor().version));
        let versions: Vec<String> = versions
            .map(|one| format!("{} ({})", one.version, told::word(one.state())))
            .chain(built_in)
            .collect();
        if !versions.is_empty() {
            let which = if named.version.is_empty() {
                "no version that can be taken by itself, name one".to_owned()
            } else {
                format!("no version \"{}\"", named.version)
            };
            let message = format!(
                "segmenter \"{}\" has {which}; there are: {}",
                named.segmenter_id,
                versions.join(", ")
            );
            return Problem::field(ErrorReason::SegmenterUnknown, "segmenter.version", message);
        }
        let mut known: Vec<&str> = self
            .built_in
            .all()
            .map(|one| one.descriptor().id.as_str())
            .chain(published.values().map(|one| one.segmenter_id.as_str()))
            .collect();
        known.sort_unstable();
        known.dedup();
        let message = format!(
            "segmenter \"{}\" is not known; there are: {}",
            named.segmenter_id,
            known.join(", ")
        );
        Problem::field(
            ErrorReason::SegmenterUnknown,
            "segmenter.segmenter_id",
            message,
        )
    }

    /// The segmenter that decides a segmentation of a tenant.
    ///
    /// # Errors
    /// It cannot be asked, or may not be asked about this tenant: UNAVAILABLE where that may pass by itself.
    pub(crate) async fn of(
        &self,
        tenant: TenantId,
        row: &SegmentationRow,
    ) -> Result<Segmenter, Problem> {
        if let Ok(segmenter) = self.built_in.get(&row.segmenter_id) {
            return Ok(segmenter.clone());
        }
        self.heard_of(&row.plugin_digest).await?;
        self.allows(tenant, row)?;
        self.load(&row.plugin_digest).await.map(Segmenter::from)
    }

    /// What is known of a published version; where that is nothing, it is looked for.
    async fn heard_of(&self, digest: &str) -> Result<Arc<pb::Segmenter>, Problem> {
        if !self.published().contains_key(digest) {
            self.refresh().await?;
        }
        let published = self.published();
        let told = published.get(digest).cloned();
        told.ok_or_else(|| missing("", digest))
    }

    /// The version of the segmenter that decides a segmentation; empty: it is not known here.
    pub(crate) fn version_of(&self, row: &SegmentationRow) -> String {
        if let Ok(segmenter) = self.built_in.get(&row.segmenter_id) {
            return segmenter.descriptor().version.clone();
        }
        let published = self.published();
        let told = published.get(&row.plugin_digest);
        told.map_or(String::new(), |told| told.version.clone())
    }

    /// Whether a segmentation may be decided by its segmenter, as far as this process knows. Who runs goes on while the keys cannot be
    /// read.
    ///
    /// # Errors
    /// SEGMENTER_STATE or SEGMENTER_UNKNOWN.
    pub(crate) fn allows(&self, tenant: TenantId, row: &SegmentationRow) -> Result<(), Problem> {
        if self.built_in.get(&row.segmenter_id).is_ok() {
            return Ok(());
        }
        let published = self.published();
        match published.get(&row.plugin_digest) {
            Some(told) if self.goes_on(told) => usable(told),
            Some(told) => {
                self.usable_here(told)?;
                self.check_open_to(told, tenant)
            },
            None => Err(missing(&row.segmenter_id, &row.plugin_digest)),
        }
    }

    /// Whether something may be decided by a version in this process: whoever can write to the store only does not decide that.
    fn usable_here(&self, told: &pb::Segmenter) -> Result<(), Problem> {
        usable(told)?;
        match self.distrusted(told)? {
            None => Ok(()),
            Some(distrust) => {
                let message = format!(
                    "segmenter \"{}\" {}: {distrust}",
                    told.segmenter_id, told.version
                );
                Err(Problem::new(ErrorReason::SegmenterState, message))
            },
        }
    }

    /// What a segmentation is decided by now.
    pub(crate) fn decides(&self, row: &SegmentationRow) -> pb::SegmenterRef {
        match self.built_in.get(&row.segmenter_id) {
            Ok(_) => pb::SegmenterRef {
                segmenter_id: row.segmenter_id.clone(),
                ..pb::SegmenterRef::default()
            },
            Err(_published) => pb::SegmenterRef {
                digest: row.plugin_digest.clone(),
                ..pb::SegmenterRef::default()
            },
        }
    }

    /// Waits for the memory that an upload takes.
    pub(crate) async fn room_to_upload(&self) -> Option<SemaphorePermit<'_>> {
        self.uploads.acquire().await.ok()
    }

    /// Where a segmenter is started, and what it may have.
    fn allowed(&self) -> (Hosts, Allowance) {
        (
            self.isolation.hosts.clone(),
            self.isolation.allowance.clone(),
        )
    }

    async fn start(&self, told: &pb::Segmenter) -> Result<External, Problem> {
        let (hosts, allowance) = self.allowed();
        let started = if told.kind() == SegmenterKind::Remote {
            let server = servers::server(&self.isolation, &told.address, &told.token_name)?;
            blocking(move || Ok::<_, Problem>(External::connect(&hosts, &server, allowance)))
                .await?
        } else {
            let code = self.catalogue.code(&told.digest).await?;
            let code = code.ok_or_else(|| missing(&told.segmenter_id, &told.digest))?;
            let path = PathBuf::from(&told.segmenter_id);
            let (id, digest) = (told.segmenter_id.clone(), told.digest.clone());
            let start = move || {
                let verified = Verified::new(&path, &code);
                if verified
                    .as_ref()
                    .is_ok_and(|file| file.digest_hex() != digest)
                {
                    return Err(damaged(&id));
                }
                Ok(verified.and_then(|file| External::start(&hosts, file, allowance)))
            };
            blocking(start).await?
        };
        let external = started.map_err(|refused| not_started(told, &refused))?;
        if Segmenter::from(external.clone()).digest_hex() != told.digest {
            let message = format!(
                "segmenter \"{}\": its server says something else of itself than it did when it was registered: let it serve that again, or count its version up and register it",
                told.segmenter_id
            );
            return Err(Problem::new(ErrorReason::SegmenterState, message));
        }
        tracing::info!(
            segmenter = told.segmenter_id,
            version = told.version,
            digest = told.digest,
            "a published segmenter is loaded"
        );
        if !external.sandbox_lacks().is_empty() {
            tracing::warn!(
                segmenter = told.segmenter_id,
                lacks = external.sandbox_lacks().join(", "),
                "the sandbox of a segmenter is not whole on this kernel; plugins.sandbox=whole refuses it"
            );
        }
        Ok(external)
    }
}

/// What this process can load.
pub const PLATFORM: &str = if cfg!(target_arch = "aarch64") {
    "linux_arm64"
} else {
    "linux_amd64"
};

/// Whether a version can be used, and runs on this machine.
fn is_for_here(told: &pb::Segmenter) -> bool {
    let runs = told.platform.is_empty() || told.platform == PLATFORM;
    runs && told.state() == SegmenterState::Ready
}

/// What makes a version newer than another one: a release is what people mean who name none, whatever is tried behind it.
type Age = (bool, Option<Version>);

fn by_age(version: &str) -> Age {
    let version = Version::parse(version).ok();
    let is_release = version
        .as_ref()
        .is_some_and(|version| version.pre.is_empty());
    (is_release, version)
}

/// Whether something may be decided by a version.
pub(crate) fn usable(told: &pb::Segmenter) -> Result<(), Problem> {
    if told.state() == SegmenterState::Ready {
        return Ok(());
    }
    let why = if told.why.is_empty() {
        String::new()
    } else {
        format!(": {}", told.why)
    };
    let message = format!(
        "segmenter \"{}\" {} {}{why}",
        told.segmenter_id,
        told.version,
        told::stands(told.state())
    );
    Err(Problem::new(ErrorReason::SegmenterState, message))
}

fn damaged(id: &str) -> Problem {
    let message = format!("segmenter \"{id}\": its stored code is damaged");
    Problem::new(ErrorReason::SegmenterState, message)
}

fn missing(id: &str, digest: &str) -> Problem {
    let message = format!("segmenter \"{id}\" with the digest {digest} is not in the catalogue");
    Problem::new(ErrorReason::SegmenterUnknown, message)
}

fn not_started(told: &pb::Segmenter, refused: &LoadError) -> Problem {
    let reason = if refused.check().may_pass() {
        ErrorReason::Unavailable
    } else {
        ErrorReason::SegmenterRejected
    };
    let message = format!(
        "segmenter \"{}\" {} cannot be loaded: {}",
        told.segmenter_id,
        told.version,
        chain(refused)
    );
    Problem::new(reason, message)
}

/// A stored version as it is after something was told of it.
fn row(told: &pb::Segmenter, state: port::SegmenterState, at: Instant) -> SegmenterRow {
    SegmenterRow {
        digest: told.digest.clone(),
        segmenter_id: told.segmenter_id.clone(),
        version: told.version.clone(),
        platform: told.platform.clone(),
        state,
        published_at: at,
        segmenter: told.encode_to_vec(),
    }
}
