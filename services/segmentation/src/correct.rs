//! Facts that came late: who was where as of past closes, with all that is known now. What was known then stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use prost::Message as _;
use tonic::Status;
use uuid::Uuid;

use sextant_columns::{ID_COLUMN, NAME_COLUMN};
use sextant_domain::feature::Moment;
use sextant_domain::id::AccountUid;
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{Date, ErrorReason};
use sextant_proto::scoring::v1 as scoring;
use sextant_proto::segmentation::v1 as pb;
use sextant_store::port::TransitionRow;
use sextant_wire::read::{uid_bytes, uuid};
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::columns;
use crate::decide;
use crate::engine::{Engine, Writing};
use crate::evaluate::{Changes, Evaluation, Failed, Grounds, call, failed, transition};
use crate::follower::AsOf;
use crate::state::{self, Names, Present, Standing, TenantState, Use};

/// Accounts that walk over the closes together: what is in memory for them at a time.
const MAX_ACCOUNTS: usize = 4_096;

/// Accounts with facts that past closes did not know.
#[derive(Debug, Default)]
pub(crate) struct Late {
    /// Day of the earliest of those facts.
    since: BTreeMap<AccountUid, Day>,
    /// The closes that they touch, and the last one that they do not touch.
    closes: BTreeSet<Day>,
}

impl Late {
    /// Reads what entries of scoring's feed tell.
    pub(crate) fn read(
        accounts: &[scoring::LateAccount],
        closes: &[Date],
    ) -> Result<Self, Problem> {
        let mut late = Self {
            since: BTreeMap::new(),
            closes: closes.iter().map(time::day).collect::<Result<_, _>>()?,
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
}

/// What a walk over past closes found.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    names: BTreeMap<AccountUid, Names>,
    presents: Vec<(u16, AccountUid, Present)>,
    changes: Changes,
}

/// How an account stands from a moment on.
#[derive(Debug)]
struct Step {
    at: Instant,
    present: Present,
    /// What is stored of this moment.
    stored: Option<Present>,
    /// Found by this walk.
    is_new: bool,
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
#[derive(Debug)]
struct Walk {
    /// Of each segmentation (by number) and account, as it is known now: one step for a moment, oldest first.
    steps: BTreeMap<(u16, AccountUid), Vec<Step>>,
    /// What they were worth at the close before.
    worth: HashMap<AccountUid, i64>,
}

/// A past close with all that is known now.
#[derive(Debug)]
struct Close {
    end: Instant,
    day: Day,
    /// The close before it.
    before: Option<(Day, Instant)>,
    tables: Vec<RecordBatch>,
    model_versions: Vec<String>,
}

fn newest(steps: &[Step], at: Instant) -> Option<&Step> {
    let begun = steps.partition_point(|step| step.at <= at);
    begun.checked_sub(1).and_then(|newest| steps.get(newest))
}

impl Walk {
    /// Begins where the stored transitions, by (at, id) of each account in a segmentation, say that accounts are.
    fn new(rows: Vec<TransitionRow>) -> Self {
        let mut walk = Self {
            steps: BTreeMap::new(),
            worth: HashMap::new(),
        };
        for row in rows {
            walk.put(row.segmentation, row.uid, Step::stored(row));
        }
        walk
    }

    fn at(&self, segmentation: u16, uid: AccountUid, at: Instant) -> Option<&Present> {
        let steps = self.steps.get(&(segmentation, uid))?;
        newest(steps, at).map(|step| &step.present)
    }

    /// How an account stands at a close, where that has not to be found out again: that it did not move at that close was true
    /// only of what was known of the closes before.
    fn at_close(&self, segmentation: u16, uid: AccountUid, end: Instant) -> Option<&Standing> {
        let steps = self.steps.get(&(segmentation, uid))?;
        let step = newest(steps, end)?;
        let stays = step.at == end && step.present.entered_at < end;
        (!stays).then_some(&step.present.standing)
    }

    /// Adds a step, instead of one at the same moment.
    fn put(&mut self, segmentation: u16, uid: AccountUid, mut step: Step) {
        let steps = self.steps.entry((segmentation, uid)).or_default();
        let place = steps.partition_point(|other| other.at < step.at);
        match steps.get_mut(place) {
            Some(other) if other.at == step.at => {
                step.stored = step.stored.or(other.stored.take());
                *other = step;
            },
            _ => steps.insert(place, step),
        }
    }
}

impl TenantState {
    fn names_of<'a>(&'a self, uid: AccountUid, found: &'a Corrections) -> Option<&'a Names> {
        self.names.get(&uid).or_else(|| found.names.get(&uid))
    }

