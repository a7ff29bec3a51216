//! Accounts on their way over past closes: what their transitions say with all that is known now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sextant_domain::feature::Moment;
use sextant_domain::id::{AccountUid, TenantId};
use sextant_domain::time::{Day, Instant, Zone};
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
    /// Where it is said to have moved from; `None`: that was not known.
    from: Option<Standing>,
    /// It is of a moment within a day, was found then and is never found out again.
    is_within_day: bool,
    /// Found by this walk.
    pub(crate) is_new: bool,
}

impl Step {
    /// What is stored of it says nothing where the account stood there before: that it did not move then, or that it moved
    /// within a day from where it turned out not to have been. What the day brought, its close says.
    pub(crate) fn is_void(&self, before: Option<&Standing>) -> bool {
        let is_note = !self.is_new && self.present.entered_at < self.at;
        let is_from_elsewhere = before.is_some() && self.from.as_ref() != before;
        is_note || (self.is_within_day && is_from_elsewhere)
    }

    /// Whether it says something else than is stored: it was found by this walk, or what is stored does not go on from where the
    /// account stood before.
    pub(crate) fn is_news(&self, before: Option<&Standing>) -> bool {
        let is_out_of_place = if self.is_void(before) {
            before.is_some_and(|before| *before != self.present.standing)
        } else {
            self.from.as_ref() != before
        };
        self.is_new || is_out_of_place
    }

    /// Found by a walk, at a close.
    pub(crate) fn found(at: Instant, present: Present, stored: Option<Present>) -> Self {
        Self {
            at,
            present,
            stored,
            from: None,
            is_within_day: false,
            is_new: true,
        }
    }

    fn stored(row: TransitionRow, zone: &Zone) -> Self {
        let told = decide::decode(&row.transition).and_then(|one| one.entered_at);
        let entered_at = told.and_then(|at| time::instant(&at).ok());
        let present = Present {
            standing: Standing::new(state::state(row.to_state), &row.to_segment),
            entered_at: entered_at.unwrap_or(row.at),
            at_close: None,
            transition: row.transition.into(),
            trouble: None,
        };
        Self {
            at: row.at,
            from: decide::came_from(&present.transition),
            is_within_day: row.at != end_of_day(row.at, zone),
            stored: Some(present.clone()),
            present,
            is_new: false,
        }
    }
}

pub(crate) fn end_of_day(at: Instant, zone: &Zone) -> Instant {
    Moment::close(zone.day_of(at), zone).as_of
}

/// What was learned of a moment after its day.
#[derive(Debug)]
pub(crate) struct Lesson {
    pub(crate) at: Instant,
    pub(crate) known_at: Instant,
    pub(crate) present: Present,
}

/// An account on its way over the closes, in one segmentation.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// One step for a moment, oldest first. Where closes are made again, as it was known then; else as it is known now.
    pub(crate) steps: Vec<Step>,
    /// Where closes are made again: what was learned later of any moment, by (moment, knowledge).
    pub(crate) lessons: Vec<Lesson>,
}

impl Way {
    /// Whether anything of it says something else than is stored.
    pub(crate) fn is_news(&self) -> bool {
        self.steps.iter().any(|step| {
            let before = self.known(step.at.plus_us(-1), step.at);
            step.is_news(before.map(|before| &before.standing))
        })
    }

    /// How the account stands at a moment with the knowledge of another one.
    pub(crate) fn known(&self, mut at: Instant, known_at: Instant) -> Option<&Present> {
        let mut note = None;
        loop {
            let step = newest(&self.steps, at);
            let stood_at = step.map(|step| step.at);
            let Some(lesson) = learned(&self.lessons, stood_at, (at, known_at)) else {
                return step.map(|step| &step.present).or(note);
            };
            if lesson.present.entered_at >= lesson.at {
                return Some(&lesson.present);
            }
            // That it did not move then was learned: wherever it stood before.
            note = Some(&lesson.present);
            at = lesson.at.plus_us(-1);
        }
    }
}

/// What was learned last, with the knowledge of a moment, of another one and how an account stands since; nothing where it has
/// moved behind that, at `stood_at`.
pub(crate) fn learned(
    lessons: &[Lesson],
    stood_at: Option<Instant>,
    (at, known_at): (Instant, Instant),
) -> Option<&Lesson> {
    let begun = lessons.partition_point(|lesson| lesson.at <= at);
    let mut learned = lessons[..begun].iter().rev();
    let lesson = learned.find(|lesson| lesson.known_at <= known_at)?;
    stood_at
        .is_none_or(|stood_at| stood_at <= lesson.at)
        .then_some(lesson)
}

