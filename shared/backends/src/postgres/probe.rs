//! Whether the database can be written now.

use sextant_store::{BoxFuture, Result, port};

use super::pool::{CHECK, Config, ConnectError, Pool};

/// What a process asks its database by: the port `Writable`. It has one connection of its own, because those of the services may
/// all be in use by a database that is only slow.
#[derive(Debug)]
pub struct Probe {
    pool: Pool,
}

impl Probe {
    /// Connects when it is asked.
    ///
    /// # Errors
    /// The address cannot be read.
    pub fn new(config: &Config) -> std::result::Result<Self, ConnectError> {
        Ok(Self {
            pool: Pool::of_no_service(config)?,
        })
    }
}

impl port::Writable for Probe {
    fn check_writable(&self) -> BoxFuture<'_, Result<()>> {
        let doing = "asking whether the database can be written";
        Box::pin(async move { self.pool.system(doing, CHECK, &[]).await.map(drop) })
    }
}
