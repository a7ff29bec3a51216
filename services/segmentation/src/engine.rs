//! What all parts of the service share, and tenants as they are read back from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock as StdRwLock};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::money;
use sextant_domain::position::{Head, Position};
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::{ErrorReason, FreshnessState};
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::feed_service_client::FeedServiceClient as FactsClient;
use sextant_proto::scoring::v1 as scoring;
use sextant_proto::scoring::v1::clock_service_client::ClockServiceClient;
use sextant_proto::scoring::v1::feed_service_client::FeedServiceClient;
use sextant_runtime::blocking;
use sextant_runtime::clock::Clock;
use sextant_runtime::follow::{self, Lag, Watching, patient};
use sextant_runtime::heads::Heads;
use sextant_runtime::kept::Kept;
use sextant_runtime::link::Link;
use sextant_runtime::progress::Progress;
use sextant_runtime::telemetry::Meters;
use sextant_runtime::tenant::TENANT_HEADER;
use sextant_store::port::{Feed, Memberships, SegmentationRow, Segmentations, SliceProgress};
use sextant_wire::read::Currency;
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::begin::Unbegun;
use crate::cached::Caches;
use crate::segmenters::Segmenters;
use crate::state::{self, TenantState, Use};
use crate::tenant::{Reading, TenantCell, Writing};
use crate::wire::cache_keys;

/// Columns of 16,384 accounts, and room to spare.
const MAX_COLUMNS_BYTES: usize = 64 << 20;
/// Behind every entry of a feed: what is answered then is of the feed itself.
const BEHIND_ALL: u64 = i64::MAX.unsigned_abs();

/// What answers say of a tenant without looking at its state.
#[derive(Debug)]
pub(crate) struct View {
    /// The moment of the last evaluation, which the tenant's clock has reached; `None`: there was none.
    pub(crate) evaluated_at: Option<Instant>,
    pub(crate) currency: Currency,
    pub(crate) zone: Zone,
    pub(crate) base_currency: money::Currency,
    pub(crate) n_slices: u16,
    pub(crate) segmentations: Vec<Known>,
}

/// What answers say of a segmentation.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) key: String,
    pub(crate) number: u16,
    pub(crate) version: u32,
    /// Why it is behind, if it is.
    pub(crate) failure: Option<String>,
    /// The keys of its cached memberships, but for the account at their end.
    pub(crate) cache_keys: String,
    /// The encoded freshness block of reads of the present at the view's own position; made by the first of them.
    pub(crate) freshness: OnceLock<Bytes>,
}

/// How point reads fared in the caches. Counted here and shown when somebody asks: a read of a cache is too short to be measured.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    pub(crate) hits: Arc<AtomicU64>,
    pub(crate) misses: Arc<AtomicU64>,
}

/// What all parts of the service share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) memberships: Arc<dyn Memberships>,
    pub(crate) segmentations: Arc<dyn Segmentations>,
    pub(crate) feed: Arc<dyn Feed>,
    pub(crate) caches: Caches,
    pub(crate) lookups: Lookups,
    pub(crate) segmenters: Segmenters,
    scoring: Link,
    ingestion: Link,
    pub(crate) clock: Clock,
    pub(crate) heads: Arc<Heads>,
    pub(crate) progress: Progress,
    /// How far scoring's feed is ahead.
    pub(crate) lag: Arc<Lag>,
    /// How far ingestion's feed is ahead of the facts behind the memberships: scoring may live, and yet be behind.
    pub(crate) facts: Arc<Lag>,
    pub(crate) meters: Meters,
    views: StdRwLock<HashMap<TenantId, Arc<View>>>,
    /// Tenants that have been loaded before.
    loaded: Mutex<HashSet<TenantId>>,
    pub(crate) cells: Arc<Kept<TenantCell>>,
    pub(crate) unbegun: Unbegun,
    /// Fits at one time.
    pub(crate) fits: Arc<Semaphore>,
}

