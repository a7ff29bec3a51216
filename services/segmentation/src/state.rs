//! What segmentation keeps of one tenant in memory. Everything in it can be read back from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use tokio::sync::OnceCell;
use tracing::warn;

use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::money::Currency;
use sextant_domain::time::{Day, Instant, Zone};
use sextant_plugin_host::{Bound, Segmenter, State};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;
use sextant_store::port::{self, MembershipRow, SegmentationRow};
use sextant_wire::status::Problem;

use crate::decide::decode;
use crate::evaluate::Which;
use crate::fitting::fit_of;
use crate::registry::{instance, segment_definition};

/// What an entry of a tenant's state takes, about.
const BYTES_OF_ENTRY: u64 = 100;

/// A segmentation and the segmenter behind it.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) row: SegmentationRow,
    /// Or why there is none: it is not loaded, or does not take the configuration any more.
    segmenter: Result<(Segmenter, Arc<Bound>), Problem>,
    /// The segments that accounts are in which it has not judged yet, if somebody knows.
    before: Arc<[pb::SegmentDefinition]>,
}

/// A segmentation whose segmenter can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usable<'u> {
    pub(crate) row: &'u SegmentationRow,
    pub(crate) segmenter: &'u Segmenter,
    pub(crate) instance: &'u Bound,
}

impl Use {
    /// A segmentation with its segmenter, if that can be asked. May wait for another process: not for threads of the runtime.
    pub(crate) fn new(
        mut row: SegmentationRow,
        segmenter: Result<(Segmenter, Option<State>), Problem>,
    ) -> Self {
        let segmenter = segmenter.and_then(|(segmenter, state)| {
            let bound = instance(&segmenter, &row.config, state.as_ref())?;
            Ok((segmenter, Arc::new(bound)))
        });
        match &segmenter {
            // A built-in one is that of the program, whichever it was when the segmentation was made.
            Ok((segmenter, _)) => row.plugin_digest = segmenter.digest_hex(),
            Err(problem) => {
                let (segmentation, problem) = (&row.key, &problem.message);
                warn!(segmentation, problem, "a segmentation cannot be evaluated");
            },
        }
        Self {
            row,
            segmenter,
            before: Arc::default(),
        }
    }

    /// Its segments; nothing where its segmenter cannot be asked.
    pub(crate) fn segments(&self) -> Option<Vec<pb::SegmentDefinition>> {
        let segments = &self.usable()?.instance.descriptor().segments;
        Some(segments.iter().map(segment_definition).collect())
    }

    /// Bytes of what its segmenter answers from.
    fn learned_bytes(&self) -> u64 {
        fit_of(&self.row.fit).map_or(0, |fit| fit.state_bytes)
    }

    /// The segmentation, if its segmenter can be asked.
    pub(crate) fn usable(&self) -> Option<Usable<'_>> {
        let (segmenter, instance) = self.segmenter.as_ref().ok()?;
        Some(Usable {
            row: &self.row,
            segmenter,
            instance,
        })
    }

    /// True: its segmenter was lost while it was to be asked for the first time, and may be there again; or it has to be made anew.
    fn is_lost(&self) -> bool {
        let problem = self.segmenter.as_ref().err();
        problem.is_some_and(|problem| problem.reason == ErrorReason::Unavailable)
            || self.is_poisoned()
    }

    /// True: the segmenter has failed so, by a panic for one, that this instance of it cannot be asked again.
    fn is_poisoned(&self) -> bool {
        self.usable().is_some_and(|one| one.instance.is_poisoned())
    }
}

/// A segmentation that is behind its slice.
#[derive(Debug, Clone)]
pub(crate) struct Behind {
    /// The last entry of scoring's feed that it has taken in.
    pub(crate) cursor: u64,
    /// Why it is behind.
    pub(crate) problem: Problem,
}

/// How an account stands to a segmentation: the key of its segment, or none for other states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: MembershipState,
    pub(crate) segment: Arc<str>,
}

impl Standing {
    pub(crate) fn new(state: MembershipState, segment: &str) -> Self {
        Self {
            state,
            segment: segment.into(),
        }
    }

    /// The segment, for a member.
    pub(crate) fn member_of(&self) -> Option<&str> {
        (self.state == MembershipState::Member).then_some(&self.segment)
    }
}

/// The present membership of an account in a segmentation.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) standing: Standing,
    pub(crate) entered_at: Instant,
    /// At the last close; `None` before the first.
    pub(crate) at_close: Option<Standing>,
    /// The encoded transition that led here.
    pub(crate) transition: Arc<[u8]>,
    /// Why it could not be judged anew, if it could not.
    pub(crate) trouble: Option<Arc<str>>,
}

