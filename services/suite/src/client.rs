//! The generated clients with what every call carries: the key, the tenant and a deadline.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use uuid::Uuid;

use sextant_domain::time::Zone;
use sextant_proto::common::v1::{ErrorReason, ReadAt};
use sextant_proto::ingestion::v1::access_service_client::AccessServiceClient;
use sextant_proto::ingestion::v1::account_service_client::AccountServiceClient;
use sextant_proto::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use sextant_proto::ingestion::v1::source_service_client::SourceServiceClient;
use sextant_proto::ingestion::v1::tenant_service_client::TenantServiceClient;
use sextant_proto::ingestion::v1::{GetTenantRequest, ListTenantsRequest, Tenant};
use sextant_proto::metrics::v1::metrics_service_client::MetricsServiceClient;
use sextant_proto::scoring::v1::clock_service_client::ClockServiceClient;
use sextant_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use sextant_proto::segmentation::v1::segmentation_service_client::SegmentationServiceClient;
use sextant_proto::segmentation::v1::segmenter_service_client::SegmenterServiceClient;
use sextant_runtime::auth::Key;
use sextant_runtime::link::Link;
use sextant_runtime::tenant::TENANT_HEADER;
use sextant_wire::status::{Problem, name, reason_of};

use crate::error::Error;
use crate::links::Links;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a call may take in which something is tried or learned.
const LONG_DEADLINE: Duration = Duration::from_secs(600);
/// How long a read may wait for what was written, over all its calls: the evaluation of an imported history takes its time.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Largest answer that is taken.
const MAX_ANSWER_BYTES: usize = 64 * 1_024 * 1_024;
/// Entries of a page where all of a list is wanted.
pub const PAGE_SIZE: i32 = 1_000;

/// Calls the services for one key and, once it is known, one tenant.
#[derive(Debug, Clone)]
pub struct Client {
    links: Links,
    authorization: Option<MetadataValue<Ascii>>,
    tenant: Option<MetadataValue<Ascii>>,
    zone: Zone,
}

macro_rules! service {
    ($name:ident, $client:ident, $link:ident, $about:literal) => {
        #[doc = $about]
        #[must_use]
        pub fn $name(&self) -> $client<Link> {
            $client::new(self.links.$link.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
        }
    };
}

impl Client {
    /// A client that sends this key with every call.
    #[must_use]
    pub fn new(links: Links, key: Option<&Key>) -> Self {
        // A key is hexadecimal text, which is always a header value.
        let authorization = key.and_then(|key| {
            let mut value: MetadataValue<Ascii> =
                format!("Bearer {}", key.expose()).parse().ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Self {
            links,
            authorization,
            tenant: None,
            zone: Zone::utc(),
        }
    }

    /// The same client, every call about one tenant.
    ///
    /// # Errors
    /// The tenant's id is no header value: the server answered something else than a UUID. Its time zone is not known here.
    pub fn of_tenant(&self, tenant: &Tenant) -> Result<Self, Error> {
        let value = tenant.tenant_id.parse().map_err(|_no_header_value| {
            Error::usage("the server does not speak as Sextant does; check --address")
        })?;
        let zone = Zone::parse(&tenant.time_zone).map_err(|error| {
            Error::usage(format!(
                "the tenant's time zone is not known to this program, which may be older than the server: {error}"
            ))
        })?;
        Ok(Self {
            tenant: Some(value),
            zone,
            ..self.clone()
        })
    }

    /// Where days begin: the tenant's time zone, or UTC for a client of no tenant.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    service!(ingestion, IngestionServiceClient, ingestion, "Records in.");
    service!(
        accounts,
        AccountServiceClient,
        ingestion,
        "Accounts as the facts describe them."
    );
    service!(
        sources,
        SourceServiceClient,
        ingestion,
        "Where records come from."
    );
    service!(
        tenants,
        TenantServiceClient,
        ingestion,
        "Tenants and imports."
    );
    service!(access, AccessServiceClient, ingestion, "Keys.");
    service!(
        scoring,
        ScoringServiceClient,
        scoring,
        "Features and scores."
    );
    service!(clock, ClockServiceClient, scoring, "Evaluation clocks.");
    service!(
        segmentation,
        SegmentationServiceClient,
        segmentation,
        "Segments."
    );
    service!(
        segmenters,
        SegmenterServiceClient,
        segmentation,
        "Published segmenters, and what segmentations are decided by."
    );
    service!(metrics, MetricsServiceClient, metrics, "Business numbers.");

    /// A message with key, tenant and deadline.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = self.stream(message);
        request.set_timeout(DEADLINE);
        request
    }

    /// The same for a call in which a segmenter is tried, or learns: that takes its time.
    pub fn long_request<T>(&self, message: T) -> Request<T> {
        let mut request = self.stream(message);
        request.set_timeout(LONG_DEADLINE);
        request
    }

    /// A message with key and tenant, for a call that lasts as long as there is something to say.
    pub fn stream<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        if let Some(tenant) = &self.tenant {
            metadata.insert(TENANT_HEADER, tenant.clone());
        }
        request
    }

    /// The tenant of that name or id; without one, the tenant of the key, or the only one that it opens.
    ///
    /// # Errors
    /// A refused call, or several tenants and none named.
    pub async fn find_tenant(&self, named: Option<&str>) -> Result<Tenant, Error> {
        let asked = GetTenantRequest {
            tenant: named.unwrap_or_default().to_owned(),
        };
        match self.tenants().get_tenant(self.request(asked)).await {
            Ok(answer) => answer.into_inner().tenant.ok_or_else(no_tenant),
            Err(status) if named.is_none() && is(&status, ErrorReason::FieldMissing) => {
                self.only_tenant().await
            },
            Err(status) if is(&status, ErrorReason::TenantUnknown) => {
                let named = named.unwrap_or_default();
                let message = format!(
                    "\"{named}\" (--tenant or SEXTANT_TENANT): {}; `sextant tenants list` shows those that the key opens",
                    status.message()
                );
                Err(Status::from(Problem::new(ErrorReason::TenantUnknown, message)).into())
            },
            Err(status) => Err(status.into()),
        }
    }

    async fn only_tenant(&self) -> Result<Tenant, Error> {
        let asked = ListTenantsRequest::default();
        let answer = self.tenants().list_tenants(self.request(asked)).await?;
        let mut tenants = answer.into_inner().tenants;
        match (tenants.pop(), tenants.is_empty()) {
            (None, _) => Err(no_tenant()),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                tenants.push(last);
                let names: Vec<&str> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
                let names = names.join(", ");
                Err(Error::usage(format!(
                    "there are several tenants; name one with --tenant: {names}"
                )))
            },
        }
    }
}

