//! Request ids: a repeated change gives its first answer again, and is not done twice.

use std::any::type_name;
use std::collections::{BTreeMap, VecDeque};

use prost::Message;
use tokio::sync::Mutex;
use tonic::Status;
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

/// Answers remembered; the oldest is forgotten first.
const MAX_ANSWERS: usize = 10_000;

/// Whose request ids are one number space: a tenant's, or those of the installation.
pub(crate) type Owner = Option<TenantId>;

/// The answers to changes, by request id. Changes are rare, so they are done one after another.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    by_id: BTreeMap<(Owner, Uuid), Answered>,
    oldest_first: VecDeque<(Owner, Uuid)>,
}

#[derive(Debug)]
struct Answered {
    method: &'static str,
    request: Vec<u8>,
    /// `None`: told once and never again.
    answer: Option<Vec<u8>>,
}

/// Whether an answer may be given a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Yes.
    SameAnswer,
    /// No: it holds a secret.
    Refused,
}

/// Reads a request id.
///
/// # Errors
/// Missing, or no UUID.
pub(crate) fn id(text: &str) -> Result<Uuid, Problem> {
    if text.is_empty() {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "request_id",
            "must be a new UUID for each change",
        ));
    }
    Uuid::try_parse(text).map_err(|_not_a_uuid| {
        Problem::field(ErrorReason::FieldInvalid, "request_id", "must be a UUID")
    })
}

impl Requests {
    /// Does `change` unless the request was answered before. A failed change is not remembered.
    ///
    /// # Errors
    /// REQUEST_ID_REUSED by another request, or as `change`.
    pub(crate) async fn once<Q, A, F>(
        &self,
        owner: Owner,
        id: Uuid,
        request: &Q,
        repeat: Repeat,
        change: F,
    ) -> Result<A, Status>
    where
        Q: Message,
        A: Message + Default,
        F: Future<Output = Result<A, Status>>,
    {
        let method = type_name::<Q>();
        let request = request.encode_to_vec();
        let mut answers = self.answers.lock().await;
        if let Some(before) = answers.by_id.get(&(owner, id)) {
            return before.again(method, &request);
        }
        let answer = change.await?;
        let kept = (repeat == Repeat::SameAnswer).then(|| answer.encode_to_vec());
        answers.keep(
            (owner, id),
            Answered {
                method,
                request,
                answer: kept,
            },
        );
        Ok(answer)
    }
}

impl Answers {
    fn keep(&mut self, key: (Owner, Uuid), answered: Answered) {
        if self.oldest_first.len() >= MAX_ANSWERS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.oldest_first.push_back(key);
        self.by_id.insert(key, answered);
    }
}

impl Answered {
    fn again<A: Message + Default>(&self, method: &str, request: &[u8]) -> Result<A, Status> {
        let reused =
            |message: &str| Problem::field(ErrorReason::RequestIdReused, "request_id", message);
        if self.method != method || self.request != request {
            return Err(reused("was used with other parameters; make a new one").into());
        }
        let Some(answer) = &self.answer else {
            return Err(reused(
                "was used, and the secret of its key is shown only once; make a new key",
            )
            .into());
        };
        A::decode(answer.as_slice()).map_err(|_damaged| {
            Problem::new(ErrorReason::Internal, "remembered answer is unreadable").into()
        })
    }
}

#[cfg(test)]
mod tests;