/// An account by its names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) id: Arc<str>,
    pub(crate) name: Box<str>,
}

/// How far one slice has got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Newest entry of scoring's feed that is taken in.
    pub(crate) cursor: u64,
    /// Newest ingestion entry in it.
    pub(crate) facts_sequence: u64,
    /// The same while imported history is being evaluated, too.
    pub(crate) told_facts: u64,
    /// The last day that was closed.
    pub(crate) closed_on: Option<Day>,
    /// Commits of the slice until now.
    pub(crate) version: u64,
    /// True: imported history is still being evaluated.
    pub(crate) backfilling: bool,
    /// Own time of the newest fact.
    pub(crate) watermark: Option<Instant>,
    /// The moment of the last evaluation.
    pub(crate) as_of: Option<Instant>,
    /// When the newest of what was evaluated became known; `None`: nothing was since the tenant was loaded.
    pub(crate) known_at: Option<Instant>,
    /// Versions of the models behind the features of the last evaluation.
    pub(crate) model_versions: Vec<String>,
    /// True: it is stored and told that segmentations are behind.
    pub(crate) leaves_behind: bool,
}

impl Progress {
    /// False: it is at the beginning of the feed, where there are no accounts, or evaluates imported history, whose closes are of all.
    pub(crate) fn is_of_accounts(&self) -> bool {
        self.cursor > 0 && !self.backfilling
    }
}

/// One tenant.
#[derive(Debug)]
pub(crate) struct TenantState {
    pub(crate) tenant: TenantId,
    pub(crate) zone: Zone,
    pub(crate) base_currency: Currency,
    /// Slices that accounts are spread over. Only those that something is known of are in `slices`.
    pub(crate) n_slices: u16,
    pub(crate) uses: Vec<Use>,
    /// The state of the catalogue that says which segmenters may be asked.
    pub(crate) edition: u64,
    pub(crate) slices: BTreeMap<Slice, Progress>,
    pub(crate) names: HashMap<AccountUid, Names>,
    /// The accounts with names by external id, in the order of lists.
    pub(crate) uids: BTreeMap<Arc<str>, AccountUid>,
    /// By number of the segmentation.
    pub(crate) present: HashMap<u16, BTreeMap<AccountUid, Present>>,
    /// The segmentations (by number) that were evaluated over all accounts of a slice: those that have a membership there, and
    /// where a slice has no accounts those that were evaluated since the tenant was loaded.
    pub(crate) begun: BTreeSet<(Slice, u16)>,
    /// By which version of a segmentation (by number) all accounts of a slice are judged.
    pub(crate) judged: BTreeMap<(Slice, u16), u32>,
    /// The segmentations (by number) that are behind the slice. The others go on without them.
    pub(crate) behind: BTreeMap<(Slice, u16), Behind>,
    /// Why those were behind that have missed nothing any more, until they are evaluated over all accounts.
    pub(crate) retried: BTreeMap<(Slice, u16), Problem>,
    /// What accounts were worth at the last close of their slice, which a downward move puts at risk. A slice is absent until
    /// it is asked for: scoring answers the same for a close at any time.
    pub(crate) worth: BTreeMap<Slice, HashMap<AccountUid, i64>>,
    /// Features of the present, until something changes.
    pub(crate) table: Arc<OnceCell<Arc<Vec<RecordBatch>>>>,
}

impl TenantState {
    /// About what it holds, in accounts, memberships, rows of features and amounts.
    pub(crate) fn size(&self) -> u64 {
        let n_present: usize = self.present.values().map(BTreeMap::len).sum();
        let table = self.table.get().into_iter().flat_map(|table| table.iter());
        let n_rows: usize = table.map(RecordBatch::num_rows).sum();
        let n_worth: usize = self.worth.values().map(HashMap::len).sum();
        let learned: u64 = self.uses.iter().map(Use::learned_bytes).sum();
        (self.names.len() + n_present + n_rows + n_worth) as u64 + learned / BYTES_OF_ENTRY
    }

    /// A segmentation by key.
    pub(crate) fn by_key(&self, key: &str) -> Option<&Use> {
        self.uses.iter().find(|one| one.row.key == key)
    }

    /// A segmentation by number.
    pub(crate) fn by_number(&self, number: u16) -> Option<&Use> {
        self.uses.iter().find(|one| one.row.number == number)
    }

