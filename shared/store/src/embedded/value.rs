//! Domain values as column values, and back.

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::rfm::TiePolicy;
use sextant_domain::time::{Day, Instant};

/// A 128-bit id or hash: 16 big-endian bytes, so byte order is number order.
pub(super) fn id(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

/// A feed number or an ordinal. SQLite counts to 2⁶³−1, which no feed reaches.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How many rows a list may have.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Reading the columns of a row.
pub(super) trait Columns {
    fn id(&self, column: usize) -> rusqlite::Result<u128>;
    fn number(&self, column: usize) -> rusqlite::Result<u64>;
    fn tenant(&self, column: usize) -> rusqlite::Result<TenantId>;
    fn uid(&self, column: usize) -> rusqlite::Result<AccountUid>;
    fn slice(&self, column: usize) -> rusqlite::Result<Slice>;
    fn instant(&self, column: usize) -> rusqlite::Result<Instant>;
    fn instant_or_none(&self, column: usize) -> rusqlite::Result<Option<Instant>>;
    fn day_or_none(&self, column: usize) -> rusqlite::Result<Option<Day>>;
    /// A number that stands for a state.
    fn state<T>(
        &self,
        column: usize,
        from_code: impl FnOnce(u8) -> Option<T>,
    ) -> rusqlite::Result<T>;
    fn kind(&self, column: usize) -> rusqlite::Result<FactKind>;
    fn tie_policy(&self, column: usize) -> rusqlite::Result<TiePolicy>;
    fn external_id(&self, column: usize) -> rusqlite::Result<ExternalId>;
}

impl Columns for Row<'_> {
    fn id(&self, column: usize) -> rusqlite::Result<u128> {
        self.get(column).map(u128::from_be_bytes)
    }

    fn number(&self, column: usize) -> rusqlite::Result<u64> {
        let value: i64 = self.get(column)?;
        u64::try_from(value)
            .map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(column, value))
    }

    fn tenant(&self, column: usize) -> rusqlite::Result<TenantId> {
        self.id(column).map(TenantId)
    }

    fn uid(&self, column: usize) -> rusqlite::Result<AccountUid> {
        self.id(column).map(AccountUid)
    }

    fn slice(&self, column: usize) -> rusqlite::Result<Slice> {
        self.get(column).map(Slice)
    }

    fn instant(&self, column: usize) -> rusqlite::Result<Instant> {
        self.get(column).map(Instant)
    }

    fn instant_or_none(&self, column: usize) -> rusqlite::Result<Option<Instant>> {
        Ok(self.get::<_, Option<i64>>(column)?.map(Instant))
    }

    fn day_or_none(&self, column: usize) -> rusqlite::Result<Option<Day>> {
        Ok(self.get::<_, Option<i32>>(column)?.map(Day))
    }

    fn state<T>(
        &self,
        column: usize,
        from_code: impl FnOnce(u8) -> Option<T>,
    ) -> rusqlite::Result<T> {
        let code: u8 = self.get(column)?;
        from_code(code)
            .ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(column, i64::from(code)))
    }

    fn kind(&self, column: usize) -> rusqlite::Result<FactKind> {
        self.state(column, FactKind::from_code)
    }

    fn tie_policy(&self, column: usize) -> rusqlite::Result<TiePolicy> {
        let key = self.get_ref(column)?.as_str()?;
        TiePolicy::parse(key).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                Type::Text,
                format!("tie policy {key} is unknown").into(),
            )
        })
    }

    fn external_id(&self, column: usize) -> rusqlite::Result<ExternalId> {
        let text = self.get_ref(column)?.as_str()?;
        ExternalId::parse(text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                Type::Text,
                Box::new(FromSqlError::other(error)),
            )
        })
    }
}
