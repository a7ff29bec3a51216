//! PostgreSQL and Redis behind the ports of `sextant-store`.

pub mod postgres;
pub mod redis;
#[cfg(feature = "testing")]
pub mod testing;
