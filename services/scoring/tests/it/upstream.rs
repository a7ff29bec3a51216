//! Ingestion as a script of its feeds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::follow;
use sextant_runtime::heads::Heads;
use sextant_wire::status::Problem;

/// Its tenants and their feeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ingestion(Arc<Shared>);

type Feeds = BTreeMap<(TenantId, Slice), Vec<pb::FeedEntry>>;

#[derive(Debug, Default)]
struct Shared {
    tenants: Mutex<BTreeMap<TenantId, pb::Tenant>>,
    entries: Mutex<Feeds>,
    heads: Arc<Heads>,
    is_silent: AtomicBool,
    /// What is stored is not announced.
    is_quiet: AtomicBool,
    /// Their feeds never end.
    endless: Mutex<BTreeSet<TenantId>>,
    n_settings: AtomicUsize,
}

impl Ingestion {
    /// From now on nobody who begins to watch hears anything.
    pub(crate) fn silence(&self) {
        self.0.is_silent.store(true, Ordering::Relaxed);
    }

    pub(crate) fn put_tenant(&self, id: TenantId, tenant: pb::Tenant) {
        self.0.tenants.lock().unwrap().insert(id, tenant);
    }

    /// Begins a feed that tells of nothing, and does not end.
    pub(crate) fn begin_endless(&self, tenant: TenantId) {
        self.0.endless.lock().unwrap().insert(tenant);
        self.0.heads.publish([Head {
            tenant,
            slice: Slice(0),
            sequence: 1_000_000,
        }]);
    }

    /// How often settings alone were asked for: once for each time that a tenant is loaded.
    pub(crate) fn n_settings(&self) -> usize {
        self.0.n_settings.load(Ordering::Relaxed)
    }

    /// From now on nobody hears of what is stored before it is told.
    pub(crate) fn be_quiet(&self) {
        self.0.is_quiet.store(true, Ordering::Relaxed);
    }

    /// Announces all that is stored of a slice.
    pub(crate) fn tell(&self, tenant: TenantId, slice: Slice) {
        let all = self.0.entries.lock().unwrap();
        let last = all.get(&(tenant, slice)).and_then(|entries| entries.last());
        self.0.heads.publish([Head {
            tenant,
            slice,
            sequence: last.unwrap().sequence,
        }]);
    }

    /// Adds an entry and announces it; a clock entry moves the tenant's clock as well.
    pub(crate) fn append(&self, tenant: TenantId, slice: Slice, entry: pb::FeedEntry) -> u64 {
        self.append_to(tenant, &[slice], &entry)[0].1
    }

    /// Adds an entry to several slices at once.
    pub(crate) fn append_to(
        &self,
        tenant: TenantId,
        slices: &[Slice],
        entry: &pb::FeedEntry,
    ) -> Vec<(Slice, u64)> {
        let numbers: Vec<(Slice, u64)> = {
            let mut all = self.0.entries.lock().unwrap();
            if let Some(clock) = entry.clock {
                let mut tenants = self.0.tenants.lock().unwrap();
                let stands = &mut tenants.get_mut(&tenant).unwrap().fixed_clock;
                if stands.is_none_or(|stands| stands.seconds < clock.seconds) {
                    *stands = Some(clock);
                }
            }
            let number = |slice: &Slice| {
                let entries = all.entry((tenant, *slice)).or_default();
                let sequence = u64::try_from(entries.len()).unwrap() + 1;
                entries.push(pb::FeedEntry {
                    sequence,
                    ..entry.clone()
                });
                (*slice, sequence)
            };
            slices.iter().map(number).collect()
        };
        if !self.0.is_quiet.load(Ordering::Relaxed) {
            slices.iter().for_each(|slice| self.tell(tenant, *slice));
        }
        numbers
    }
}

#[tonic::async_trait]
impl pb::feed_service_server::FeedService for Ingestion {
    type WatchHeadsStream = BoxStream<'static, Result<pb::WatchHeadsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<pb::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        if self.0.is_silent.load(Ordering::Relaxed) {
            return Err(Problem::new(ErrorReason::Unavailable, "silent").into());
        }
        let answers = self.0.heads.watch().map(move |heads| {
            Ok(pb::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    /// At most two entries: following takes several reads.
    async fn read_facts(
        &self,
        request: Request<pb::ReadFactsRequest>,
    ) -> Result<Response<pb::ReadFactsResponse>, Status> {
        let request = request.into_inner();
        let tenant_id: [u8; 16] = request.tenant_id.as_ref().try_into().unwrap();
        let tenant = TenantId(u128::from_be_bytes(tenant_id));
        let slice = Slice(u16::try_from(request.slice).unwrap());
        let settings = self.0.tenants.lock().unwrap().get(&tenant).cloned();
        let settings =
            settings.ok_or_else(|| Problem::new(ErrorReason::TenantUnknown, "no such tenant"))?;
        let after = request.after_sequence;
        if after == i64::MAX.unsigned_abs() {
            self.0.n_settings.fetch_add(1, Ordering::Relaxed);
        } else if self.0.endless.lock().unwrap().contains(&tenant) {
            let next = pb::FeedEntry {
                sequence: after + 1,
                ..pb::FeedEntry::default()
            };
            return Ok(Response::new(pb::ReadFactsResponse {
                entries: vec![next],
                tenant: Some(settings),
            }));
        }
        let all = self.0.entries.lock().unwrap();
        let entries = all.get(&(tenant, slice)).map_or(&[][..], Vec::as_slice);
        let behind = entries.iter().filter(|entry| entry.sequence > after);
        Ok(Response::new(pb::ReadFactsResponse {
            entries: behind.take(2).cloned().collect(),
            tenant: Some(settings),
        }))
    }
}
