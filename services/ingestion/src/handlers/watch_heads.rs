use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Response, Status};

use sextant_proto::ingestion::v1::WatchHeadsResponse;
use sextant_runtime::follow;

use crate::failure;
use crate::service::Shared;

type Answers = BoxStream<'static, Result<WatchHeadsResponse, Status>>;

pub(crate) async fn handle(shared: &Shared) -> Result<Response<Answers>, Status> {
    shared.heads.refresh().await.map_err(failure::of_store)?;
    let told = |heads| {
        Ok(WatchHeadsResponse {
            heads: follow::telling(heads),
        })
    };
    Ok(Response::new(shared.heads.watch().map(told).boxed()))
}
