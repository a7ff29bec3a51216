use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use sextant_proto::ingestion::v1::{IngestRequest, IngestResponse};
use sextant_runtime::tenant::tenant_of;

use crate::service::Shared;
use crate::stream;

type Answers = BoxStream<'static, Result<IngestResponse, Status>>;

pub(crate) async fn handle(
    shared: &Arc<Shared>,
    request: Request<Streaming<IngestRequest>>,
) -> Result<Response<Answers>, Status> {
    let tenant = tenant_of(&request)?;
    shared.tenants.get(tenant).await?;
    let messages = request.into_inner().boxed();
    let answers = stream::acknowledge(Arc::clone(shared), tenant, messages)?;
    Ok(Response::new(answers))
}
