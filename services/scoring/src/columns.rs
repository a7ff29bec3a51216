//! Features as columns for the services that follow.

use sextant_domain::feature::Moment;
use sextant_domain::id::{AccountUid, Slice};
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use crate::state::{Account, TenantState};

/// Accounts of one message: small enough that two are computed and evaluated side by side.
const MAX_ROWS: usize = 8_192;
/// Ids and names of one message, in bytes: beside them a row has numbers alone.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// Which accounts.
#[derive(Debug)]
pub(crate) enum Accounts {
    /// All of a slice.
    All,
    /// These, as far as they are in the slice.
    These(Vec<AccountUid>),
}

/// Who reads columns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader {
    /// The next service: all columns.
    Service,
    /// A caller of the API: those that are shown.
    Caller,
}

/// The evaluation within a day that columns are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    /// Its moment; `None`: the present.
    pub(crate) as_of: Option<Instant>,
    /// The newest ingestion entry that has to be in them.
    pub(crate) facts_sequence: u64,
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Those of an evaluation.
    Present(Accounts),
    /// Those of the close of a day, as it was known then.
    Close(Day, Accounts),
    /// Those of closes, as an evaluation knows them: of each account from the last of them before its day on.
    Late(Vec<(AccountUid, Day)>, Vec<Day>),
    /// The same of closes that were made again, as they were known then.
    Restated(Vec<(AccountUid, Day)>, Vec<Day>),
}

/// One message.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) closed_on: Option<Day>,
    pub(crate) moment: Moment,
    pub(crate) uids: Vec<AccountUid>,
}

impl TenantState {
    /// The accounts that exist at a moment, that an ingestion entry up to `last` named and whose features are asked for, by uid,
    /// cut into messages.
    fn chunks(
        &self,
        slice: Slice,
        accounts: &Accounts,
        (moment, last): (&Moment, u64),
    ) -> Vec<Vec<AccountUid>> {
        let known = |uid: &&AccountUid| {
            self.accounts.get(uid).is_some_and(|account| {
                account.slice == slice
                    && !account.id.is_empty()
                    && account.named_in <= last
                    && account.facts.exists_at(moment)
            })
        };
        let chosen: Vec<AccountUid> = match accounts {
            Accounts::All => self.accounts.keys().filter(known).copied().collect(),
            Accounts::These(uids) => uids.iter().filter(known).copied().collect(),
        };
        let n_bytes = |uid: &AccountUid| {
            let account = self.accounts.get(uid);
            account.map_or(0, |account| account.id.len() + account.name.len())
        };
        cut(chosen, n_bytes)
    }

    /// Features of these accounts at a moment, as an Arrow IPC stream.
    pub(crate) fn columns(
        &self,
        uids: &[AccountUid],
        moment: &Moment,
        reader: Reader,
    ) -> Result<Vec<u8>, Problem> {
        let accounts: Vec<(AccountUid, &Account)> = uids
            .iter()
            .filter_map(|uid| Some((*uid, self.accounts.get(uid)?)))
            .collect();
        let rows = self.rows(accounts.iter().map(|(_, account)| *account), moment);
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
        let encoded = match reader {
            Reader::Service => sextant_columns::encode(&table),
            Reader::Caller => sextant_columns::encode_shown(&table),
        };
        encoded.map_err(|error| refused(error.to_string()))
    }

    /// The end of the day of an evaluation. Its close has this knowledge and no more, and neither has what comes before it.
    fn end_of_day(&self, within: Within) -> Option<Instant> {
        let zone = &self.settings.zone;
        let day = within.as_of.map(|as_of| zone.day_of(as_of));
        day.map(|day| Moment::close(day, zone).as_of)
    }

    /// When the newest facts became known that can be in columns; `None`: there are none but those that have to be.
    pub(crate) fn newer_known_at(
        &self,
        slice: Slice,
        within: Within,
        real: Instant,
    ) -> Option<Instant> {
        let progress = self.slices.get(&slice)?;
        let newest = progress.newest_facts;
        let (sequence, known_at) = newest.unwrap_or_else(|| (progress.cursor, self.now(real)));
        let end = self.end_of_day(within)?;
        (sequence > within.facts_sequence).then_some(known_at.min(end))
    }

    /// What a request asks for, cut into messages.
    pub(crate) fn parts(
        &self,
        slice: Slice,
        (wanted, within): (&Wanted, Within),
        real: Instant,
    ) -> Result<Vec<Part>, Problem> {
        let cursor = self.slices.get(&slice).map_or(0, |slice| slice.cursor);
        if cursor < within.facts_sequence {
            return Err(Problem::new(
                ErrorReason::Unavailable,
                "facts that the columns have to hold are not taken in yet; try again",
            ));
        }
        let zone = &self.settings.zone;
        let known_at = self.end_of_day(within).unwrap_or(Instant(i64::MAX));
        let mut parts = Vec::new();
        // Who was named after an evaluation within a day belongs to a later one: closes may come between.
        let last = match (wanted, within.as_of) {
            (Wanted::Present(_), Some(_)) => within.facts_sequence,
            _ => u64::MAX,
        };
        let mut add = |closed_on, accounts: &Accounts, moment: Moment| {
            let chunks = self.chunks(slice, accounts, (&moment, last)).into_iter();
            parts.extend(chunks.map(|uids| Part {
                closed_on,
                moment,
                uids,
            }));
        };
        match wanted {
            Wanted::Present(accounts) => {
                let as_of = within.as_of.unwrap_or_else(|| self.now(real));
                add(None, accounts, Moment::new(as_of, known_at, zone));
            },
            Wanted::Close(day, accounts) => add(Some(*day), accounts, Moment::close(*day, zone)),
            Wanted::Late(late, closes) | Wanted::Restated(late, closes) => {
                for (place, day) in closes.iter().enumerate() {
                    let next = closes.get(place + 1).unwrap_or(day);
                    let touched = late.iter().filter(|(_, since)| since <= next);
                    let touched = Accounts::These(touched.map(|(uid, _)| *uid).collect());
                    let close = Moment::close(*day, zone);
                    let moment = match wanted {
                        Wanted::Restated(..) => close,
                        _ => Moment::new(close.as_of, known_at, zone),
                    };
                    add(Some(*day), &touched, moment);
                }
            },
        }
        Ok(parts)
    }
}

/// Cuts accounts into messages, by how much text each brings.
fn cut(uids: Vec<AccountUid>, n_bytes_of: impl Fn(&AccountUid) -> usize) -> Vec<Vec<AccountUid>> {
    let (mut parts, mut part, mut n_bytes) = (Vec::new(), Vec::new(), 0);
    for uid in uids {
        let text = n_bytes_of(&uid);
        if part.len() == MAX_ROWS || (n_bytes + text > MAX_TEXT_BYTES && !part.is_empty()) {
            parts.push(std::mem::take(&mut part));
            n_bytes = 0;
        }
        n_bytes += text;
        part.push(uid);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests;
