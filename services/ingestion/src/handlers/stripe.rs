use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::server::Knock;
use sextant_wire::status::Problem;

use crate::doors::answer::{self, Arrivals};
use crate::doors::request;
use crate::doors::stripe::{self, Terms};
use crate::service::Shared;
use crate::tenants::KnownTenant;
use crate::webhooks::Endpoint;

/// Where the endpoints are, each by its name below it. What comes there is signed, so no key is asked for.
pub(crate) const PATH: &str = "/v1/stripe";

/// Takes one event that an endpoint's secret has signed: the endpoint, not a key, says which tenant it is of.
pub(crate) async fn handle(shared: Arc<Shared>, knock: Knock) -> Result<Response<Bytes>, Status> {
    let below = knock.uri().path().split_once(PATH).map(|(_, name)| name);
    let name = below.unwrap_or_default().trim_matches('/');
    let endpoint = Endpoint::find(shared.deps.webhook_dir.as_deref(), name).await?;
    let signature = knock.headers().get("stripe-signature");
    let signature = signature.and_then(|header| header.to_str().ok());
    let now = shared.deps.clock.now();
    endpoint.verify(signature.unwrap_or_default(), knock.body(), now)?;
    let event = request::json(knock.body())?;
    let tenant = tenant(&shared, &endpoint).await?;
    let terms = Terms {
        endpoint: &endpoint,
        base: tenant.base_currency,
    };
    let mut arrivals = Arrivals::default();
    arrivals.add(0, vec![stripe::record(&event, terms)]);
    answer::store(&shared, &tenant, arrivals).await
}

async fn tenant(shared: &Shared, endpoint: &Endpoint) -> Result<Arc<KnownTenant>, Problem> {
    let row = shared.find_tenant(&endpoint.tenant).await?;
    let row = row.ok_or_else(|| {
        let message = format!(
            "the file of this endpoint names the tenant {:?}, and there is none of that name or id",
            endpoint.tenant
        );
        Problem::new(ErrorReason::TenantUnknown, message)
    })?;
    shared.tenants.get(row.tenant).await
}
