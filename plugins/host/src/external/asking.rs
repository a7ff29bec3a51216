//! What is asked about a batch: which segments, and why.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tonic::Status;

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::explain_response::Result as Explained;
use sextant_proto::segmenter::v1::segment_response::Result as Segmented;

use crate::assignment::Answer;
use crate::external::breakers::Matter;
use crate::external::client::Client;
use crate::{CallError, Descriptor, Reason, explanation, messages};

/// What becomes of a question: the outer error says that the process could not be asked, the inner one what the segmenter itself
/// says went wrong.
type Asked<A> = BoxFuture<'static, Result<Result<A, CallError>, Status>>;

/// A question about a batch.
pub(crate) trait Ask: Clone + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// What kind of question it is.
    const NAME: &str;
    /// What rows are without that have none.
    const LACKING: &str;
    const MATTER: Matter;
    /// Rows that are shown in one call at most.
    const ROWS_AT_ONCE: usize;
    /// Longest time in which the rows of one batch are looked for that a segmenter fails for.
    const LONGEST_SEARCH: Duration;

    /// Asks.
    fn ask(&self, client: Client, about: About, longest: Duration) -> Asked<Self::Answer>;
}

/// What a question is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) instance_id: Bytes,
    pub(crate) context: pb::Context,
    pub(crate) rows: usize,
    pub(crate) batch: Bytes,
}

/// Which segment?
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment;

impl Ask for Segment {
    type Answer = Answer;

    const NAME: &str = "segment";
    const LACKING: &str = "no answer";
    const MATTER: Matter = Matter::Answers;
    const ROWS_AT_ONCE: usize = usize::MAX;
    /// A row among a thousand costs at most twelve calls in vain.
    const LONGEST_SEARCH: Duration = Duration::from_secs(5);

    fn ask(&self, mut client: Client, about: About, longest: Duration) -> Asked<Answer> {
        async move {
            let request = pb::SegmentRequest {
                instance_id: about.instance_id,
                context: Some(about.context),
                batch: about.batch,
            };
            let answer = client.segment(request, longest).await?;
            let descriptor = about.descriptor;
            Ok(match answer.result {
                Some(Segmented::Batch(bytes)) => messages::decode(&bytes)
                    .map_err(not_arrow)
                    .and_then(|batch| messages::answer(&batch, about.rows, descriptor.output))
                    .and_then(|answer| answer.checked(&descriptor)),
                Some(Segmented::Failure(failure)) => Err(messages::call_error(failure)),
                None => Err(CallError::output("the answer is empty")),
            })
        }
        .boxed()
    }
}

/// Why?
#[derive(Debug, Clone, Copy)]
pub(crate) struct Explain {
    pub(crate) top_k: u32,
}

impl Ask for Explain {
    type Answer = Vec<Vec<Reason>>;

    const NAME: &str = "explain";
    const LACKING: &str = "no reasons";
    const MATTER: Matter = Matter::Reasons;
    /// Reasons can take a thousand times what answers take: of a page, some are better than none.
    const ROWS_AT_ONCE: usize = 64;
    /// Somebody waits for answers behind them.
    const LONGEST_SEARCH: Duration = Duration::from_millis(500);

    fn ask(&self, mut client: Client, about: About, longest: Duration) -> Asked<Self::Answer> {
        let top_k = self.top_k;
        async move {
            let request = pb::ExplainRequest {
                instance_id: about.instance_id,
                context: Some(about.context),
                batch: about.batch,
                top_k,
            };
            let answer = client.explain(request, about.rows, longest).await?;
            let most = usize::try_from(top_k).unwrap_or(usize::MAX);
            let features = about.descriptor.features.len();
            Ok(match answer.result {
                Some(Explained::Explanations(said)) => {
                    let said = messages::reasons(said);
                    explanation::check(&said, about.rows, features, most).map(|()| said)
                },
                Some(Explained::Failure(failure)) => Err(messages::call_error(failure)),
                None => Err(CallError::output("the answer is empty")),
            })
        }
        .boxed()
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function to map errors"
)]
fn not_arrow(error: arrow_schema::ArrowError) -> CallError {
    CallError::output(format!("it is no Arrow stream: {error}"))
}
