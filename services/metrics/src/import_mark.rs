//! Whether an import of history is open, as it is stored.
//!
//! The replica keeps accounts and their facts, and an import mark is neither; but it has to be stored in the transaction that
//! moves the cursor past it, or a restart would forget it. It is kept as the name of an account with the nil UUID, which no
//! account has.

use sextant_domain::id::{AccountUid, ExternalId};
use sextant_proto::common::v1::ErrorReason;
use sextant_store::port::ReplicaAccount;
use sextant_wire::status::Problem;

const NIL: AccountUid = AccountUid(0);
const ID: &str = "import";
const OPEN: &str = "open";
const COMPLETED: &str = "completed";

/// The row that says whether an import is open.
pub(crate) fn row(importing: bool) -> Result<ReplicaAccount, Problem> {
    let id = ExternalId::parse(ID)
        .map_err(|error| Problem::new(ErrorReason::Internal, error.to_string()))?;
    Ok(ReplicaAccount {
        uid: NIL,
        id,
        name: if importing { OPEN } else { COMPLETED }.to_owned(),
    })
}

/// What a row says about an import; `None`: it is an account.
pub(crate) fn read(row: &ReplicaAccount) -> Option<bool> {
    (row.uid == NIL).then(|| row.name == OPEN)
}
