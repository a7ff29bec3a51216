//! Facts that came late: who was where as of past closes, with all that is known now. What was known then stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures_util::StreamExt;
use prost::Message as _;
use tonic::Status;
use uuid::Uuid;

use sextant_columns::{ID_COLUMN, NAME_COLUMN};
use sextant_domain::feature::Moment;
use sextant_domain::id::AccountUid;
use sextant_domain::time::{Day, Instant};
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::follow::patient;
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::columns;
use crate::decide;
use crate::engine::Engine;
use crate::evaluate::{Changes, Evaluation, Failed, Which, transition};
use crate::follower::decoded;
use crate::grounds::{self, Began, Grounds, LONGEST_OF_REASONS, call};
use crate::settle::{ALL_KNOWLEDGE, about};
use crate::state::{Names, Present, TenantState, Usable};
use crate::tenant::Writing;
use crate::walk::{Late, Step, Walk, Way};

/// Accounts that walk over the closes together: what is in memory for them at a time.
const MAX_ACCOUNTS: usize = 4_096;

/// What walks over past closes found.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    names: BTreeMap<AccountUid, Names>,
    /// Where a walk found something else than is stored: of each segmentation (by number) and account its whole way.
    walked: BTreeMap<(u16, AccountUid), Way>,
    /// The last close that they passed.
    end: Option<Instant>,
    /// The closes among them that were made again: what is found there was known then.
    made_again: BTreeSet<Instant>,
    /// Segmentations (by number) whose segmenters failed: of them nothing is kept.
    pub(crate) failed: BTreeMap<u16, Failed>,
    /// How long reasons of segmentations (by number) are still waited for.
    patience: BTreeMap<u16, Duration>,
    /// When the newest facts became known that can be in what they saw, where they are newer than those of the evaluation.
    pub(crate) known_at: Option<Instant>,
}

/// What corrections of the past come to.
#[derive(Debug)]
pub(crate) struct Settled {
    names: BTreeMap<AccountUid, Names>,
    /// How accounts stand after them, by segmentation (its number).
    pub(crate) present: BTreeMap<(u16, AccountUid), Present>,
    /// What has to be stored of it.
    changes: Changes,
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

impl TenantState {
    fn names_of<'a>(
        &'a self,
        uid: AccountUid,
        found: &'a BTreeMap<AccountUid, Names>,
    ) -> Option<&'a Names> {
        self.names.get(&uid).or_else(|| found.get(&uid))
    }

    /// Evaluates a past close again for the accounts that have late facts up to it.
    fn correct_close(
        &self,
        (walk, found): (&mut Walk, &mut Corrections),
        late: &Late,
        close: &Close,
        (evaluation, which): (&Evaluation, Which),
    ) -> Result<(), Problem> {
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
            let meant = self.meant(evaluation.slice, which);
            for (_, one) in meant.filter(|(_, one)| one.row.closed_on < Some(close.day)) {
                let number = one.row.number;
                if found.failed.contains_key(&number) {
                    continue;
                }
                let corrected =
                    self.correct_one(one, (walk, found), close, (&table, &uids), evaluation);
                if let Err(failed) = corrected {
                    found.failed.insert(number, failed);
                }
            }
        }
        walk.worth.extend(decide::worth(&close.tables));
        Ok(())
    }

    fn correct_one(
        &self,
        one: Usable<'_>,
        (walk, found): (&mut Walk, &mut Corrections),
        close: &Close,
        (table, uids): (&RecordBatch, &[AccountUid]),
        evaluation: &Evaluation,
    ) -> Result<(), Failed> {
        let (number, descriptor) = (one.row.number, one.instance.descriptor());
        let before = close
            .before
            .filter(|(day, _)| one.row.closed_on < Some(*day));
        let previous = uids.iter().map(|uid| {
            let (_, end) = before?;
            let present = walk.at((number, *uid), end, close.end)?;
            present.standing.member_of()
        });
        let input = columns::with_previous(table, previous)?;
        let tenant = Uuid::from_u128(self.tenant.0).to_string();
        let call = call(&tenant, close.end);
        let answers = grounds::answers(one, &input, &call)?;
        let moved = decide::moved(descriptor, &answers, |row| {
            let present = walk.at((number, uids[row]), close.end, close.end)?;
            Some(&present.standing)
        });
        let rows: Vec<usize> = moved.iter().map(|(row, _)| *row).collect();
        let patience = found.patience.entry(number).or_insert(LONGEST_OF_REASONS);
        let rows = columns::rows(&input, &rows)?;
        let grounds = Grounds::with_patience(one, rows, &call, patience);
        let model_version = decide::models_read(descriptor, &close.model_versions);
        for (at, (row, standing)) in moved.into_iter().enumerate() {
            let uid = uids[row];
            let Some(names) = self.names_of(uid, &found.names) else {
                continue;
            };
            let known = |at: Instant| walk.at((number, uid), at.plus_us(-1), close.end);
            let before = known(close.end);
            let began = known(self.zone.start_of(close.day));
            let began = Began {
                standing: began.map(|began| &began.standing),
                worth: walk.worth.get(&uid).copied(),
            };
            let because = pb::Transition {
                model_version: model_version.clone(),
                ..grounds.because(one, at, before, &standing, began)
            };
            // Only the grounds are kept of it: what is stored is known when the walk has ended.
            let about = about(uid, names, close.end, evaluation);
            let transition = transition(one.row, &about, before, &standing, because);
            let present = Present {
                standing,
                entered_at: close.end,
                at_close: None,
                transition: transition.encode_to_vec().into(),
                trouble: None,
            };
            walk.put(number, uid, Step::found(close.end, present, None));
        }
        Ok(())
    }

    /// What becomes of accounts that walks found elsewhere than is stored.
    pub(crate) fn settled(&self, found: Corrections, evaluation: &Evaluation) -> Settled {
        let mut changes = Changes::default();
        let mut present = BTreeMap::new();
        let made_again = found.made_again;
        for ((number, uid), way) in found.walked {
            let at_close = found.end.and_then(|end| way.known(end, ALL_KNOWLEDGE));
            let at_close = at_close.map(|present| present.standing.clone());
            let Some(names) = self.names_of(uid, &found.names) else {
                continue;
            };
            let about = about(uid, names, Instant(0), evaluation);
            if let Some(settled) = self.settle(number, about, (way, &made_again), &mut changes) {
                let stands = Present {
                    at_close,
                    ..settled
                };
                changes.memberships.push(Self::to_row(number, uid, &stands));
                present.insert((number, uid), stands);
            }
        }
        Settled {
            names: found.names,
            present,
            changes,
        }
    }

    /// Takes over what was settled; returns what has to be stored of it.
    pub(crate) fn take_over(&mut self, settled: Settled) -> Changes {
        let mut changes = settled.changes;
        for (uid, names) in settled.names {
            self.learn_name(uid, &names.id, &names.name, &mut changes);
        }
        for ((number, uid), stands) in settled.present {
            self.present.entry(number).or_default().insert(uid, stands);
        }
        changes
    }
}

