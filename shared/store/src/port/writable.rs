use std::fmt;

use crate::{BoxFuture, Result};

/// Whether a process can write to its store now.
pub trait Writable: fmt::Debug + Send + Sync {
    /// `Ok`: it can. Writes nothing, and waits for nobody else's commits.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`]: it cannot.
    fn check_writable(&self) -> BoxFuture<'_, Result<()>>;
}