impl Engine {
    pub(crate) fn new(deps: crate::part::Deps) -> Self {
        let unheard = || Arc::new(Lag::unheard(deps.clock.now()));
        Self {
            lag: unheard(),
            facts: unheard(),
            memberships: deps.memberships,
            segmentations: deps.segmentations,
            feed: deps.feed,
            caches: Caches::new(deps.caches),
            lookups: Lookups::default(),
            segmenters: Segmenters::new(
                deps.registry,
                deps.catalogue,
                deps.isolation,
                deps.clock.clone(),
            ),
            scoring: deps.scoring,
            ingestion: deps.ingestion,
            heads: Arc::default(),
            progress: Progress::default(),
            meters: deps.meters,
            views: StdRwLock::default(),
            loaded: Mutex::default(),
            cells: Arc::new(Kept::new(deps.clock.clone(), deps.room)),
            unbegun: Unbegun::default(),
            fits: Arc::new(Semaphore::new(1)),
            clock: deps.clock,
        }
    }

    /// Tells of what this and other processes have committed until now.
    pub(crate) async fn find_heads(&self) -> sextant_store::Result<()> {
        self.heads.publish(self.feed.heads().await?);
        Ok(())
    }

    /// Tells of what this and other processes have committed of a tenant until now.
    pub(crate) async fn find_heads_of(&self, tenant: TenantId) -> sextant_store::Result<()> {
        let heads = self.feed.heads_of(tenant).await?;
        let heads = heads.into_iter().map(|(slice, sequence)| Head {
            tenant,
            slice,
            sequence,
        });
        self.heads.publish(heads);
        Ok(())
    }

    /// A client of scoring's feed.
    pub(crate) fn scores(&self) -> FeedServiceClient<Link> {
        FeedServiceClient::new(self.scoring.clone()).max_decoding_message_size(MAX_COLUMNS_BYTES)
    }

    /// Hears how ingestion's feed grows, until `stop`. What is in it comes over scoring's.
    pub(crate) async fn listen(&self, stop: CancellationToken) {
        let watching = Watching {
            service: "segmentation",
            feed: "ingestion",
            lag: Arc::clone(&self.facts),
            clock: self.clock.clone(),
        };
        let begin = || self.facts_heads().boxed();
        watching.watch(&self.meters, &stop, begin, |_head| {}).await;
    }

    async fn facts_heads(&self) -> Result<follow::Heads, Status> {
        let heads = FactsClient::new(self.ingestion.clone())
            .watch_heads(ingestion::WatchHeadsRequest {})
            .await?
            .into_inner();
        Ok(follow::told(heads, |answer| answer.heads))
    }

    /// The state of a tenant to write, loaded, with segmenters that can be asked. Who finds a segmentation that was never
    /// evaluated tries to make up for it, before anybody reads; where that fails, it is tried again in the background.
    pub(crate) async fn write(&self, tenant: TenantId) -> Result<Writing, Status> {
        loop {
            let writing = self.cells.asked(tenant).write().await;
            if writing.is_some() {
                return self.renew(writing).await;
            }
            let state = self.load(tenant).await?;
            let is_begun = !state.has_open();
            let mut writing = writing.change().await;
            *writing = Some(state);
            let writing = writing.done();
            if is_begun || !self.unbegun.note(tenant) {
                return Ok(writing);
            }
            if let Ok(begun) = self.begin(writing).await {
                return Ok(begun);
            }
        }
    }

    /// Sees to it that segmenters are asked that can be asked and may be asked.
    async fn renew(&self, mut writing: Writing) -> Result<Writing, Status> {
        let edition = self.segmenters.edition();
        if writing
            .as_ref()
            .is_some_and(|state| state.edition != edition)
        {
            let take_permissions = |state: &mut TenantState| {
                state.edition = edition;
                let tenant = state.tenant;
                state.take_permissions(|row| self.segmenters.allows(tenant, row));
                self.publish(state);
            };
            writing = writing.changed(take_permissions).await;
        }
        let lost = writing.as_ref().map(|state| (state.tenant, state.lost()));
        let Some((tenant, lost)) = lost.filter(|(_, lost)| !lost.is_empty()) else {
            return Ok(writing);
        };
        let n_lost = lost.len();
        let found = self.uses_of(tenant, lost).await?;
        let take_found = |state: &mut TenantState| {
            state.found(found);
            // What is told of them is of before.
            self.publish(state);
            if state.lost().len() < n_lost {
                // Nobody may have been about them since.
                self.unbegun.note(tenant);
            }
        };
        Ok(writing.changed(take_found).await)
    }

