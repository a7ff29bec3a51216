//! One evaluation: segmenters over columns, and what has to be stored of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use prost::Message;
use uuid::Uuid;

use sextant_columns::{ID_COLUMN, NAME_COLUMN};
use sextant_domain::id::{AccountUid, ExternalId, PayloadHash, Slice};
use sextant_domain::time::{Day, Instant};
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::telemetry::trace::Trace;
use sextant_runtime::telemetry::{Label, Meters, Metric};
use sextant_store::port::{
    MembershipRow, ReplicaAccount, SegmentationCommit, SegmentationRow, TransitionRow,
};
use sextant_wire::read::{account_ref, uid_bytes};
use sextant_wire::status::Problem;
use sextant_wire::time;

use crate::ask::{Accounts, Answered, Asked, OfTables, accounts};
use crate::columns::Columns;
use crate::correct::Corrections;
use crate::decide::{self, Told};
use crate::feed;
use crate::grounds::Began;
use crate::state::{Present, Progress, Standing, TenantState};

/// Lowest bit of the cursor in the id of a transition. The four bits below are the version of the UUID.
const CURSOR_BIT: u32 = 80;
/// The bit in it that tells a move from a correction.
const MOVE_BIT: u32 = 75;
/// The lowest of eight bits in it that order what is told of one moment at once.
const ORDER_BIT: u32 = 67;

/// What an evaluation is about.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    pub(crate) slice: Slice,
    pub(crate) cursor: u64,
    pub(crate) facts_sequence: u64,
    pub(crate) as_of: Instant,
    /// When the facts that it answers for became known. What is computed from newer ones is known later.
    pub(crate) known_at: Instant,
    pub(crate) closed_on: Option<Day>,
    pub(crate) backfilling: bool,
    pub(crate) watermark: Option<Instant>,
    /// When the oldest fact that it answers for was stored.
    pub(crate) recorded_at: Option<Instant>,
    /// What it is done for.
    pub(crate) trace: Option<Trace>,
    /// Versions of the models behind the features.
    pub(crate) model_versions: Vec<String>,
}

/// Why an evaluation has no result.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) problem: Problem,
    /// What kind of failure it was, where it was the segmenter's.
    pub(crate) of_segmenter: Option<&'static str>,
}

impl Failed {
    /// Counts the failure of a segmenter, and says what it was.
    pub(crate) fn counted(self, meters: &Meters) -> Problem {
        if let Some(kind) = self.of_segmenter {
            let labels = [Label::Service("segmentation"), Label::Outcome(kind)];
            meters.record(Metric::SegmenterFailures, 1.0, &labels);
        }
        self.problem
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            of_segmenter: None,
        }
    }
}

/// Which segmentations an evaluation is of. Of those that are behind the slice only `Behind` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that were not evaluated over all accounts of the slice yet.
    Unbegun,
    /// The one of this number, which is behind: it takes in what it has missed.
    Behind(u16),
}

impl Which {
    /// True: it is of the past of one segmentation, and says nothing of where the slice is.
    pub(crate) fn is_behind(self) -> bool {
        matches!(self, Self::Behind(_))
    }
}

/// What one evaluation changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    accounts: Vec<ReplicaAccount>,
    pub(crate) memberships: Vec<MembershipRow>,
    transitions: Vec<TransitionRow>,
    moves: Vec<pb::Move>,
}

impl TenantState {
    /// Takes over what an evaluation has found out and returns what has to be stored. Segmentations whose segmenters fail are left
    /// behind, and the failures returned, too. When storing fails, the state has to be loaded again.
    pub(crate) fn evaluate(
        &mut self,
        asked: Asked,
        columns: &Columns,
        which: Which,
    ) -> (SegmentationCommit, Vec<Failed>) {
        let evaluation = &asked.evaluation;
        let slice = evaluation.slice;
        if which == Which::All {
            self.leave_unusable_behind(slice);
        }
        let mut failures = Vec::new();
        for (number, failed) in asked.failed {
            self.leave_behind(slice, number, failed.problem.clone());
            failures.push(failed);
        }
        let mut changes = self.take_over(asked.settled);
        let tables = accounts(columns);
        for (table, uids) in &tables {
            self.learn_names(table, uids, &mut changes);
        }
        // Whoever evaluates some accounts has evaluated all before. At the beginning of the feed there are none.
        let at_beginning = self
            .slices
            .get(&slice)
            .is_none_or(|known| known.cursor == 0);
        let begins = at_beginning || evaluation.closed_on.is_some() || !tables.is_empty();
        for answers in asked.answers {
            let judging = (evaluation, which, begins);
            failures.extend(self.judge(answers, judging, &tables, &mut changes));
        }
        if !which.is_behind() {
            self.note_worth(evaluation, &columns.tables);
        }
        self.table = Arc::default();
        let (version, progress) = self.progress_to(evaluation, (which, !failures.is_empty()));
        let behind = self.behind_in(slice, progress.cursor);
        if let Some(progress) = self.slices.get_mut(&slice) {
            progress.leaves_behind = !behind.is_empty();
        }
        let entry = pb::MoveEntry {
            behind: self.keys_of(&behind),
            ..entry(evaluation, &progress, which)
        };
        let transitions = changes.transitions.iter();
        let sizes: Vec<usize> = transitions.map(|row| row.transition.len()).collect();
        let commit = SegmentationCommit {
            tenant: self.tenant,
            slice,
            version,
            cursor: progress.cursor,
            facts_sequence: progress.facts_sequence,
            closed_on: progress.closed_on,
            accounts: changes.accounts,
            memberships: changes.memberships,
            transitions: changes.transitions,
            behind,
            judged: self.judged_in(slice),
            entries: feed::encoded(&entry, changes.moves.into_iter().zip(sizes)),
        };
        (commit, failures)
    }

