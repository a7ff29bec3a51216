//! Why accounts are where they are now. Asked of the segmenter when somebody looks, never stored, and never of the past.

use arrow_array::RecordBatch;
use tracing::warn;
use uuid::Uuid;

use sextant_domain::time::Instant;
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::status::Problem;

use crate::columns;
use crate::grounds::{Grounds, call_of_reader};
use crate::state::{TenantState, Use};

impl TenantState {
    /// The reasons of some rows of a table of the present, beside the values of the moment at which each account entered. None
    /// where the segmenter cannot be asked or fails.
    pub(crate) fn current_reasons(
        &self,
        one: &Use,
        table: &RecordBatch,
        rows: &[usize],
    ) -> Result<Vec<Vec<pb::Reason>>, Problem> {
        let Some(one) = one.usable() else {
            return Ok(vec![Vec::new(); rows.len()]);
        };
        let rows = columns::rows(table, rows)?;
        let uids = sextant_columns::uids(&rows);
        let present = |uid| self.present(one.row.number, uid);
        let at_close = uids.iter().map(|uid| {
            let standing = present(*uid)?.at_close.as_ref();
            standing.and_then(|standing| standing.member_of())
        });
        let input = columns::with_previous(&rows, at_close)?;
        let tenant = Uuid::from_u128(self.tenant.0).to_string();
        let as_of = self.slices.values().filter_map(|slice| slice.as_of).max();
        let call = call_of_reader(&tenant, as_of.unwrap_or(Instant(0)));
        let grounds = match Grounds::of(one, input, &call) {
            Ok(grounds) => grounds,
            Err(failed) => {
                let problem = failed.problem.message;
                warn!(
                    problem,
                    "a segmenter does not say why accounts are where they are"
                );
                return Ok(vec![Vec::new(); uids.len()]);
            },
        };
        let rows = uids.iter().enumerate();
        Ok(rows
            .map(|(at, uid)| grounds.reasons(one, at, present(*uid)))
            .collect())
    }
}
