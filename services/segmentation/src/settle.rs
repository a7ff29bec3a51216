//! What has to be stored of the way of an account over past closes, once it is known.

use std::collections::BTreeSet;

use sextant_domain::id::AccountUid;
use sextant_domain::time::Instant;
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::time;

use crate::decide::{self, Told};
use crate::evaluate::{Changes, Evaluation, transition};
use crate::state::{Names, Present, Standing, TenantState, Usable, Use};
use crate::walk::{Lesson, Step, Way, end_of_day, learned};

pub(crate) const ALL_KNOWLEDGE: Instant = Instant(i64::MAX);

/// An account on the way, as far as it is settled.
struct Settling<'s> {
    one: Usable<'s>,
    about: decide::Move<'s>,
    /// The last two steps: of the moment that is settled, and of the one before.
    steps: [Option<(Instant, Present)>; 2],
    lessons: Vec<Lesson>,
    /// Of the lessons, how many are settled.
    n_settled: usize,
    /// Something before has changed.
    is_touched: bool,
}

impl TenantState {
    /// Notes what has to be stored of the way of an account in a segmentation; returns how it stands after it.
    pub(crate) fn settle(
        &self,
        number: u16,
        about: decide::Move<'_>,
        (way, made_again): (Way, &BTreeSet<Instant>),
        changes: &mut Changes,
    ) -> Option<Present> {
        let mut uses = self.uses.iter().filter_map(Use::usable);
        let one = uses.find(|one| one.row.number == number)?;
        let Way { steps, lessons } = way;
        let mut settling = Settling {
            one,
            about,
            steps: [None, None],
            lessons,
            n_settled: 0,
            is_touched: false,
        };
        let (mut day, mut began) = (None, None);
        for step in steps {
            let at = step.at;
            settling.lessons_before(at, changes);
            let before = settling.known(at.plus_us(-1), at);
            let is_news = step.is_news(before.map(|before| &before.standing));
            let day_before = day.replace(self.zone.day_of(at));
            if day_before != day {
                began = before.map(|present| present.standing.clone());
            }
            settling.is_touched |= is_news;
            let end = end_of_day(at, &self.zone);
            let knowledge = made_again.contains(&end).then_some(end);
            settling.step(step, (began.as_ref(), knowledge), changes);
        }
        settling.lessons_before(ALL_KNOWLEDGE, changes);
        settling.known(ALL_KNOWLEDGE, ALL_KNOWLEDGE).cloned()
    }
}

impl Settling<'_> {
    /// How the account stands at a moment with the knowledge of another one, by what is settled.
    fn known(&self, at: Instant, known_at: Instant) -> Option<&Present> {
        let mut steps = self.steps.iter().flatten();
        let step = steps.find(|(stood_at, _)| *stood_at <= at);
        let stood_at = step.map(|(stood_at, _)| *stood_at);
        // A lesson that is settled says itself where the account stood.
        let lesson = learned(&self.lessons[..self.n_settled], stood_at, (at, known_at));
        let stood = || step.map(|(_, present)| present);
        lesson.map(|lesson| &lesson.present).or_else(stood)
    }

    /// Settles a step; `knowledge`: the close of its day was made again. What that says is known since then, also that a move within
    /// the day was none.
    fn step(
        &mut self,
        mut step: Step,
        (began, knowledge): (Option<&Standing>, Option<Instant>),
        changes: &mut Changes,
    ) {
        let at = step.at;
        let n_told = changes.n_told();
        let before = self.known(at.plus_us(-1), at);
        let is_void = step.is_void(before.map(|before| &before.standing));
        if let Some(before) = before.filter(|_| is_void) {
            step.present.standing = before.standing.clone();
        }
        let present = if self.is_touched {
            let mut about = decide::Move { at, ..self.about };
            if let Some(known_at) = knowledge.filter(|end| *end == at || is_void) {
                about.known_at = known_at;
                about.told = Told::Restated;
            }
            settled(self.one, &about, (began, before), step, changes)
        } else {
            step.present
        };
        let last = self.steps[0].replace((at, present));
        self.steps[1] = last;
        self.lessons_of(at, n_told, changes);
    }

    /// Settles the lessons of a moment. `n_told`: what was told before it. Where anything is told of the moment, what was learned
    /// of it later is told again behind that.
    fn lessons_of(&mut self, at: Instant, n_told: usize, changes: &mut Changes) {
        let mut order = 0_u8;
        while self.next_lesson().is_some_and(|lesson| lesson.at == at) {
            order = order.saturating_add(1);
            let is_told = changes.n_told() > n_told;
            self.lesson((order, is_told), changes);
        }
    }

    fn next_lesson(&self) -> Option<&Lesson> {
        self.lessons.get(self.n_settled)
    }

    /// Settles lessons of moments before one.
    fn lessons_before(&mut self, at: Instant, changes: &mut Changes) {
        let before = |lesson: &&Lesson| lesson.at < at;
        while let Some(moment) = self.next_lesson().filter(before).map(|lesson| lesson.at) {
            self.lessons_of(moment, changes.n_told(), changes);
        }
    }

    /// Settles the next lesson. It is told again where something has just been told of its moment that was known before, or
    /// where what the account stood at before has changed: then it may turn out that it did not move.
    fn lesson(&mut self, (order, is_told): (u8, bool), changes: &mut Changes) {
        let Some(lesson) = self.lessons.get(self.n_settled) else {
            return;
        };
        let (at, known_at) = (lesson.at, lesson.known_at);
        let mut present = lesson.present.clone();
        if self.is_touched {
            let before = self.known(at.plus_us(-1), known_at);
            let is_note = present.entered_at < at;
            if let Some(before) = before.filter(|_| is_note) {
                present.standing = before.standing.clone();
            }
            let stays = before.filter(|before| before.standing == present.standing);
            present.entered_at = stays.map_or(at, |stays| stays.entered_at);
            let from = before.map(|before| before.standing.clone());
            let is_same = present.standing == lesson.present.standing
                && present.entered_at == lesson.present.entered_at
                && decide::came_from(&present.transition) == from;
            if is_told || !is_same {
                let about = decide::Move {
                    at,
                    known_at,
                    told: Told::Restated,
                    order,
                    ..self.about
                };
                let learned = decide::decode(&present.transition).unwrap_or_default();
                let descriptor = self.one.instance.descriptor();
                let standing = &present.standing;
                let because = pb::Transition {
                    downward: decide::is_downward(descriptor, from.as_ref(), standing),
                    entered_at: stays.map(|stays| time::timestamp(stays.entered_at)),
                    ..learned
                };
                let told = transition(self.one.row, &about, before, standing, because);
                let number = self.one.row.number;
                present.transition = changes.record(number, &about, &present.standing, &told);
            }
        }
        self.lessons[self.n_settled].present = present;
        self.n_settled += 1;
    }
}

