//! Reading rows: columns in order, each checked.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::rfm::TiePolicy;
use sextant_domain::time::{Day, Instant};
use sextant_store::{Error, Result};

/// The columns of a row, taken from left to right.
pub(super) struct Fields<'r> {
    row: &'r Row,
    next: usize,
    what: &'static str,
}

impl<'r> Fields<'r> {
    /// `what` names the row in errors, such as "account".
    pub(super) fn of(row: &'r Row, what: &'static str) -> Self {
        Self { row, next: 0, what }
    }

    /// The next column as it is.
    pub(super) fn take<T: FromSql<'r>>(&mut self) -> Result<T> {
        let at = self.next;
        self.next += 1;
        self.row
            .try_get(at)
            .map_err(|error| self.unreadable(&error.to_string()))
    }

    /// The next column as a number of another width.
    pub(super) fn number<S: FromSql<'r>, T: TryFrom<S>>(&mut self) -> Result<T> {
        let stored = self.take::<S>()?;
        T::try_from(stored).map_err(|_out_of_range| self.unreadable("a number is out of range"))
    }

    pub(super) fn id(&mut self) -> Result<u128> {
        Ok(self.take::<Uuid>()?.as_u128())
    }

    pub(super) fn tenant(&mut self) -> Result<TenantId> {
        Ok(TenantId(self.id()?))
    }

    pub(super) fn uid(&mut self) -> Result<AccountUid> {
        Ok(AccountUid(self.id()?))
    }

    pub(super) fn slice(&mut self) -> Result<Slice> {
        Ok(Slice(self.number::<i32, u16>()?))
    }

    pub(super) fn sequence(&mut self) -> Result<u64> {
        self.number::<i64, u64>()
    }

    pub(super) fn instant(&mut self) -> Result<Instant> {
        Ok(Instant(self.take()?))
    }

    pub(super) fn maybe_instant(&mut self) -> Result<Option<Instant>> {
        Ok(self.take::<Option<i64>>()?.map(Instant))
    }

    pub(super) fn maybe_day(&mut self) -> Result<Option<Day>> {
        Ok(self.take::<Option<i32>>()?.map(Day))
    }

    pub(super) fn maybe_byte(&mut self) -> Result<Option<u8>> {
        let stored = self.take::<Option<i16>>()?;
        stored
            .map(|stored| {
                u8::try_from(stored)
                    .map_err(|_out_of_range| self.unreadable("a number is out of range"))
            })
            .transpose()
    }

    /// A number that stands for a state.
    pub(super) fn state<T>(&mut self, from_code: impl FnOnce(u8) -> Option<T>) -> Result<T> {
        let code = self.number::<i16, u8>()?;
        from_code(code).ok_or_else(|| self.unreadable(&format!("state {code} is unknown")))
    }

    pub(super) fn kind(&mut self) -> Result<FactKind> {
        let code = self.number::<i16, u8>()?;
        FactKind::from_code(code)
            .ok_or_else(|| self.unreadable(&format!("fact kind {code} is unknown")))
    }

    pub(super) fn tie_policy(&mut self) -> Result<TiePolicy> {
        let key = self.take::<&str>()?;
        TiePolicy::parse(key)
            .ok_or_else(|| self.unreadable(&format!("tie policy {key} is unknown")))
    }

    pub(super) fn external_id(&mut self) -> Result<ExternalId> {
        let text = self.take::<&str>()?;
        ExternalId::parse(text).map_err(|error| self.unreadable(&error.to_string()))
    }

    pub(super) fn account_key(&mut self) -> Result<AccountKey> {
        Ok(AccountKey::stored(self.take::<&str>()?))
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::Unreadable {
            what: format!("{}: {why}", self.what),
        }
    }
}

/// Reads every row.
pub(super) fn all<T>(
    rows: &[Row],
    what: &'static str,
    read: impl Fn(&mut Fields<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.iter()
        .map(|row| read(&mut Fields::of(row, what)))
        .collect()
}

/// Reads the first row, if there is one.
pub(super) fn first<T>(
    rows: &[Row],
    what: &'static str,
    read: impl Fn(&mut Fields<'_>) -> Result<T>,
) -> Result<Option<T>> {
    rows.first()
        .map(|row| read(&mut Fields::of(row, what)))
        .transpose()
}
