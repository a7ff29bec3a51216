//! The gRPC services: every rpc is one handler.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::position::Position;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::access_service_server::AccessService;
use sextant_proto::ingestion::v1::account_service_server::AccountService;
use sextant_proto::ingestion::v1::feed_service_server::FeedService;
use sextant_proto::ingestion::v1::ingestion_service_server::IngestionService;
use sextant_proto::ingestion::v1::source_service_server::SourceService;
use sextant_proto::ingestion::v1::tenant_service_server::TenantService;
use sextant_runtime::progress::Progress;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::TenantRow;
use sextant_wire::status::Problem;

use crate::budget::Budget;
use crate::heads::Heads;
use crate::part::Deps;
use crate::tenants::{KnownTenant, TenantBook};
use crate::{failure, handlers};

/// What all handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) deps: Deps,
    pub(crate) tenants: TenantBook,
    pub(crate) heads: Arc<Heads>,
    pub(crate) budget: Budget,
    /// How far the projection of places has followed.
    pub(crate) followed: Progress,
}

impl Shared {
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            tenants: TenantBook::new(Arc::clone(&deps.tenants)),
            heads: Arc::new(Heads::new(Arc::clone(&deps.feed))),
            budget: Budget::new(deps.limits.max_waiting_bytes),
            followed: Progress::default(),
            deps,
        }
    }

    /// The tenant that a call is about.
    ///
    /// # Errors
    /// As [`tenant_of`], TENANT_UNKNOWN, or the store's failure.
    pub(crate) async fn tenant<T>(&self, request: &Request<T>) -> Result<Arc<KnownTenant>, Status>
    where
        T: Sync,
    {
        Ok(self.tenants.get(tenant_of(request)?).await?)
    }

    /// The tenant of a name or an id; `None`: there is none.
    ///
    /// # Errors
    /// The store's failure.
    pub(crate) async fn find_tenant(&self, named: &str) -> Result<Option<TenantRow>, Problem> {
        let tenants = &self.deps.tenants;
        let found = match Uuid::try_parse(named) {
            Ok(id) => tenants.by_id(TenantId(id.as_u128())).await,
            Err(_a_name) => tenants.by_name(named).await,
        };
        found.map_err(failure::of_store)
    }

    /// A position that the store answered with, from this delivery of a request or from an earlier one, perhaps to another
    /// replica: what it covers can be read here now.
    ///
    /// # Errors
    /// The stored answer is damaged.
    pub(crate) fn reached(&self, tenant: TenantId, stored: Vec<u8>) -> Result<String, Problem> {
        let damaged = || Problem::new(ErrorReason::Internal, "the stored answer is unreadable");
        let text = String::from_utf8(stored).map_err(|_no_text| damaged())?;
        let position = Position::decode(&text, tenant).map_err(|_no_position| damaged())?;
        self.heads.note(tenant, position.slices());
        Ok(text)
    }
}

