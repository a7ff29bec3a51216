//! Accounts on their way over past closes: what their transitions say with all that is known now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sextant_domain::id::{AccountUid, TenantId};
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{Date, ErrorReason};
use sextant_proto::scoring::v1 as scoring;
use sextant_store::port::TransitionRow;
use sextant_wire::read::{uid_bytes, uuid};
use sextant_wire::status::Problem;
use sextant_wire::time;

use crate::decide;
use crate::evaluate::Evaluation;
use crate::state::{self, Present, Standing};

/// Accounts with facts that past closes did not know.
#[derive(Debug, Default)]
pub(crate) struct Late {
    /// Day of the earliest of those facts.
    pub(crate) since: BTreeMap<AccountUid, Day>,
    /// The closes that they touch, and the last one that they do not touch.
    pub(crate) closes: BTreeSet<Day>,
    /// True: those closes were made again, with what was known then, and replace what was told of them.
    pub(crate) restated: bool,
}

impl Late {
    /// Reads what entries of scoring's feed tell.
    pub(crate) fn read(
        accounts: &[scoring::LateAccount],
        closes: &[Date],
        restated: bool,
    ) -> Result<Self, Problem> {
        let mut late = Self {
            since: BTreeMap::new(),
            closes: closes.iter().map(time::day).collect::<Result<_, _>>()?,
            restated,
        };
        let missing = || Problem::new(ErrorReason::Internal, "a late account has no day");
        for account in accounts {
            let uid = AccountUid(uuid(&account.account_uid, "account_uid")?);
            let told = time::day(account.since.as_ref().ok_or_else(missing)?)?;
            let since = late.since.entry(uid).or_insert(told);
            *since = told.min(*since);
        }
        Ok(late)
    }

    /// Asks for features of these accounts as of the closes, as an evaluation knows them.
    pub(crate) fn request(
        &self,
        tenant: TenantId,
        evaluation: &Evaluation,
        uids: &[AccountUid],
    ) -> scoring::ReadColumnsRequest {
        let late = uids.iter().map(|uid| scoring::LateAccount {
            account_uid: uid_bytes(*uid),
            since: self.since.get(uid).copied().map(time::date),
        });
        scoring::ReadColumnsRequest {
            tenant_id: tenant.0.to_be_bytes().to_vec().into(),
            slice: evaluation.slice.0.into(),
            late: late.collect(),
            late_closes: self.closes.iter().copied().map(time::date).collect(),
            restated: self.restated,
            as_of: Some(time::timestamp(evaluation.as_of)),
            facts_sequence: evaluation.facts_sequence,
            ..scoring::ReadColumnsRequest::default()
        }
    }
}

/// How an account stands from a moment on.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) at: Instant,
    pub(crate) present: Present,
    /// What is stored of this moment.
    pub(crate) stored: Option<Present>,
    /// Found by this walk.
    pub(crate) is_new: bool,
}

impl Step {
    fn stored(row: TransitionRow) -> Self {
        let told = decide::decode(&row.transition).and_then(|one| one.entered_at);
        let entered_at = told.and_then(|at| time::instant(&at).ok());
        let present = Present {
            standing: Standing::new(state::state(row.to_state), &row.to_segment),
            entered_at: entered_at.unwrap_or(row.at),
            at_close: None,
            transition: row.transition.into(),
        };
        Self {
            at: row.at,
            stored: Some(present.clone()),
            present,
            is_new: false,
        }
    }
}

/// Some accounts on their way over the closes.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Of each segmentation (by number) and account, as it is known now: one step for a moment, oldest first.
    pub(crate) steps: BTreeMap<(u16, AccountUid), Vec<Step>>,
    /// Steps at closes that are made again, as they are stored.
    old: Vec<((u16, AccountUid), Step)>,
    /// What they were worth at the close before.
    pub(crate) worth: HashMap<AccountUid, i64>,
}

/// The newest step up to a moment.
pub(crate) fn newest(steps: &[Step], at: Instant) -> Option<&Step> {
    let begun = steps.partition_point(|step| step.at <= at);
    begun.checked_sub(1).and_then(|newest| steps.get(newest))
}

impl Walk {
    /// Begins where the stored transitions, by (at, id) of each account in a segmentation, say that accounts are.
    pub(crate) fn new(rows: Vec<TransitionRow>) -> Self {
        let mut walk = Self::default();
        for row in rows {
            walk.put(row.segmentation, row.uid, Step::stored(row));
        }
        walk
    }

    /// Begins the same without what is stored of closes that are made again, given by their moments: it is replaced.
    pub(crate) fn again(rows: Vec<TransitionRow>, made_again: &BTreeSet<Instant>) -> Self {
        let mut walk = Self::new(rows);
        for (key, steps) in &mut walk.steps {
            let (old, kept) = std::mem::take(steps)
                .into_iter()
                .partition(|step| made_again.contains(&step.at));
            *steps = kept;
            let old: Vec<Step> = old;
            walk.old.extend(old.into_iter().map(|step| (*key, step)));
        }
        walk
    }

    /// Ends the walk: where an account was told to move at a close that was made again, and does not, it stands as before.
    pub(crate) fn ended(mut self) -> BTreeMap<(u16, AccountUid), Vec<Step>> {
        for ((segmentation, uid), old) in std::mem::take(&mut self.old) {
            let steps = self.steps.entry((segmentation, uid)).or_default();
            let place = steps.partition_point(|other| other.at < old.at);
            match steps.get_mut(place) {
                Some(other) if other.at == old.at => other.stored = old.stored,
                _ => {
                    let before = place.checked_sub(1).and_then(|place| steps.get(place));
                    let (present, is_new) = match before {
                        Some(before) => (before.present.clone(), true),
                        None => (old.present, false),
                    };
                    let step = Step {
                        at: old.at,
                        present,
                        stored: old.stored,
                        is_new,
                    };
                    steps.insert(place, step);
                },
            }
        }
        self.steps
    }

    pub(crate) fn at(&self, segmentation: u16, uid: AccountUid, at: Instant) -> Option<&Present> {
        let steps = self.steps.get(&(segmentation, uid))?;
        newest(steps, at).map(|step| &step.present)
    }

    /// How an account stands at a close, where that has not to be found out again: that it did not move at that close was true
    /// only of what was known of the closes before.
    pub(crate) fn at_close(
        &self,
        segmentation: u16,
        uid: AccountUid,
        end: Instant,
    ) -> Option<&Standing> {
        let steps = self.steps.get(&(segmentation, uid))?;
        let step = newest(steps, end)?;
        let stays = step.at == end && step.present.entered_at < end;
        (!stays).then_some(&step.present.standing)
    }

    /// Adds a step, instead of one at the same moment.
    pub(crate) fn put(&mut self, segmentation: u16, uid: AccountUid, mut step: Step) {
        let steps = self.steps.entry((segmentation, uid)).or_default();
        let place = steps.partition_point(|other| other.at < step.at);
        match steps.get_mut(place) {
            Some(other) if other.at == step.at => {
                step.stored = step.stored.or_else(|| other.stored.take());
                *other = step;
            },
            _ => steps.insert(place, step),
        }
    }
}
