//! Why accounts are where they are now. Asked of the segmenter when somebody looks, never stored, and never of the past.

use std::time::Duration;

use arrow_array::RecordBatch;
use uuid::Uuid;

use sextant_domain::time::Instant;
use sextant_plugin_host::{Call, Deadline};
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::status::Problem;

use crate::columns;
use crate::grounds::{Grounds, call};
use crate::state::{Present, TenantState, Use};

/// How long whoever looks waits for reasons.
pub(crate) const LONGEST_OF_READER: Duration = Duration::from_secs(2);

/// What a segmenter is to be asked about some accounts. It may take its time: nobody waits for the tenant meanwhile.
#[derive(Debug)]
pub(crate) struct Question {
    of: Use,
    tenant: String,
    as_of: Instant,
    input: RecordBatch,
    /// How they stand.
    present: Vec<Option<Present>>,
}

impl TenantState {
    /// The question why some rows of a table of the present are where they are; `None`: something else is to decide the segmentation,
    /// and knows nothing of why they are where they still are.
    pub(crate) fn question(
        &self,
        of: &Use,
        table: &RecordBatch,
        rows: &[usize],
    ) -> Result<Option<Question>, Problem> {
        if self.judged_by(of) != of.row.version {
            return Ok(None);
        }
        let rows = columns::rows(table, rows)?;
        let uids = sextant_columns::uids(&rows);
        let present = uids.iter().map(|uid| self.present(of.row.number, *uid));
        let present: Vec<Option<Present>> = present.map(Option::<&_>::cloned).collect();
        let at_close = present.iter().map(|present| {
            let standing = present.as_ref()?.at_close.as_ref();
            standing.and_then(|standing| standing.member_of())
        });
        let input = columns::with_previous(&rows, at_close)?;
        let as_of = self.slices.values().filter_map(|slice| slice.as_of).max();
        Ok(Some(Question {
            of: of.clone(),
            tenant: Uuid::from_u128(self.tenant.0).to_string(),
            as_of: as_of.unwrap_or(Instant(0)),
            input,
            present,
        }))
    }
}

impl Question {
    /// The reasons of each row, beside the values of the moment at which the account entered; none where the segmenter cannot be
    /// asked. May wait for another process, until a moment: not for threads of the runtime.
    pub(crate) fn asked(self, until: Deadline) -> Vec<Vec<pb::Reason>> {
        let n_rows = self.present.len();
        let Some(one) = self.of.usable() else {
            return vec![Vec::new(); n_rows];
        };
        let call = Call {
            deadline: Some(until),
            ..call(&self.tenant, self.as_of)
        };
        let grounds = Grounds::of(one, self.input, &call);
        let rows = self.present.iter().enumerate();
        rows.map(|(at, present)| grounds.reasons(one, at, present.as_ref()))
            .collect()
    }
}