impl Corrections {
    /// Keeps what a walk found that has ended.
    fn keep(&mut self, walk: Walk) {
        let walked = walk.ended().into_iter();
        self.walked.extend(walked.filter(|(_, way)| way.is_news()));
    }
}

/// A walk on its way, with the state that it reads.
struct OnWay {
    writing: Writing,
    walk: Walk,
    found: Corrections,
}

impl Engine {
    /// Evaluates the closes again that late facts touch, from each account's first one up to the last: what is damped depends on
    /// the close before. Changes nothing; accounts without late facts cost nothing.
    pub(crate) async fn correct(
        &self,
        writing: Writing,
        evaluation: &Evaluation,
        late: Late,
        which: Which,
    ) -> Result<(Writing, Corrections), Status> {
        let known = writing.as_ref().filter(|state| !state.uses.is_empty());
        let meant = known.map(|state| state.meant(evaluation.slice, which));
        let meant = meant.into_iter().flatten();
        let numbers: BTreeSet<u16> = meant.map(|(_, one)| one.row.number).collect();
        let known = known.map(|state| (state.tenant, state.zone.clone()));
        let mut way = OnWay {
            writing,
            walk: Walk::default(),
            found: Corrections::default(),
        };
        let (Some((tenant, zone)), Some(last)) = (known, late.closes.last().copied()) else {
            return Ok((way.writing, way.found));
        };
        let end_of = |day: Day| Moment::close(day, &zone).as_of;
        way.found.end = Some(end_of(last));
        if let Some(since) = late.since.values().min().filter(|_| late.restated) {
            let again = late.closes.range(*since..);
            way.found.made_again = again.map(|day| end_of(*day)).collect();
        }
        let uids: Vec<AccountUid> = late.since.keys().copied().collect();
        let late = Arc::new(late);
        for uids in uids.chunks(MAX_ACCOUNTS) {
            let rows = self.memberships.histories(tenant, uids).await;
            let rows = rows.map_err(store)?;
            way.walk = if late.restated {
                Walk::again(rows, &way.found.made_again, &zone)
            } else {
                Walk::new(rows, &zone)
            };
            let request = patient(late.request(tenant, evaluation, uids));
            let mut stream = self.scores().read_columns(request).await?.into_inner();
            while let Some(message) = stream.next().await {
                let message = message?;
                let day = message.closed_on.as_ref().map(time::day).transpose()?;
                let day = day.unwrap_or(last);
                let known_at = time::optional(message.known_at.as_ref(), "known_at")?;
                way.found.known_at = way.found.known_at.max(known_at);
                let close = Close {
                    end: end_of(day),
                    day,
                    before: late
                        .closes
                        .range(..day)
                        .next_back()
                        .map(|day| (*day, end_of(*day))),
                    tables: decoded(&message.arrow_ipc)?,
                    model_versions: message.model_versions,
                };
                way = pass(way, close, &late, (evaluation.clone(), which)).await?;
            }
            way.found.keep(std::mem::take(&mut way.walk));
        }
        let failed = &way.found.failed;
        way.found
            .walked
            .retain(|(number, _), _| numbers.contains(number) && !failed.contains_key(number));
        Ok((way.writing, way.found))
    }
}

/// Evaluates a close that is passed on the way.
async fn pass(
    way: OnWay,
    close: Close,
    late: &Arc<Late>,
    (evaluation, which): (Evaluation, Which),
) -> Result<OnWay, Problem> {
    let late = Arc::clone(late);
    let OnWay {
        writing,
        mut walk,
        mut found,
    } = way;
    let passing = writing.find(move |state| {
        let on_way = (&mut walk, &mut found);
        state.correct_close(on_way, &late, &close, (&evaluation, which))?;
        Ok((walk, found))
    });
    let (writing, (walk, found)) = passing.await?;
    Ok(OnWay {
        writing,
        walk,
        found,
    })
}
