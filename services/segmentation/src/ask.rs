//! What segmenters say of the accounts of an evaluation. Nothing is changed for it: it may take long, and others read meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use uuid::Uuid;

use sextant_domain::id::AccountUid;

use crate::columns::{self, Columns};
use crate::correct::{Corrections, Settled};
use crate::decide;
use crate::evaluate::{Evaluation, Failed, Which};
use crate::grounds::{self, Grounds, LONGEST_OF_REASONS, call};
use crate::state::{Standing, TenantState, Usable};

/// What an evaluation has found out, and is to be taken over.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) evaluation: Evaluation,
    pub(crate) settled: Settled,
    /// Segmentations (by number) whose segmenters failed on the way over past closes.
    pub(crate) failed: BTreeMap<u16, Failed>,
    /// By place of the segmentation, of every table.
    pub(crate) answers: Vec<(usize, OfTables)>,
}

/// What a segmenter says of every table.
pub(crate) type OfTables = Result<Vec<Answered>, Failed>;

/// Who of a table moves where, and why.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) moved: Vec<(usize, Standing)>,
    pub(crate) grounds: Grounds,
    /// Why rows have no answer.
    pub(crate) troubles: BTreeMap<usize, Arc<str>>,
    /// Rows that are to be asked about again.
    pub(crate) unresolved: Option<Failed>,
}

/// A table with the accounts of its rows.
pub(crate) type Accounts<'t> = (&'t RecordBatch, Vec<AccountUid>);

/// Tables with the accounts of their rows.
pub(crate) fn accounts(columns: &Columns) -> Vec<Accounts<'_>> {
    let tables = columns.tables.iter();
    tables
        .map(|table| (table, sextant_columns::uids(table)))
        .collect()
}

impl TenantState {
    /// Asks segmenters about the accounts of tables, as they stand after corrections of the past.
    pub(crate) fn ask(
        &self,
        mut evaluation: Evaluation,
        mut corrections: Corrections,
        columns: &Columns,
        which: Which,
    ) -> Asked {
        if evaluation.closed_on.is_none() {
            evaluation.known_at = self.known_at(&evaluation, &corrections, columns);
        }
        let failed = std::mem::take(&mut corrections.failed);
        let settled = self.settled(corrections, &evaluation);
        let tables = accounts(columns);
        let meant = self.meant(evaluation.slice, which);
        let meant =
            meant.filter(|(_, one)| which.is_behind() || !failed.contains_key(&one.row.number));
        let answers = meant.map(|(place, one)| {
            let mut patience = LONGEST_OF_REASONS;
            let answered = tables.iter().map(|table| {
                let about = (table, &settled);
                self.ask_one(one, &evaluation, about, &mut patience)
            });
            (place, answered.collect())
        });
        let answers = answers.collect();
        Asked {
            evaluation,
            settled,
            failed,
            answers,
        }
    }

    /// Asks a segmenter about the accounts of a table, and for reasons as long as there is patience.
    fn ask_one(
        &self,
        one: Usable<'_>,
        evaluation: &Evaluation,
        ((table, uids), settled): (&Accounts<'_>, &Settled),
        patience: &mut Duration,
    ) -> Result<Answered, Failed> {
        let number = one.row.number;
        let present = |uid: &AccountUid| {
            let settled = settled.present.get(&(number, *uid));
            settled.or_else(|| self.present(number, *uid))
        };
        let at_close = |uid: &AccountUid| {
            let standing = present(uid)?.at_close.as_ref()?;
            standing.member_of()
        };
        let input = columns::with_previous(table, uids.iter().map(at_close))?;
        let tenant = Uuid::from_u128(self.tenant.0).to_string();
        let call = call(&tenant, evaluation.as_of);
        let answers = grounds::answers(one, &input, &call)?;
        let moved = decide::moved(one.instance.descriptor(), &answers, |row| {
            present(&uids[row]).map(|present| &present.standing)
        });
        let rows: Vec<usize> = moved.iter().map(|(row, _)| *row).collect();
        let rows = columns::rows(&input, &rows)?;
        let grounds = Grounds::with_patience(one, rows, &call, patience);
        let troubles = answers.unanswered.iter();
        let troubles = troubles.map(|one| (one.row, one.trouble.to_string().into()));
        Ok(Answered {
            moved,
            grounds,
            troubles: troubles.collect(),
            unresolved: grounds::unresolved(one, &answers),
        })
    }
}