    /// The state of a tenant to read, loaded, with segmenters that can be asked. While it is written, it is the one before.
    pub(crate) async fn read(&self, tenant: TenantId) -> Result<Reading, Status> {
        let reading = self.cells.asked(tenant).read().await;
        let edition = self.segmenters.edition();
        let is_good = |state: &TenantState| {
            (state.edition == edition && !state.is_poisoned()) || reading.is_written()
        };
        if reading.as_ref().is_some_and(is_good) {
            return Ok(reading);
        }
        drop(reading);
        Ok(self.write(tenant).await?.read())
    }

    /// Takes over a segmentation that another process has made, if it has: nothing tells of it before something happens to its accounts.
    pub(crate) async fn take_over_made(&self, tenant: TenantId, key: &str) -> Result<(), Status> {
        let all = self.segmentations.all(tenant).await.map_err(store)?;
        if !all.iter().any(|row| row.key == key) {
            return Ok(());
        }
        let writing = self.write(tenant).await?;
        if writing
            .as_ref()
            .is_some_and(|state| state.by_key(key).is_none())
        {
            // It is loaded again, with what was found by then.
            writing.change().await.take();
        }
        self.forget_view(tenant);
        Ok(())
    }

    /// Whether a tenant is being written: whoever wants to be next may wait for long.
    pub(crate) fn is_written(&self, tenant: TenantId) -> bool {
        let cell = self.cells.known(tenant);
        cell.is_some_and(|cell| cell.is_written())
    }

    /// Has tenants that are in memory take over what was done to the catalogue: which of their segmentations are behind is told
    /// before anything happens to them. Those that are being written are left, for the others not to wait for them.
    pub(crate) async fn renew_known(&self, tenants: &mut BTreeSet<TenantId>) {
        let free = tenants.iter().copied().filter(|of| !self.is_written(*of));
        for tenant in free.collect::<Vec<_>>() {
            tenants.remove(&tenant);
            if !self.cells.has(tenant) {
                continue;
            }
            let is_behind = |state: &TenantState| state.edition != self.segmenters.edition();
            match self.read(tenant).await {
                // Somebody has begun to write it meanwhile.
                Ok(reading) if reading.as_ref().is_some_and(is_behind) => {
                    tenants.insert(tenant);
                },
                Ok(_renewed) => {},
                Err(status) => {
                    tracing::debug!(code = ?status.code(), message = status.message(), "a tenant does not follow the catalogue yet");
                },
            }
        }
    }

    async fn load(&self, tenant: TenantId) -> Result<TenantState, Status> {
        let (zone, base_currency, n_slices) = self.settings(tenant).await?;
        let mut state = TenantState {
            tenant,
            zone,
            base_currency,
            n_slices,
            uses: Vec::new(),
            edition: self.segmenters.edition(),
            slices: BTreeMap::new(),
            names: HashMap::new(),
            uids: BTreeMap::new(),
            present: HashMap::new(),
            begun: BTreeSet::new(),
            judged: BTreeMap::new(),
            behind: BTreeMap::new(),
            retried: BTreeMap::new(),
            worth: BTreeMap::new(),
            table: Arc::default(),
        };
        let uses = self.made_since(&state).await?;
        state.take_uses(uses);
        let slices = self.memberships.slices(tenant).await.map_err(store)?;
        let mut slices: BTreeMap<Slice, SliceProgress> = slices.into_iter().collect();
        if slices.is_empty() {
            slices.insert(Slice(0), SliceProgress::default());
        }
        for (&slice, stored) in &slices {
            let last = self
                .told(tenant, slice, stored.cursor)
                .await?
                .unwrap_or_default();
            state.slices.insert(
                slice,
                state::Progress {
                    cursor: stored.cursor,
                    facts_sequence: stored.facts_sequence,
                    closed_on: stored.closed_on,
                    version: stored.version,
                    told_facts: last.facts_sequence,
                    backfilling: last.backfilling,
                    watermark: time::optional(last.watermark.as_ref(), "watermark")?,
                    as_of: time::optional(last.as_of.as_ref(), "as_of")?,
                    known_at: None,
                    model_versions: last.model_versions,
                    leaves_behind: !stored.behind.is_empty(),
                },
            );
            let rows = self.memberships.of_slice(tenant, slice).await;
            let rows = rows.map_err(store)?;
            state = blocking(move || {
                rows.into_iter().for_each(|row| state.take_up(slice, row));
                Ok::<_, Problem>(state)
            })
            .await?;
        }
        // Once in a process: who decides a segmentation changes its version.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = loaded.insert(tenant);
        drop(loaded);
        for (slice, stored) in &slices {
            if is_first {
                state.doubt_troubled(*slice);
            }
            state.recall_behind(*slice, &stored.behind);
            state.recall_judged(*slice, &stored.judged);
            self.note_stored(tenant, *slice, stored);
        }
        self.publish(&state);
        self.cells.holds(tenant, state.size());
        Ok(state)
    }

