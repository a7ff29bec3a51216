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

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The newest features.
    Present(Accounts),
    /// Those of the close of a day, as it was known then.
    Close(Day, Accounts),
    /// Those of closes, as they are known now: of each account from the last of them before its day on.
    Late(Vec<(AccountUid, Day)>, Vec<Day>),
}

/// One message.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) closed_on: Option<Day>,
    pub(crate) moment: Moment,
    pub(crate) uids: Vec<AccountUid>,
}

impl TenantState {
    /// The accounts that exist at a moment and whose features are asked for, by uid, cut into messages.
    fn chunks(&self, slice: Slice, accounts: &Accounts, moment: &Moment) -> Vec<Vec<AccountUid>> {
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

    /// What a request asks for, cut into messages.
    pub(crate) fn parts(&self, slice: Slice, wanted: &Wanted, real: Instant) -> Vec<Part> {
        let zone = &self.settings.zone;
        let mut parts = Vec::new();
        let mut add = |closed_on, accounts: &Accounts, moment: Moment| {
            let chunks = self.chunks(slice, accounts, &moment).into_iter();
            parts.extend(chunks.map(|uids| Part {
                closed_on,
                moment,
                uids,
            }));
        };
        match wanted {
            Wanted::Present(accounts) => add(None, accounts, self.moment(None, None, real)),
            Wanted::Close(day, accounts) => add(Some(*day), accounts, Moment::close(*day, zone)),
            Wanted::Late(late, closes) => {
                for (place, day) in closes.iter().enumerate() {
                    let next = closes.get(place + 1).unwrap_or(day);
                    let touched = late.iter().filter(|(_, since)| since <= next);
                    let touched = Accounts::These(touched.map(|(uid, _)| *uid).collect());
                    let end = Moment::close(*day, zone).as_of;
                    add(
                        Some(*day),
                        &touched,
                        Moment::new(end, Instant(i64::MAX), zone),
                    );
                }
            },
        }
        parts
    }
}