    /// Evaluates a past close again for the accounts that have late facts up to it.
    fn correct_close(
        &self,
        (walk, found): (&mut Walk, &mut Corrections),
        late: &Late,
        close: &Close,
        evaluation: &Evaluation,
    ) -> Result<(), Failed> {
        for table in &close.tables {
            let mut uids = sextant_columns::uids(table);
            let mut rows = Vec::with_capacity(uids.len());
            for (row, uid) in uids.iter().enumerate() {
                if late.since.get(uid).is_some_and(|since| *since <= close.day) {
                    rows.push(row);
                }
                if !self.names.contains_key(uid) {
                    let text = |column| sextant_columns::text(table, column, row);
                    let names = Names {
                        id: text(ID_COLUMN).unwrap_or_default().into(),
                        name: text(NAME_COLUMN).unwrap_or_default().into(),
                    };
                    found.names.insert(*uid, names);
                }
            }
            uids = rows.iter().map(|row| uids[*row]).collect();
            let table = columns::rows(table, &rows)?;
            let began_before = |one: &&Use| one.row.closed_on < Some(close.day);
            for one in self.uses.iter().filter(began_before) {
                self.correct_one(one, (walk, found), close, (&table, &uids), evaluation)?;
            }
        }
        walk.worth = decide::worth(&close.tables);
        Ok(())
    }

    fn correct_one(
        &self,
        one: &Use,
        (walk, found): (&mut Walk, &Corrections),
        close: &Close,
        (table, uids): (&RecordBatch, &[AccountUid]),
        evaluation: &Evaluation,
    ) -> Result<(), Failed> {
        let (number, descriptor) = (one.row.number, one.plugin.descriptor());
        let before = close
            .before
            .filter(|(day, _)| one.row.closed_on < Some(*day));
        let previous = uids.iter().map(|uid| {
            let (_, end) = before?;
            walk.at(number, *uid, end)?.standing.member_of()
        });
        let input = columns::with_previous(table, previous)?;
        let tenant = Uuid::from_u128(self.tenant.0).to_string();
        let call = call(&tenant, close.end);
        let answers = one.instance.segment(&input, &call);
        let answers = answers.map_err(|error| failed(one, &error))?;
        let moved = decide::moved(descriptor, &answers, |row| {
            walk.at_close(number, uids[row], close.end)
        });
        let rows: Vec<usize> = moved.iter().map(|(row, _)| *row).collect();
        let grounds = Grounds::of(one, columns::rows(&input, &rows)?, &call)?;
        let model_version = decide::models_read(descriptor, &close.model_versions);
        for (at, (row, standing)) in moved.into_iter().enumerate() {
            let uid = uids[row];
            let Some(names) = self.names_of(uid, found) else {
                continue;
            };
            let before = walk.at(number, uid, close.end.plus_us(-1));
            let worth = walk.worth.get(&uid).copied();
            let because = pb::Transition {
                model_version: model_version.clone(),
                ..grounds.because(one, at, before, &standing, worth)
            };
            let about = about(uid, names, close.end, evaluation);
            let transition = transition(one, &about, before, &standing, because);
            let step = Step {
                at: close.end,
                present: Present {
                    standing,
                    entered_at: close.end,
                    at_close: None,
                    transition: transition.encode_to_vec().into(),
                },
                stored: None,
                is_new: true,
            };
            walk.put(number, uid, step);
        }
        Ok(())
    }

    /// Notes what has to be stored of a walk that ended at a close.
    fn settle(&self, walk: Walk, end: Instant, evaluation: &Evaluation, found: &mut Corrections) {
        for ((number, uid), steps) in walk.steps {
            let one = self.uses.iter().find(|one| one.row.number == number);
            let first = steps.iter().position(|step| step.is_new);
            let names = self.names_of(uid, found).cloned();
            let (Some(one), Some(first), Some(names)) = (one, first, names) else {
                continue;
            };
            let at_close = newest(&steps, end).map(|step| step.present.standing.clone());
            let mut steps = steps.into_iter();
            let mut present = None;
            for step in steps.by_ref().take(first) {
                present = Some(step.present);
            }
            for step in steps {
                let about = about(uid, &names, step.at, evaluation);
                present = Some(settled(
                    one,
                    &about,
                    present.as_ref(),
                    step,
                    &mut found.changes,
                ));
            }
            if let Some(present) = present {
                found.presents.push((
                    number,
                    uid,
                    Present {
                        at_close,
                        ..present
                    },
                ));
            }
        }
    }

    /// Takes over what a walk found; returns what has to be stored of it.
    pub(crate) fn take_over(&mut self, found: Corrections) -> Changes {
        let mut changes = found.changes;
        for (uid, names) in found.names {
            self.learn_name(uid, &names.id, &names.name, &mut changes);
        }
        for (number, uid, present) in found.presents {
            let row = Self::to_row(number, uid, &present);
            changes.memberships.push(row);
            self.present.entry(number).or_default().insert(uid, present);
        }
        changes
    }
}

fn about<'a>(
    uid: AccountUid,
    names: &'a Names,
    at: Instant,
    evaluation: &Evaluation,
) -> decide::Move<'a> {
    decide::Move {
        uid,
        id: &names.id,
        name: &names.name,
        at,
        known_at: evaluation.known_at,
        cursor: evaluation.cursor,
    }
}