    /// Number of the newest entry of scoring's feed; 0: there is none.
    pub(crate) async fn told_until(&self, tenant: TenantId, slice: Slice) -> Result<u64, Status> {
        Ok(self.evaluations(tenant, slice, BEHIND_ALL).await?.head)
    }

    /// Entries of scoring's feed behind one.
    pub(crate) async fn evaluations(
        &self,
        tenant: TenantId,
        slice: Slice,
        after_sequence: u64,
    ) -> Result<scoring::ReadEvaluationsResponse, Status> {
        let request = scoring::ReadEvaluationsRequest {
            tenant_id: tenant.0.to_be_bytes().to_vec().into(),
            slice: slice.0.into(),
            after_sequence,
        };
        let answer = self.scores().read_evaluations(patient(request)).await?;
        Ok(answer.into_inner())
    }

    /// An entry of scoring's feed by its number; `None` for 0, and for what is not told yet.
    pub(crate) async fn told(
        &self,
        tenant: TenantId,
        slice: Slice,
        sequence: u64,
    ) -> Result<Option<scoring::Evaluation>, Status> {
        let Some(before) = sequence.checked_sub(1) else {
            return Ok(None);
        };
        let answer = self.evaluations(tenant, slice, before).await?;
        let mut entries = answer.evaluations.into_iter();
        Ok(entries.next().filter(|entry| entry.sequence == sequence))
    }

    /// Everything of a slice up to version `stored` is stored, perhaps by another process: what is in memory is dropped if it
    /// is behind.
    pub(crate) async fn take_over(&self, tenant: TenantId, slice: Slice, stored: u64) {
        if let Some(cell) = self.cells.known(tenant) {
            let writing = cell.write().await;
            let slices = writing.as_ref().map(|state| &state.slices);
            let reached = slices.and_then(|slices| slices.get(&slice));
            if reached.is_some_and(|reached| reached.version >= stored) {
                return;
            }
            writing.change().await.take();
        }
        self.forget_view(tenant);
    }

    fn forget_view(&self, tenant: TenantId) {
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        views.remove(&tenant);
    }

    /// Forgets what answers say of the tenants that are not in memory: another process may have changed it.
    pub(crate) fn forget_views(&self) {
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        views.retain(|tenant, _| self.cells.has(*tenant));
    }

    /// The tenant's zone, base currency and number of slices, which never change.
    async fn settings(&self, tenant: TenantId) -> Result<(Zone, money::Currency, u16), Status> {
        let answer = self.evaluations(tenant, Slice(0), BEHIND_ALL).await?;
        let damaged = |error: &dyn Error| Problem::new(ErrorReason::Internal, error.to_string());
        let zone = Zone::parse(&answer.time_zone).map_err(|error| damaged(&error))?;
        let base_currency =
            money::Currency::parse(&answer.base_currency).map_err(|error| damaged(&error))?;
        let n_slices = u16::try_from(answer.slices).map_err(|error| damaged(&error))?;
        Ok((zone, base_currency, n_slices.max(1)))
    }

