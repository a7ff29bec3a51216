use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Response, Status};

use sextant_proto::ingestion::v1::{FeedHead, WatchHeadsResponse};
use sextant_runtime::follow::Head;

use crate::failure;
use crate::service::Shared;

type Answers = BoxStream<'static, Result<WatchHeadsResponse, Status>>;

pub(crate) async fn handle(shared: &Shared) -> Result<Response<Answers>, Status> {
    shared.heads.refresh().await.map_err(failure::of_store)?;
    let told = |heads: Vec<Head>| {
        Ok(WatchHeadsResponse {
            heads: heads.into_iter().map(head).collect(),
        })
    };
    Ok(Response::new(shared.heads.watch().map(told).boxed()))
}

fn head(head: Head) -> FeedHead {
    FeedHead {
        tenant_id: Bytes::copy_from_slice(&head.tenant.0.to_be_bytes()),
        slice: head.slice.0.into(),
        sequence: head.sequence,
    }
}
