//! The two services before metrics, as scripts of their feeds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::segmentation::v1 as segmentation;
use sextant_runtime::follow;
use sextant_runtime::heads::Heads;
use sextant_wire::status::Problem;

/// Ingestion: its tenants and their feeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ingestion(Arc<Shared<ingestion::FeedEntry>>);

/// Segmentation: its feeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segmentation(Arc<Shared<segmentation::MoveEntry>>);

type Feeds<E> = BTreeMap<(TenantId, Slice), Vec<E>>;

#[derive(Debug)]
struct Shared<E> {
    tenants: Mutex<BTreeMap<TenantId, ingestion::Tenant>>,
    entries: Mutex<Feeds<E>>,
    heads: Arc<Heads>,
    n_reads: AtomicU64,
}

impl<E> Default for Shared<E> {
    fn default() -> Self {
        Self {
            tenants: Mutex::default(),
            entries: Mutex::default(),
            heads: Arc::default(),
            n_reads: AtomicU64::new(0),
        }
    }
}

impl<E: Clone> Shared<E> {
    /// Adds an entry and announces it; `number` gives it its place.
    fn append(&self, tenant: TenantId, slice: Slice, entry: E, number: fn(&mut E, u64)) -> u64 {
        let mut all = self.entries.lock().unwrap();
        let entries = all.entry((tenant, slice)).or_default();
        let sequence = u64::try_from(entries.len()).unwrap() + 1;
        entries.push(entry);
        number(entries.last_mut().unwrap(), sequence);
        self.heads.publish([Head {
            tenant,
            slice,
            sequence,
        }]);
        sequence
    }

    /// At most two entries: following takes several reads.
    fn read(&self, tenant: TenantId, slice: Slice, after: u64) -> Vec<E> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        let all = self.entries.lock().unwrap();
        let entries = all
            .get(&(tenant, slice))
            .map(Vec::as_slice)
            .unwrap_or_default();
        entries
            .iter()
            .skip(usize::try_from(after).unwrap())
            .take(2)
            .cloned()
            .collect()
    }
}

impl Ingestion {
    pub(crate) fn put_tenant(&self, id: TenantId, tenant: ingestion::Tenant) {
        self.0.tenants.lock().unwrap().insert(id, tenant);
    }

    /// Appends an entry; a clock entry moves the tenant's clock as well.
    pub(crate) fn append(
        &self,
        tenant: TenantId,
        slice: Slice,
        entry: ingestion::FeedEntry,
    ) -> u64 {
        if let Some(clock) = entry.clock {
            self.0
                .tenants
                .lock()
                .unwrap()
                .get_mut(&tenant)
                .unwrap()
                .fixed_clock = Some(clock);
        }
        self.0.append(tenant, slice, entry, |entry, sequence| {
            entry.sequence = sequence
        })
    }

    /// How often anything was read.
    pub(crate) fn n_reads(&self) -> u64 {
        self.0.n_reads.load(Ordering::Relaxed)
    }
}

impl Segmentation {
    pub(crate) fn append(
        &self,
        tenant: TenantId,
        slice: Slice,
        entry: segmentation::MoveEntry,
    ) -> u64 {
        self.0.append(tenant, slice, entry, |entry, sequence| {
            entry.sequence = sequence
        })
    }
}

fn feed(tenant_id: &[u8], slice: u32) -> (TenantId, Slice) {
    (
        TenantId(u128::from_be_bytes(tenant_id.try_into().unwrap())),
        Slice(u16::try_from(slice).unwrap()),
    )
}

#[tonic::async_trait]
impl ingestion::feed_service_server::FeedService for Ingestion {
    type WatchHeadsStream = BoxStream<'static, Result<ingestion::WatchHeadsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<ingestion::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        let answers = self.0.heads.watch().map(move |heads| {
            Ok(ingestion::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn read_facts(
        &self,
        request: Request<ingestion::ReadFactsRequest>,
    ) -> Result<Response<ingestion::ReadFactsResponse>, Status> {
        let request = request.into_inner();
        let (tenant, slice) = feed(&request.tenant_id, request.slice);
        let settings = self.0.tenants.lock().unwrap().get(&tenant).cloned();
        let settings =
            settings.ok_or_else(|| Problem::new(ErrorReason::TenantUnknown, "no such tenant"))?;
        let entries = self.0.read(tenant, slice, request.after_sequence);
        Ok(Response::new(ingestion::ReadFactsResponse {
            entries,
            tenant: Some(settings),
        }))
    }
}

#[tonic::async_trait]
impl segmentation::feed_service_server::FeedService for Segmentation {
    type WatchHeadsStream = BoxStream<'static, Result<segmentation::WatchHeadsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<segmentation::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        let answers = self.0.heads.watch().map(move |heads| {
            Ok(segmentation::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn read_moves(
        &self,
        request: Request<segmentation::ReadMovesRequest>,
    ) -> Result<Response<segmentation::ReadMovesResponse>, Status> {
        let request = request.into_inner();
        let (tenant, slice) = feed(&request.tenant_id, request.slice);
        Ok(Response::new(segmentation::ReadMovesResponse {
            entries: self.0.read(tenant, slice, request.after_sequence),
        }))
    }
}