    /// Segmentations with their segmenters, which may have to be waited for.
    async fn uses_of(
        &self,
        tenant: TenantId,
        rows: Vec<SegmentationRow>,
    ) -> Result<Vec<Use>, Problem> {
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let segmenter = match self.segmenters.of(tenant, &row).await {
                Ok(segmenter) => {
                    let state = self.learned(tenant, &row.fit).await;
                    state.map(|state| (segmenter, state))
                },
                Err(problem) => Err(problem),
            };
            found.push((row, segmenter));
        }
        blocking(move || {
            let uses = found.into_iter();
            let uses = uses.map(|(row, segmenter)| Use::new(row, segmenter));
            Ok(uses.collect())
        })
        .await
    }

    /// Takes over segmentations that this or another process has made since.
    pub(crate) async fn load_uses(&self, writing: Writing) -> Result<Writing, Status> {
        let Some(state) = writing.as_ref() else {
            return Ok(writing);
        };
        let uses = self.made_since(state).await?;
        if uses.is_empty() {
            return Ok(writing);
        }
        Ok(writing.changed(|state| state.take_uses(uses)).await)
    }

    async fn made_since(&self, state: &TenantState) -> Result<Vec<Use>, Status> {
        let rows = self.segmentations.all(state.tenant).await;
        let mut rows = rows.map_err(store)?;
        rows.retain(|row| {
            let known = state.by_key(&row.key);
            known.is_none_or(|known| known.row.version != row.version)
        });
        Ok(self.uses_of(state.tenant, rows).await?)
    }

    /// Notes what answers say of a tenant.
    pub(crate) fn publish(&self, state: &TenantState) {
        let as_of = state.slices.values().filter_map(|slice| slice.as_of).max();
        let currency = Currency {
            as_of: as_of.unwrap_or_else(|| self.clock.now()),
            watermark: state.watermark(),
            state: if state.is_backfilling() {
                FreshnessState::Backfilling
            } else {
                FreshnessState::Fresh
            },
            position: self.progress.position(state.tenant),
            definition_version: 0,
            model_version: state.model_versions().join(", "),
            closed_on: state.closed_on(),
        };
        let segmentations = state
            .uses
            .iter()
            .map(|one| Known {
                key: one.row.key.clone(),
                number: one.row.number,
                version: state.judged_by(one),
                failure: state.failure(one).map(|problem| problem.message.clone()),
                cache_keys: cache_keys(state.tenant, &one.row.key),
                freshness: OnceLock::new(),
            })
            .collect();
        let view = View {
            evaluated_at: as_of,
            currency,
            zone: state.zone.clone(),
            base_currency: state.base_currency,
            n_slices: state.n_slices,
            segmentations,
        };
        self.views
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(state.tenant, Arc::new(view));
    }

    /// What answers say of a tenant; loads it the first time.
    pub(crate) async fn view(&self, tenant: TenantId) -> Result<Arc<View>, Status> {
        if let Some(view) = self.known_view(tenant) {
            return Ok(view);
        }
        if let Some(state) = self.read(tenant).await?.as_ref() {
            self.publish(state);
        }
        self.known_view(tenant).ok_or_else(|| {
            Problem::new(
                ErrorReason::Unavailable,
                "the tenant is being loaded; try again",
            )
            .into()
        })
    }

    /// The version of a segmentation by which all its accounts are judged, where that is known, and whether it is behind.
    pub(crate) fn standing_of(&self, tenant: TenantId, segmentation: &str) -> Option<(u32, bool)> {
        let view = self.known_view(tenant)?;
        let mut known = view.segmentations.iter();
        known
            .find(|one| one.key == segmentation)
            .map(|one| (one.version, one.failure.is_some()))
    }

    fn known_view(&self, tenant: TenantId) -> Option<Arc<View>> {
        self.views
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&tenant)
            .map(Arc::clone)
    }

    /// The tenant's evaluation clock, as scoring tells it once it has processed `floor`.
    pub(crate) async fn now(&self, tenant: TenantId, floor: &Position) -> Result<Instant, Status> {
        let mut request = patient(scoring::GetClockRequest {
            at_least_position: floor.encode(tenant),
        });
        let id = Uuid::from_u128(tenant.0).to_string();
        let value = id
            .parse()
            .map_err(|_not_ascii| Problem::new(ErrorReason::Internal, "tenant id is unreadable"))?;
        request.metadata_mut().insert(TENANT_HEADER, value);
        let answer = ClockServiceClient::new(self.scoring.clone())
            .get_clock(request)
            .await?
            .into_inner();
        Ok(time::required(answer.now.as_ref(), "now")?)
    }
}