    /// Has one segmentation decide about the accounts of tables. Where its segmenter fails, it is left behind: what was answered counts,
    /// and for the rest it is asked again.
    fn judge(
        &mut self,
        (index, answered): (usize, OfTables),
        (evaluation, which, begins): (&Evaluation, Which, bool),
        tables: &[Accounts<'_>],
        changes: &mut Changes,
    ) -> Vec<Failed> {
        let Some(one) = self.uses[index].usable() else {
            return Vec::new();
        };
        let (slice, number, version) = (evaluation.slice, one.row.number, one.row.version);
        let mut failures = Vec::new();
        match answered {
            Ok(answered) => {
                for (mut answered, (_, uids)) in answered.into_iter().zip(tables) {
                    failures.extend(answered.unresolved.take());
                    self.move_on(index, (evaluation, which), answered, uids, changes);
                }
            },
            Err(failed) => failures.push(failed),
        }
        if begins && failures.is_empty() {
            self.begun.insert((slice, number));
            self.retried.remove(&(slice, number));
            self.judged.insert((slice, number), version);
        }
        for failed in &failures {
            self.leave_behind(slice, number, failed.problem.clone());
        }
        failures
    }

    /// Notes how far the slice is after an evaluation; returns the version before, and how far it is.
    fn progress_to(
        &mut self,
        evaluation: &Evaluation,
        (which, failed): (Which, bool),
    ) -> (u64, Progress) {
        let slice = evaluation.slice;
        let progress = self.slices.entry(slice).or_default();
        let version = progress.version;
        progress.version += 1;
        if let Which::Behind(number) = which {
            if let Some(behind) = self.behind.get_mut(&(slice, number)).filter(|_| !failed) {
                behind.cursor = behind.cursor.max(evaluation.cursor);
            }
            return (version, progress.clone());
        }
        progress.cursor = evaluation.cursor;
        // While history is evaluated, nothing beyond what was known before can be relied on.
        if !evaluation.backfilling {
            progress.facts_sequence = progress.facts_sequence.max(evaluation.facts_sequence);
        }
        progress.told_facts = evaluation.facts_sequence;
        progress.closed_on = progress.closed_on.max(evaluation.closed_on);
        progress.backfilling = evaluation.backfilling;
        progress.watermark = progress.watermark.max(evaluation.watermark);
        progress.as_of = Some(evaluation.as_of);
        progress.known_at = progress.known_at.max(Some(evaluation.known_at));
        progress
            .model_versions
            .clone_from(&evaluation.model_versions);
        (version, progress.clone())
    }

    /// Notes what accounts are worth at a close.
    fn note_worth(&mut self, evaluation: &Evaluation, tables: &[RecordBatch]) {
        if evaluation.closed_on.is_some() {
            if self.uses.is_empty() {
                // No features were read.
                self.worth.remove(&evaluation.slice);
            } else {
                let worth = decide::worth(tables);
                self.worth.insert(evaluation.slice, worth);
            }
        }
    }

    /// When the newest of the facts behind what was read became known. What scoring computes is of the moment in which it is asked
    /// for, so facts can be in it that a later entry tells of; and what was found before, with such facts, is compared with.
    pub(crate) fn known_at(
        &self,
        evaluation: &Evaluation,
        corrections: &Corrections,
        columns: &Columns,
    ) -> Instant {
        let before = self.slices.get(&evaluation.slice);
        let before = before.and_then(|progress| progress.known_at);
        let read = [corrections.known_at, columns.known_at, before];
        let newest = read.into_iter().flatten().max();
        newest.map_or(evaluation.known_at, |newest| {
            newest.max(evaluation.known_at)
        })
    }

    fn learn_names(&mut self, table: &RecordBatch, uids: &[AccountUid], changes: &mut Changes) {
        for (row, uid) in uids.iter().enumerate() {
            let id = sextant_columns::text(table, ID_COLUMN, row).unwrap_or_default();
            let name = sextant_columns::text(table, NAME_COLUMN, row).unwrap_or_default();
            self.learn_name(*uid, id, name, changes);
        }
    }

    pub(crate) fn learn_name(
        &mut self,
        uid: AccountUid,
        id: &str,
        name: &str,
        changes: &mut Changes,
    ) {
        let known = self
            .names
            .get(&uid)
            .is_some_and(|names| &*names.id == id && &*names.name == name);
        if let (false, Ok(external)) = (known, ExternalId::parse(id)) {
            self.name(uid, id, name);
            changes.accounts.push(ReplicaAccount {
                uid,
                id: external,
                name: name.to_owned(),
            });
        }
    }

    /// Takes over where the accounts of a table are.
    fn move_on(
        &mut self,
        index: usize,
        (evaluation, which): (&Evaluation, Which),
        answered: Answered,
        uids: &[AccountUid],
        changes: &mut Changes,
    ) {
        let Some(one) = self.uses[index].usable() else {
            return;
        };
        let Answered {
            moved,
            grounds,
            troubles,
            unresolved: _,
        } = answered;
        let number = one.row.number;
        let present = self.present.entry(number).or_default();
        // What is known of worth is of the slice's last close.
        let worth = self.worth.get(&evaluation.slice);
        let worth = worth.filter(|_| !which.is_behind());
        let model_version =
            decide::models_read(one.instance.descriptor(), &evaluation.model_versions);
        for (at, (row, standing)) in moved.into_iter().enumerate() {
            let uid = uids[row];
            let Some(names) = self.names.get(&uid) else {
                continue;
            };
            let before = present.get(&uid);
            let about = decide::Move {
                uid,
                id: &names.id,
                name: &names.name,
                at: evaluation.as_of,
                known_at: evaluation.known_at,
                cursor: evaluation.cursor,
                told: Told::Move,
                order: 0,
            };
            let began = Began {
                standing: before.and_then(|before| before.at_close.as_ref()),
                worth: worth.and_then(|worth| worth.get(&uid)).copied(),
            };
            let because = pb::Transition {
                model_version: model_version.clone(),
                ..grounds.because(one, at, before, &standing, began)
            };
            let transition = transition(one.row, &about, before, &standing, because);
            let encoded = changes.record(number, &about, &standing, &transition);
            let at_close = match evaluation.closed_on {
                Some(_) => Some(standing.clone()),
                None => before.and_then(|before| before.at_close.clone()),
            };
            let entered = Present {
                standing,
                entered_at: evaluation.as_of,
                at_close,
                transition: encoded,
                trouble: None,
            };
            changes
                .memberships
                .push(Self::to_row(number, uid, &entered));
            present.insert(uid, entered);
        }
        note_troubles(number, present, (uids, &troubles), changes);
        if evaluation.closed_on.is_some() {
            confirm(number, present, uids, changes);
        }
    }
}

/// Notes which accounts could not be judged anew, and which can be again.
fn note_troubles(
    number: u16,
    present: &mut BTreeMap<AccountUid, Present>,
    (uids, troubles): (&[AccountUid], &BTreeMap<usize, Arc<str>>),
    changes: &mut Changes,
) {
    for (row, uid) in uids.iter().enumerate() {
        let Some(present) = present.get_mut(uid) else {
            continue;
        };
        let trouble = troubles.get(&row);
        if present.trouble.as_ref() != trouble {
            present.trouble = trouble.map(Arc::clone);
            let row = TenantState::to_row(number, *uid, present);
            changes.memberships.push(row);
        }
    }
}

/// The head of an entry that tells of an evaluation.
fn entry(evaluation: &Evaluation, progress: &Progress, which: Which) -> pb::MoveEntry {
    pb::MoveEntry {
        sequence: 0,
        facts_sequence: progress.facts_sequence,
        known_at: Some(time::timestamp(evaluation.known_at)),
        closed_on: evaluation
            .closed_on
            .filter(|_| !which.is_behind())
            .map(time::date),
        moves: Vec::new(),
        backfilling: progress.backfilling,
        recorded_at: evaluation.recorded_at.map(time::timestamp),
        trace: evaluation.trace.map(Vec::from).unwrap_or_default().into(),
        continued: false,
        behind: Vec::new(),
    }
}

/// The day is closed: what stands now is what the next day is compared with.
fn confirm(
    number: u16,
    present: &mut BTreeMap<AccountUid, Present>,
    uids: &[AccountUid],
    changes: &mut Changes,
) {
    for uid in uids {
        let Some(present) = present.get_mut(uid) else {
            continue;
        };
        if present.at_close.as_ref() != Some(&present.standing) {
            present.at_close = Some(present.standing.clone());
            changes
                .memberships
                .push(TenantState::to_row(number, *uid, present));
        }
    }
}

impl Changes {
    /// How many transitions there are to be stored.
    pub(crate) fn n_told(&self) -> usize {
        self.transitions.len()
    }

