use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

/// Does work that takes a while where it holds up nobody: on a thread that ends when there is no more such work, and gives the
/// memory that it got back with it.
///
/// # Errors
/// What `work` answers; INTERNAL when it panics.
pub async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Problem> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "work broke off");
            let message = "the work that this needs broke off; the log says where";
            Err(Problem::new(ErrorReason::Internal, message).into())
        })
}