/// Whether a call was refused for this reason.
#[must_use]
pub fn is(status: &Status, reason: ErrorReason) -> bool {
    reason_of(status).as_deref() == Some(name(reason))
}

/// A read that includes what a position stands for.
#[must_use]
pub fn at_least(position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// A refusal of a read that was [`at_least`] a position which the caller has not named: nor does it.
#[must_use]
pub fn of_own_position(status: Status) -> Status {
    if !is(&status, ErrorReason::PositionNotReached) {
        return status;
    }
    let message = "what is stored was not evaluated before the deadline; try again";
    Problem::new(ErrorReason::PositionNotReached, message).into()
}

/// Repeats a read until its service has processed the position that it asks for.
///
/// # Errors
/// Any other refusal; POSITION_NOT_REACHED and DEADLINE_EXCEEDED once an hour has passed.
pub async fn settled<T>(
    mut read: impl FnMut() -> BoxFuture<'static, Result<T, Status>>,
) -> Result<T, Status> {
    let until = tokio::time::Instant::now() + LONGEST_WAIT;
    loop {
        match read().await {
            Err(status)
                if tokio::time::Instant::now() < until
                    && (is(&status, ErrorReason::PositionNotReached)
                        || is(&status, ErrorReason::DeadlineExceeded)) => {},
            answer => return answer.map_err(of_own_position),
        }
    }
}

fn no_tenant() -> Error {
    Error::NotFound {
        message: "there is no tenant yet; make one with `sextant tenants create NAME`".to_owned(),
    }
}

/// The id of a request that is sent once.
pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Collects all pages of a list.
///
/// ```text
/// all_pages!(client, segmentation.list_segmentations, ListSegmentationsRequest::default(), segmentations)
/// ```
macro_rules! all_pages {
    ($client:expr, $service:ident . $rpc:ident, $request:expr, $items:ident) => {{
        let (first, mut items, mut page_token) = ($request, Vec::new(), String::new());
        loop {
            let mut request = first.clone();
            request.page_size = $crate::client::PAGE_SIZE;
            request.page_token = page_token;
            let answer = $client
                .$service()
                .$rpc($client.request(request))
                .await?
                .into_inner();
            items.extend(answer.$items);
            if answer.next_page_token.is_empty() {
                break items;
            }
            page_token = answer.next_page_token;
        }
    }};
}
pub(crate) use all_pages;

#[cfg(test)]
mod tests;