pub(crate) fn about<'a>(
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
        told: Told::Correction,
        order: 0,
    }
}

/// A step as it is after those before it have changed. Where an account turns out to have stood so before already, it did not
/// move, and stands so since then and for the reasons of then. A stored step stays as it is unless that, or where it came from,
/// has changed; of a close that was made again, unless anything has.
fn settled(
    one: Usable<'_>,
    about: &decide::Move<'_>,
    (began, before): (Option<&Standing>, Option<&Present>),
    step: Step,
    changes: &mut Changes,
) -> Present {
    let standing = step.present.standing.clone();
    let stays = before.filter(|before| before.standing == standing);
    // Nothing is stored of that moment, and it says nothing new.
    if let (Some(stays), None) = (stays, &step.stored) {
        return stays.clone();
    }
    let entered_at = stays.map_or(step.at, |stays| stays.entered_at);
    let from = before.map(|before| &before.standing);
    let grounds = stays.map_or(&step.present.transition, |stays| &stays.transition);
    let mut grounds = decide::decode(grounds).unwrap_or_default();
    // That it stands as before at a close that was made again was known since then.
    if stays.is_none() || about.told != Told::Restated {
        grounds.known_at = Some(time::timestamp(about.known_at));
    }
    let is_stored = |stored: &Present| {
        stored.standing == standing
            && stored.entered_at == entered_at
            && decide::came_from(&stored.transition) == from.cloned()
            && (about.told != Told::Restated || says_so(stored, &grounds))
    };
    if let Some(stored) = step.stored.filter(is_stored) {
        return stored;
    }
    let because = pb::Transition {
        downward: decide::is_downward(one.instance.descriptor(), began.or(from), &standing),
        reasons: grounds.reasons,
        value_minor: grounds.value_minor,
        model_version: grounds.model_version,
        correction: about.told == Told::Correction,
        entered_at: stays.map(|stays| time::timestamp(stays.entered_at)),
        ..pb::Transition::default()
    };
    let transition = pb::Transition {
        known_at: grounds.known_at,
        ..transition(one.row, about, before, &standing, because)
    };
    Present {
        entered_at,
        at_close: None,
        transition: changes.record(one.row.number, about, &standing, &transition),
        standing,
        trouble: None,
    }
}

/// Whether what is stored was known then, and for the same reasons.
fn says_so(stored: &Present, grounds: &pb::Transition) -> bool {
    decide::decode(&stored.transition).is_some_and(|told| {
        told.known_at == grounds.known_at
            && !told.correction
            && told.reasons == grounds.reasons
            && told.value_minor == grounds.value_minor
            && told.model_version == grounds.model_version
    })
}