/// Some accounts on their way over the closes.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Of each segmentation (by number) and account.
    pub(crate) ways: BTreeMap<(u16, AccountUid), Way>,
    /// Steps at closes that are made again, as they are stored.
    old: Vec<((u16, AccountUid), Step)>,
    /// What they were worth at the close before.
    pub(crate) worth: HashMap<AccountUid, i64>,
}

/// The newest step up to a moment.
fn newest(steps: &[Step], at: Instant) -> Option<&Step> {
    let mut stood: Option<&Step> = None;
    for step in &steps[..steps.partition_point(|step| step.at <= at)] {
        let before = stood.map(|stood| &stood.present.standing);
        if before.is_none() || !step.is_void(before) {
            stood = Some(step);
        }
    }
    stood
}

impl Walk {
    /// Begins where the stored transitions, by (at, id) of each account in a segmentation, say that accounts are.
    pub(crate) fn new(rows: Vec<TransitionRow>, zone: &Zone) -> Self {
        let mut walk = Self::default();
        for row in rows {
            let (segmentation, uid, is_move) = (row.segmentation, row.uid, !row.is_correction);
            let mut step = Step::stored(row, zone);
            let way = walk.ways.get(&(segmentation, uid));
            let last = way.and_then(|way| way.steps.last());
            if let Some(other) = last.filter(|other| is_move && other.at == step.at) {
                // It has moved more than once at a moment at which the clock stood still: from where it was at first.
                step.from.clone_from(&other.from);
            }
            walk.put(segmentation, uid, step);
        }
        walk
    }

    /// Begins the same without what is stored of closes that are made again, given by their moments: it is replaced. What was
    /// learned of a moment after its day was not known at the closes before that.
    pub(crate) fn again(
        rows: Vec<TransitionRow>,
        made_again: &BTreeSet<Instant>,
        zone: &Zone,
    ) -> Self {
        let is_lesson =
            |row: &TransitionRow| row.is_correction && row.known_at > end_of_day(row.at, zone);
        let (lessons, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_lesson);
        let mut walk = Self::new(rows, zone);
        for (key, way) in &mut walk.ways {
            let (old, kept) = std::mem::take(&mut way.steps)
                .into_iter()
                .partition(|step| made_again.contains(&step.at));
            way.steps = kept;
            let old: Vec<Step> = old;
            walk.old.extend(old.into_iter().map(|step| (*key, step)));
        }
        for row in lessons {
            let way = walk.ways.entry((row.segmentation, row.uid)).or_default();
            let (at, known_at) = (row.at, row.known_at);
            let lesson = Lesson {
                at,
                known_at,
                present: Step::stored(row, zone).present,
            };
            let of = |lesson: &Lesson| (lesson.at, lesson.known_at);
            let place = way
                .lessons
                .partition_point(|other| of(other) < (at, known_at));
            match way.lessons.get_mut(place) {
                // Told again.
                Some(other) if of(other) == (at, known_at) => *other = lesson,
                _ => way.lessons.insert(place, lesson),
            }
        }
        walk
    }

    /// Ends the walk: where an account was told to move at a close that was made again, and does not, it stands as before.
    pub(crate) fn ended(mut self) -> BTreeMap<(u16, AccountUid), Way> {
        for (key, old) in std::mem::take(&mut self.old) {
            let way = self.ways.entry(key).or_default();
            let place = way.steps.partition_point(|other| other.at < old.at);
            if let Some(other) = way.steps.get_mut(place).filter(|other| other.at == old.at) {
                other.stored = old.stored;
                continue;
            }
            let step = match way.known(old.at.plus_us(-1), old.at) {
                Some(before) => Step::found(old.at, before.clone(), old.stored),
                None => old,
            };
            way.steps.insert(place, step);
        }
        self.ways
    }

    /// How an account stands at a moment with the knowledge of a close.
    pub(crate) fn at(
        &self,
        (segmentation, uid): (u16, AccountUid),
        at: Instant,
        close: Instant,
    ) -> Option<&Present> {
        self.ways.get(&(segmentation, uid))?.known(at, close)
    }

    /// Adds a step, instead of one at the same moment.
    pub(crate) fn put(&mut self, segmentation: u16, uid: AccountUid, mut step: Step) {
        let steps = &mut self.ways.entry((segmentation, uid)).or_default().steps;
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