/// All six services over one state.
#[derive(Debug, Clone)]
pub(crate) struct Service(pub(crate) Arc<Shared>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl IngestionService for Service {
    type IngestStream = BoxStream<'static, Result<pb::IngestResponse, Status>>;

    async fn ingest(
        &self,
        request: Request<Streaming<pb::IngestRequest>>,
    ) -> Answer<Self::IngestStream> {
        handlers::ingest::handle(&self.0, request).await
    }

    async fn ingest_batch(
        &self,
        request: Request<pb::IngestBatchRequest>,
    ) -> Answer<pb::IngestBatchResponse> {
        handlers::ingest_batch::handle(&self.0, request).await
    }

    async fn list_rejections(
        &self,
        request: Request<pb::ListRejectionsRequest>,
    ) -> Answer<pb::ListRejectionsResponse> {
        handlers::list_rejections::handle(&self.0, request).await
    }

    async fn replay_rejections(
        &self,
        request: Request<pb::ReplayRejectionsRequest>,
    ) -> Answer<pb::ReplayRejectionsResponse> {
        handlers::replay_rejections::handle(&self.0, request).await
    }

    async fn list_held(
        &self,
        request: Request<pb::ListHeldRequest>,
    ) -> Answer<pb::ListHeldResponse> {
        handlers::list_held::handle(&self.0, request).await
    }
}

#[tonic::async_trait]
impl SourceService for Service {
    async fn list_sources(
        &self,
        request: Request<pb::ListSourcesRequest>,
    ) -> Answer<pb::ListSourcesResponse> {
        handlers::list_sources::handle(&self.0, request).await
    }

    async fn list_event_types(
        &self,
        request: Request<pb::ListEventTypesRequest>,
    ) -> Answer<pb::ListEventTypesResponse> {
        handlers::list_event_types::handle(&self.0, request).await
    }
}

#[tonic::async_trait]
impl AccountService for Service {
    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Answer<pb::GetAccountResponse> {
        handlers::get_account::handle(&self.0, request).await
    }

    async fn get_hierarchy(
        &self,
        request: Request<pb::GetHierarchyRequest>,
    ) -> Answer<pb::GetHierarchyResponse> {
        handlers::get_hierarchy::handle(&self.0, request).await
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Answer<pb::ListAccountsResponse> {
        handlers::list_accounts::handle(&self.0, request).await
    }

    async fn list_invoices(
        &self,
        request: Request<pb::ListInvoicesRequest>,
    ) -> Answer<pb::ListInvoicesResponse> {
        handlers::list_invoices::handle(&self.0, request).await
    }

    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Answer<pb::ListPaymentsResponse> {
        handlers::list_payments::handle(&self.0, request).await
    }

    async fn list_timeline(
        &self,
        request: Request<pb::ListTimelineRequest>,
    ) -> Answer<pb::ListTimelineResponse> {
        handlers::list_timeline::handle(&self.0, request).await
    }
}

#[tonic::async_trait]
impl TenantService for Service {
    async fn create_tenant(
        &self,
        request: Request<pb::CreateTenantRequest>,
    ) -> Answer<pb::CreateTenantResponse> {
        handlers::create_tenant::handle(&self.0, request).await
    }

    async fn get_tenant(
        &self,
        request: Request<pb::GetTenantRequest>,
    ) -> Answer<pb::GetTenantResponse> {
        handlers::get_tenant::handle(&self.0, request).await
    }

    async fn list_tenants(
        &self,
        request: Request<pb::ListTenantsRequest>,
    ) -> Answer<pb::ListTenantsResponse> {
        handlers::list_tenants::handle(&self.0, request).await
    }

    async fn start_import(
        &self,
        request: Request<pb::StartImportRequest>,
    ) -> Answer<pb::StartImportResponse> {
        handlers::start_import::handle(&self.0, request).await
    }

    async fn complete_import(
        &self,
        request: Request<pb::CompleteImportRequest>,
    ) -> Answer<pb::CompleteImportResponse> {
        handlers::complete_import::handle(&self.0, request).await
    }

    async fn advance_clock(
        &self,
        request: Request<pb::AdvanceClockRequest>,
    ) -> Answer<pb::AdvanceClockResponse> {
        handlers::advance_clock::handle(&self.0, request).await
    }
}

#[tonic::async_trait]
impl AccessService for Service {
    async fn create_key(
        &self,
        request: Request<pb::CreateKeyRequest>,
    ) -> Answer<pb::CreateKeyResponse> {
        handlers::create_key::handle(&self.0, request).await
    }

    async fn list_keys(
        &self,
        request: Request<pb::ListKeysRequest>,
    ) -> Answer<pb::ListKeysResponse> {
        handlers::list_keys::handle(&self.0, request).await
    }

    async fn revoke_key(
        &self,
        request: Request<pb::RevokeKeyRequest>,
    ) -> Answer<pb::RevokeKeyResponse> {
        handlers::revoke_key::handle(&self.0, request).await
    }

    async fn resolve_key(
        &self,
        request: Request<pb::ResolveKeyRequest>,
    ) -> Answer<pb::ResolveKeyResponse> {
        handlers::resolve_key::handle(&self.0, request).await
    }
}

#[tonic::async_trait]
impl FeedService for Service {
    type WatchHeadsStream = BoxStream<'static, Result<pb::WatchHeadsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<pb::WatchHeadsRequest>,
    ) -> Answer<Self::WatchHeadsStream> {
        handlers::watch_heads::handle(&self.0).await
    }

    async fn read_facts(
        &self,
        request: Request<pb::ReadFactsRequest>,
    ) -> Answer<pb::ReadFactsResponse> {
        handlers::read_facts::handle(&self.0, request).await
    }
}