    /// Notes a move; returns the encoded transition.
    pub(crate) fn record(
        &mut self,
        number: u16,
        about: &decide::Move<'_>,
        to: &Standing,
        transition: &pb::Transition,
    ) -> Arc<[u8]> {
        let encoded: Arc<[u8]> = transition.encode_to_vec().into();
        let id = Uuid::parse_str(&transition.transition_id).map_or(0, |id| id.as_u128());
        self.moves.push(pb::Move {
            account_uid: uid_bytes(about.uid),
            segmentation: transition.segmentation.clone(),
            segment: to.segment.to_string(),
            at: transition.at,
            known_at: (about.told == Told::Restated).then(|| time::timestamp(about.known_at)),
            transition_id: id.to_be_bytes().to_vec().into(),
        });
        self.transitions.push(TransitionRow {
            id,
            segmentation: number,
            uid: about.uid,
            at: about.at,
            known_at: about.known_at,
            to_state: u8::try_from(i32::from(to.state)).unwrap_or(0),
            to_segment: to.segment.to_string(),
            value_minor: transition.value_minor.unwrap_or(0),
            downward: transition.downward,
            is_move: (transition.from_state, &transition.from_segment)
                != (transition.to_state, &transition.to_segment),
            is_correction: about.told != Told::Move,
            transition: encoded.to_vec(),
        });
        encoded
    }
}

/// The transition of a move.
pub(crate) fn transition(
    segmentation: &SegmentationRow,
    about: &decide::Move<'_>,
    before: Option<&Present>,
    to: &Standing,
    because: pb::Transition,
) -> pb::Transition {
    let from = before.map(|before| &before.standing);
    pb::Transition {
        transition_id: transition_id(segmentation, about, to).to_string(),
        account: Some(account_ref(about.id)),
        account_name: about.name.to_owned(),
        segmentation: segmentation.key.clone(),
        segmentation_version: segmentation.version,
        from_state: from
            .map_or(pb::MembershipState::Unspecified, |from| from.state)
            .into(),
        from_segment: from.map_or(String::new(), |from| from.segment.to_string()),
        to_state: to.state.into(),
        to_segment: to.segment.to_string(),
        at: Some(time::timestamp(about.at)),
        known_at: Some(time::timestamp(about.known_at)),
        plugin_digest: segmentation.plugin_digest.clone(),
        ..because
    }
}

/// The id of a transition: a UUID of version 8 that holds the number of the evaluation, whether it is a move, and a hash of what
/// it says. A replay gives the same one, and of several at one moment of a clock that stands still the last one is the greatest:
/// what an evaluation corrects comes before the moves that it finds.
fn transition_id(segmentation: &SegmentationRow, about: &decide::Move<'_>, to: &Standing) -> Uuid {
    let mut said = Vec::with_capacity(128);
    said.extend_from_slice(&about.uid.0.to_be_bytes());
    said.extend_from_slice(&about.at.0.to_be_bytes());
    said.extend_from_slice(&about.known_at.0.to_be_bytes());
    said.extend_from_slice(&about.cursor.to_be_bytes());
    said.extend_from_slice(&i32::from(to.state).to_be_bytes());
    for text in [
        &segmentation.key,
        &*segmentation.version.to_string(),
        &to.segment,
    ] {
        said.extend_from_slice(text.as_bytes());
        said.push(0);
    }
    let is_move = u128::from(about.told == Told::Move) << MOVE_BIT;
    let order = u128::from(about.order) << ORDER_BIT;
    let hash = PayloadHash::of(&said).0 >> (u128::BITS - ORDER_BIT);
    Uuid::new_v8((u128::from(about.cursor) << CURSOR_BIT | is_move | order | hash).to_be_bytes())
}

#[cfg(test)]
mod tests;
