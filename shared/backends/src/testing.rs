//! Servers for tests: a private PostgreSQL and a private Redis, started once per test process and gone with it.
//!
//! `SEXTANT_TEST_POSTGRES_URL` and `SEXTANT_TEST_REDIS_URL` name servers to use instead. A fixture that cannot be set up fails
//! the test with what is missing.

mod postgres;
mod process;
mod redis;

pub use postgres::{Database, PostgresServer, database, migrated_database};
pub use redis::{RedisServer, redis_url};