    /// True: an instance of a segmenter cannot be asked again.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.uses.iter().any(Use::is_poisoned)
    }

    /// The segmentations whose segmenters were lost.
    pub(crate) fn lost(&self) -> Vec<SegmentationRow> {
        let lost = self.uses.iter().filter(|one| one.is_lost());
        lost.map(|one| one.row.clone()).collect()
    }

    /// The segments that accounts are in by the version that has judged them all; nothing where nobody knows.
    pub(crate) fn segments_judged(&self, one: &Use) -> Arc<[pb::SegmentDefinition]> {
        if self.judged_by(one) == one.row.version {
            one.segments().unwrap_or_default().into()
        } else {
            Arc::clone(&one.before)
        }
    }

    /// Takes over segmentations that are new, or that something else decides.
    pub(crate) fn take_uses(&mut self, uses: Vec<Use>) {
        for mut one in uses {
            if let Some(known) = self.by_key(&one.row.key) {
                one.before = self.segments_judged(known);
            }
            self.uses.retain(|known| known.row.key != one.row.key);
            self.decided_anew(one.row.number);
            self.uses.push(one);
        }
        self.uses
            .sort_by(|left, right| left.row.key.cmp(&right.row.key));
    }

    /// Takes segmentations over whose segmenters were lost before.
    pub(crate) fn found(&mut self, found: Vec<Use>) {
        for mut one in found {
            let known = self
                .uses
                .iter_mut()
                .find(|known| known.row.key == one.row.key);
            if let Some(known) = known.filter(|known| known.is_lost()) {
                one.before = Arc::clone(&known.before);
                *known = one;
            }
        }
    }

    /// Takes over which segmenters may be asked: of one that may not be asked any more it is said why, and one that may be asked
    /// again is looked for.
    pub(crate) fn take_permissions(
        &mut self,
        allows: impl Fn(&SegmentationRow) -> Result<(), Problem>,
    ) {
        for one in &mut self.uses {
            match (allows(&one.row), &one.segmenter) {
                (Err(problem), _) => one.segmenter = Err(problem),
                (Ok(()), Err(before)) if before.reason != ErrorReason::ConfigInvalid => {
                    let message = "its segmenter is being loaded";
                    one.segmenter = Err(Problem::new(ErrorReason::Unavailable, message));
                },
                (Ok(()), _) => {},
            }
        }
    }

    /// A segmentation is decided by something else: all accounts have to be judged by that, and what it was behind with is of the
    /// past.
    pub(crate) fn decided_anew(&mut self, number: u16) {
        let slices: Vec<Slice> = self.slices.keys().copied().collect();
        for slice in slices {
            self.has_made_up((slice, number));
        }
    }

    /// True: a segmentation that is not behind has still to be evaluated over all accounts of the slice.
    pub(crate) fn is_unbegun(&self, slice: Slice) -> bool {
        let progress = self.slices.get(&slice);
        progress.is_some_and(Progress::is_of_accounts)
            && self.meant(slice, Which::Unbegun).next().is_some()
    }

    /// The slices in which a segmentation has still to be evaluated over all accounts.
    pub(crate) fn unbegun(&self) -> Vec<Slice> {
        let slices = self.slices.keys().copied();
        slices.filter(|slice| self.is_unbegun(*slice)).collect()
    }

    /// The segmentations that an evaluation of a slice is of, each with its place.
    pub(crate) fn meant(
        &self,
        slice: Slice,
        which: Which,
    ) -> impl Iterator<Item = (usize, Usable<'_>)> {
        let uses = self.uses.iter().enumerate();
        let usable = uses.filter_map(|(index, one)| Some((index, one.usable()?)));
        usable.filter(move |(_, one)| {
            let key = (slice, one.row.number);
            let is_behind = self.behind.contains_key(&key);
            match which {
                Which::All => !is_behind,
                Which::Unbegun => !is_behind && !self.begun.contains(&key),
                Which::Behind(number) => is_behind && one.row.number == number,
            }
        })
    }

    /// The segmentations that are behind and can be asked, by slice.
    pub(crate) fn asked_again(&self) -> Vec<(Slice, u16)> {
        let usable = self.uses.iter().filter_map(Use::usable);
        let usable: BTreeSet<u16> = usable.map(|one| one.row.number).collect();
        let behind = self.behind.keys().copied();
        behind.filter(|(_, one)| usable.contains(one)).collect()
    }

    /// How many segmentations can be asked again, and how far they are together.
    pub(crate) fn made_up(&self) -> (usize, u64) {
        let again = self.asked_again();
        let behind = again.iter().filter_map(|key| self.behind.get(key));
        (again.len(), behind.map(|behind| behind.cursor).sum())
    }

    /// True: something has still to be evaluated over all accounts, or to be made up for.
    pub(crate) fn has_open(&self) -> bool {
        !self.unbegun().is_empty()
            || !self.asked_again().is_empty()
            || self.uses.iter().any(Use::is_lost)
    }

    /// Segmentations with accounts that could not be judged are evaluated once more after a load: their segmenters may be other ones.
    pub(crate) fn doubt_troubled(&mut self, slice: Slice) {
        let n_slices = self.n_slices;
        let of_slice = |uid: &AccountUid| {
            let id = self.names.get(uid).map(|names| &*names.id);
            let id = id.and_then(|id| ExternalId::parse(id).ok());
            id.is_none_or(|id| Slice::of_account(&id, n_slices) == slice)
        };
        let troubled = self.present.iter().filter(|(_, present)| {
            let mut present = present.iter();
            present.any(|(uid, one)| one.trouble.is_some() && of_slice(uid))
        });
        let troubled: Vec<u16> = troubled.map(|(number, _)| *number).collect();
        for number in troubled {
            self.begun.remove(&(slice, number));
        }
    }

    /// Takes up which segmentations were behind.
    pub(crate) fn recall_behind(&mut self, slice: Slice, stored: &[port::Behind]) {
        let reached = self
            .slices
            .get(&slice)
            .map_or(0, |progress| progress.cursor);
        for one in stored {
            let key = (slice, one.segmentation);
            let has_missed = one.cursor < reached;
            let message = if has_missed {
                "its segmenter failed or was missing; it is being asked again"
            } else {
                "it is still to be evaluated over all accounts"
            };
            let problem = Problem::new(ErrorReason::Unavailable, message);
            let behind = Behind {
                cursor: one.cursor,
                problem,
            };
            self.behind.insert(key, behind);
            if !has_missed {
                self.has_made_up(key);
            }
        }
    }

    /// A segmentation has missed nothing any more: what is left is to evaluate it over all accounts.
    pub(crate) fn has_made_up(&mut self, key: (Slice, u16)) {
        self.begun.remove(&key);
        if let Some(behind) = self.behind.remove(&key) {
            self.retried.insert(key, behind.problem);
        }
    }

    /// Whether a segmentation is behind, or was and was not evaluated over all accounts since.
    pub(crate) fn is_behind(&self, key: &(Slice, u16)) -> bool {
        self.behind.contains_key(key) || self.retried.contains_key(key)
    }

    /// Why a segmentation is behind, in some slice.
    pub(crate) fn failure<'s>(&'s self, one: &'s Use) -> Option<&'s Problem> {
        let behind = self.behind.iter().map(|(key, one)| (key, &one.problem));
        let mut behind = behind.chain(&self.retried);
        let failed = behind.find(|((_, number), _)| *number == one.row.number);
        let failed = failed.map(|(_, problem)| problem);
        one.segmenter.as_ref().err().or(failed)
    }

    /// The same in words; empty: it is not behind.
    pub(crate) fn why_behind(&self, key: &str) -> String {
        let failure = self.by_key(key).and_then(|one| self.failure(one));
        failure.map_or(String::new(), |problem| problem.message.clone())
    }

    /// Leaves those behind whose segmenters cannot be asked.
    pub(crate) fn leave_unusable_behind(&mut self, slice: Slice) {
        let uses = self.uses.iter();
        let unusable: Vec<(u16, Problem)> = uses
            .filter_map(|one| Some((one.row.number, one.segmenter.as_ref().err()?.clone())))
            .collect();
        for (number, problem) in unusable {
            self.leave_behind(slice, number, problem);
        }
    }

    /// Leaves a segmentation behind that could not take in what its slice is about to.
    pub(crate) fn leave_behind(&mut self, slice: Slice, number: u16, problem: Problem) {
        let cursor = self
            .slices
            .get(&slice)
            .map_or(0, |progress| progress.cursor);
        self.retried.remove(&(slice, number));
        let behind = self.behind.entry((slice, number));
        behind
            .and_modify(|behind| behind.problem = problem.clone())
            .or_insert(Behind { cursor, problem });
    }

    /// The segmentations that are behind a slice, to be stored. One with memberships that has still to be evaluated over all
    /// accounts is behind, too: after a restart nobody else would know.
    pub(crate) fn behind_in(&self, slice: Slice, reached: u64) -> Vec<port::Behind> {
        let cursor = |number: u16| {
            let key = (slice, number);
            let is_known = self.present.contains_key(&number) || self.retried.contains_key(&key);
            let lags = !self.begun.contains(&key) && is_known;
            let behind = self.behind.get(&key).map(|behind| behind.cursor);
            behind.or_else(|| lags.then_some(reached))
        };
        let numbers = self.uses.iter().map(|one| one.row.number);
        let behind = numbers.filter_map(|segmentation| {
            let cursor = cursor(segmentation)?;
            Some(port::Behind {
                segmentation,
                cursor,
            })
        });
        behind.collect()
    }

    /// The keys of segmentations that are behind.
    pub(crate) fn keys_of(&self, behind: &[port::Behind]) -> Vec<String> {
        let uses = self.uses.iter().map(|one| &one.row);
        let behind = uses.filter(|row| {
            let mut numbers = behind.iter().map(|one| one.segmentation);
            numbers.any(|number| number == row.number)
        });
        behind.map(|row| row.key.clone()).collect()
    }

    /// Versions of the models behind what every slice has got to.
    pub(crate) fn model_versions(&self) -> &[String] {
        let behind = self.slices.values().min_by_key(|slice| slice.closed_on);
        behind.map_or(&[], |slice| &slice.model_versions)
    }

    /// Notes how an account is called.
    pub(crate) fn name(&mut self, uid: AccountUid, id: &str, name: &str) {
        let id: Arc<str> = id.into();
        let names = Names {
            id: Arc::clone(&id),
            name: name.into(),
        };
        let before = self.names.insert(uid, names);
        if let Some(before) = before.filter(|before| before.id != id) {
            self.uids.remove(&before.id);
        }
        self.uids.insert(id, uid);
    }

    /// The last day that is closed in every slice.
    pub(crate) fn closed_on(&self) -> Option<Day> {
        self.slices
            .values()
            .map(|slice| slice.closed_on)
            .min()
            .flatten()
    }

    /// True while imported history is being evaluated in any slice.
    pub(crate) fn is_backfilling(&self) -> bool {
        self.slices.values().any(|slice| slice.backfilling)
    }

    /// Own time of the newest fact.
    pub(crate) fn watermark(&self) -> Option<Instant> {
        self.slices
            .values()
            .filter_map(|slice| slice.watermark)
            .max()
    }

    /// The present membership of an account.
    pub(crate) fn present(&self, segmentation: u16, uid: AccountUid) -> Option<&Present> {
        self.present.get(&segmentation)?.get(&uid)
    }

    /// The present as it is stored.
    pub(crate) fn from_row(row: MembershipRow) -> (u16, AccountUid, Present) {
        let present = Present {
            standing: Standing::new(state(row.state), &row.segment),
            entered_at: row.entered_at,
            at_close: (row.close_state != 0)
                .then(|| Standing::new(state(row.close_state), &row.close_segment)),
            transition: row.transition.into(),
            trouble: (!row.trouble.is_empty()).then(|| row.trouble.into()),
        };
        (row.segmentation, row.uid, present)
    }

    /// Takes up a stored membership, and from its transition how the account is called.
    pub(crate) fn take_up(&mut self, slice: Slice, row: MembershipRow) {
        let (segmentation, uid, present) = Self::from_row(row);
        if let Some(transition) = decode(&present.transition) {
            let account = transition.account.unwrap_or_default();
            self.name(uid, &account.id, &transition.account_name);
        }
        self.begun.insert((slice, segmentation));
        let presents = self.present.entry(segmentation).or_default();
        presents.insert(uid, present);
    }

    /// The stored form of a present membership.
    pub(crate) fn to_row(segmentation: u16, uid: AccountUid, present: &Present) -> MembershipRow {
        let code = |standing: &Standing| u8::try_from(i32::from(standing.state)).unwrap_or(0);
        MembershipRow {
            segmentation,
            uid,
            state: code(&present.standing),
            segment: present.standing.segment.to_string(),
            entered_at: present.entered_at,
            close_state: present.at_close.as_ref().map_or(0, code),
            close_segment: present
                .at_close
                .as_ref()
                .map_or(String::new(), |standing| standing.segment.to_string()),
            transition: present.transition.to_vec(),
            trouble: present.trouble.as_deref().unwrap_or_default().to_owned(),
        }
    }
}

/// A state by its stored code.
pub(crate) fn state(code: u8) -> MembershipState {
    MembershipState::try_from(i32::from(code)).unwrap_or(MembershipState::Unspecified)
}
