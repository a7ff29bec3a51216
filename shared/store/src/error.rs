use std::future::Future;
use std::pin::Pin;

pub use sextant_domain::store::Error;

/// What a port method returns: ports are used as `Arc<dyn Port>`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Result of a port method.
pub type Result<T> = std::result::Result<T, Error>;
