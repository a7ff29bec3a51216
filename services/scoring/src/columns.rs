//! Features as columns for the services that follow.

use sextant_domain::feature::Moment;
use sextant_domain::id::{AccountUid, Slice};
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use crate::state::{Account, TenantState};

/// Accounts of one message: small enough that two are computed and evaluated side by side.
const MAX_ROWS: usize = 8_192;

/// Which accounts.
#[derive(Debug)]
pub(crate) enum Accounts {
    /// All of a slice.
    All,
    /// These, as far as they are in the slice.
    These(Vec<AccountUid>),
}

impl TenantState {
    /// The accounts that exist at a moment and whose features are asked for, by uid, cut into messages.
    pub(crate) fn chunks(
        &self,
        slice: Slice,
        accounts: &Accounts,
        moment: &Moment,
    ) -> Vec<Vec<AccountUid>> {
        let known = |uid: &&AccountUid| {
            self.accounts.get(uid).is_some_and(|account| {
                account.slice == slice && !account.id.is_empty() && account.facts.exists_at(moment)
            })
        };
        let chosen: Vec<AccountUid> = match accounts {
            Accounts::All => self.accounts.keys().filter(known).copied().collect(),
            Accounts::These(uids) => uids.iter().filter(known).copied().collect(),
        };
        chosen
            .chunks(MAX_ROWS)
            .map(<[AccountUid]>::to_vec)
            .collect()
    }

    /// Features of these accounts at a moment, as an Arrow IPC stream.
    pub(crate) fn columns(&self, uids: &[AccountUid], moment: &Moment) -> Result<Vec<u8>, Problem> {
        let accounts: Vec<(AccountUid, &Account)> = uids
            .iter()
            .filter_map(|uid| Some((*uid, self.accounts.get(uid)?)))
            .collect();
        self.encode(&accounts, moment)
    }

    fn encode(
        &self,
        accounts: &[(AccountUid, &Account)],
        moment: &Moment,
    ) -> Result<Vec<u8>, Problem> {
        let rows = self.rows(accounts.iter().copied(), moment);
        let rows: Vec<_> = accounts
            .iter()
            .zip(&rows)
            .map(|((uid, account), features)| sextant_columns::AccountRow {
                uid: *uid,
                id: &account.id,
                name: &account.name,
                features,
            })
            .collect();
        let refused = |what: String| {
            Problem::new(
                ErrorReason::Internal,
                format!("columns cannot be built: {what}"),
            )
        };
        let table = sextant_columns::table(&rows).map_err(|error| refused(error.to_string()))?;
        sextant_columns::encode(&table).map_err(|error| refused(error.to_string()))
    }

    /// The moment that columns are about: a day's close, with what was known then or with all that is known, or the present.
    pub(crate) fn columns_moment(
        &self,
        closed_on: Option<Day>,
        all_knowledge: bool,
        real: Instant,
    ) -> Moment {
        let zone = &self.settings.zone;
        match closed_on.map(|day| Moment::close(day, zone)) {
            Some(close) if all_knowledge => Moment::new(close.as_of, Instant(i64::MAX), zone),
            Some(close) => close,
            None => self.moment(None, None, real),
        }
    }
}