/// A step as it is after those before it have changed. Where an account turns out to have stood so before already, it did not
/// move, and stands so since then and for the reasons of then. A stored step stays as it is unless that has changed.
fn settled(
    one: &Use,
    about: &decide::Move<'_>,
    before: Option<&Present>,
    step: Step,
    changes: &mut Changes,
) -> Present {
    let standing = step.present.standing.clone();
    let stays = before.filter(|before| before.standing == standing);
    let entered_at = stays.map_or(step.at, |stays| stays.entered_at);
    let is_stored =
        |stored: &Present| stored.standing == standing && stored.entered_at == entered_at;
    if let Some(stored) = step.stored.filter(is_stored) {
        return stored;
    }
    let grounds = stays.map_or(&step.present.transition, |stays| &stays.transition);
    let grounds = decide::decode(grounds).unwrap_or_default();
    let from = before.map(|before| &before.standing);
    let because = pb::Transition {
        downward: decide::is_downward(one.plugin.descriptor(), from, &standing),
        reasons: grounds.reasons,
        value_minor: grounds.value_minor,
        model_version: grounds.model_version,
        correction: true,
        entered_at: stays.map(|stays| time::timestamp(stays.entered_at)),
        ..pb::Transition::default()
    };
    let transition = transition(one, about, before, &standing, because);
    Present {
        entered_at,
        at_close: None,
        transition: changes.record(one.row.number, about, &standing, &transition),
        standing,
    }
}

impl Engine {
    /// Evaluates the closes again that late facts touch, from each account's first one up to the last: what is damped depends on
    /// the close before. Changes nothing; accounts without late facts cost nothing.
    pub(crate) async fn correct(
        &self,
        mut writing: Writing,
        evaluation: &Evaluation,
        late: Late,
    ) -> Result<(Writing, Corrections), Status> {
        let mut found = Corrections::default();
        let known = writing.as_ref().filter(|state| !state.uses.is_empty());
        let known = known.map(|state| (state.tenant, state.zone.clone()));
        let (Some((tenant, zone)), Some(last)) = (known, late.closes.last()) else {
            return Ok((writing, found));
        };
        let end_of = |day: Day| Moment::close(day, &zone).as_of;
        let end = end_of(*last);
        let uids: Vec<AccountUid> = late.since.keys().copied().collect();
        let late = Arc::new(late);
        for uids in uids.chunks(MAX_ACCOUNTS) {
            let rows = self
                .memberships
                .histories(tenant, uids)
                .await
                .map_err(store)?;
            let mut walk = Walk::new(rows);
            let mut before = None;
            for day in &late.closes {
                // Of the close before its first one an account needs what it was worth then.
                let next = late.closes.range(day.plus(1)..).next().unwrap_or(day);
                let touched = uids.iter().filter(|uid| late.since.get(uid) <= Some(next));
                let touched: Vec<Bytes> = touched.map(|uid| uid_bytes(*uid)).collect();
                if !touched.is_empty() {
                    let as_of = AsOf::CloseKnownNow(*day);
                    let (tables, model_versions) = self
                        .read_columns(tenant, evaluation.slice, as_of, touched)
                        .await?;
                    let close = Close {
                        end: end_of(*day),
                        day: *day,
                        before: before.map(|day| (day, end_of(day))),
                        tables,
                        model_versions,
                    };
                    let (late, evaluation) = (Arc::clone(&late), evaluation.clone());
                    (writing, walk, found) = self
                        .blocking(move || {
                            let state = writing.as_ref().ok_or_else(being_loaded)?;
                            let mut walk = walk;
                            let mut found = found;
                            state.correct_close(
                                (&mut walk, &mut found),
                                &late,
                                &close,
                                &evaluation,
                            )?;
                            Ok((writing, walk, found))
                        })
                        .await?;
                }
                before = Some(*day);
            }
            if let Some(state) = writing.as_ref() {
                state.settle(walk, end, evaluation, &mut found);
            }
        }
        Ok((writing, found))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Status> {
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(|_panicked| {
            Problem::new(ErrorReason::Internal, "past closes could not be evaluated")
        })?;
        Ok(done.map_err(|failed| failed.counted(&self.meters))?)
    }
}

fn being_loaded() -> Failed {
    Problem::new(
        ErrorReason::Unavailable,
        "the tenant is being loaded again; try again",
    )
    .into()
}
