//! The event ledger of one account.
//!
//! Knowledge is replayed in the order in which it was gained. Whatever is
//! learned about a month whose books are open rewrites that month: the old movements are superseded. What is learned
//! about closed months enters the first open one, as one restatement at its beginning of the difference that it makes to the
//! balance there: the movements of that month then begin from what was really there, and no balance falls below zero. The sum of what is known therefore always equals the account's revenue.

use crate::mrr::cause::Difference;
use crate::mrr::{
    Cause, CausePart, MetricPolicy, Movement, MovementKind, Mrr, ReactivationWindow, ToFreeRule,
};
use crate::subscription::{AccountBilling, ChurnKind, Point, Priced, Standing, State, View};
use crate::time::{DAY_US, Instant};

/// Changes this close to the first one are one movement, dated at the first, within a month.
const COALESCING_US: i64 = 60 * 60 * 1_000_000;

/// The event ledger of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Every movement that was ever in the books, with the time at which it became known and, if it was replaced while its
    /// month was open, the time until which it was believed. In order of `known_at`.
    pub movements: Vec<Movement>,
    /// From the first to the last change of those that were taken together at any time.
    coalesced: Vec<(Instant, Instant)>,
}

impl Books {
    /// Whether changes that are taken together lie on both sides of `as_of`: one that happened by then and one after it.
    #[must_use]
    pub fn splits(&self, as_of: Instant) -> bool {
        let mut spans = self.coalesced.iter();
        spans.any(|(first, last)| *first <= as_of && as_of < *last)
    }
}

/// The books of an account to which nothing happens after `as_of`.
pub(crate) fn write(billing: &AccountBilling, as_of: Instant) -> Books {
    let mut writer = Writer {
        policy: billing.policy(),
        as_of,
        view: billing.empty_view(),
        points: Vec::new(),
        movements: Vec::new(),
        standing: Vec::new(),
        coalesced: Vec::new(),
    };
    for versions in billing.lessons() {
        writer.learn(versions);
    }
    writer.coalesced.sort_unstable();
    writer.coalesced.dedup();
    Books {
        movements: writer.movements,
        coalesced: writer.coalesced,
    }
}

struct Writer<'a> {
    policy: &'a MetricPolicy,
    as_of: Instant,
    view: View<'a>,
    /// The account over time, up to `as_of`, as now known.
    points: Vec<Point<'a>>,
    movements: Vec<Movement>,
    /// Indexes of the movements that are not superseded, restatements apart, ordered by `at`.
    standing: Vec<usize>,
    coalesced: Vec<(Instant, Instant)>,
}

impl<'a> Writer<'a> {
    /// Takes in what became known at one instant.
    fn learn(&mut self, versions: &'a [Priced]) {
        let (Some(first), Some(from)) = (
            versions.first(),
            versions.iter().map(|version| version.valid_from).min(),
        ) else {
            return;
        };
        let known_at = first.known_from;
        let open_from = self.policy.books_open_from(known_at);
        let booked = revenue_before(&self.points, open_from);

        for version in versions {
            self.view.learn(version);
        }
        // Nothing before `from` can change: a version speaks only about the time after it.
        let n_kept = self.points.partition_point(|point| point.at < from);
        self.points.truncate(n_kept);
        let points = self.view.points_from(from).into_iter();
        let as_of = self.as_of;
        self.points
            .extend(points.take_while(|point| point.at <= as_of));

        let groups = groups(&self.points, self.policy);
        // The last group that began before may have lost or gained a change; the ones before it are complete.
        let touched = groups
            .partition_point(|group| group.first < n_kept)
            .saturating_sub(1);
        let changed_from = groups
            .get(touched)
            .map_or(from, |group| self.points[group.first].at.min(from));
        let several = groups
            .iter()
            .skip(touched)
            .filter(|group| group.first < group.last);
        let span = |group: &Group| (self.points[group.first].at, self.points[group.last].at);
        self.coalesced.extend(several.map(span));
        let rewrite_from = changed_from.max(open_from);
        let fresh = classify(&self.points, &groups, self.policy, rewrite_from);
        self.replace(fresh, rewrite_from, known_at);

        let restated = revenue_before(&self.points, open_from);
        if restated != booked {
            self.restate((open_from, known_at), booked, restated);
        }
    }

    /// Supersedes the standing movements from `rewrite_from` on that are not among `fresh`, and adds the new ones.
    fn replace(&mut self, mut fresh: Vec<Movement>, rewrite_from: Instant, known_at: Instant) {
        let kept = self
            .standing
            .partition_point(|index| self.movements[*index].at < rewrite_from);
        let mut standing = Vec::with_capacity(fresh.len());
        for index in self.standing.split_off(kept) {
            let old = &mut self.movements[index];
            match fresh.iter().position(|new| new.says_the_same(old)) {
                Some(same) => {
                    fresh.remove(same);
                    standing.push(index);
                },
                None => old.superseded_at = Some(known_at),
            }
        }
        for movement in fresh {
            standing.push(self.movements.len());
            self.movements.push(Movement {
                known_at,
                ..movement
            });
        }
        standing.sort_by_key(|index| self.movements[*index].at);
        self.standing.extend(standing);
    }

    fn restate(&mut self, (at, known_at): (Instant, Instant), booked: Mrr, restated: Mrr) {
        self.movements.push(Movement {
            known_at,
            cause: Some(Cause::LateData),
            policy_version: self.policy.version,
            ..Movement::new(MovementKind::Restatement, at, booked, restated)
        });
    }
}

fn revenue_before(points: &[Point<'_>], at: Instant) -> Mrr {
    let n_before = points.partition_point(|point| point.at < at);
    n_before
        .checked_sub(1)
        .map_or(Mrr::ZERO, |last| points[last].state.mrr)
}

/// Points that make one movement.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Index of the first point with other revenue than the one before it.
    first: usize,
    /// Index of the last such point.
    last: usize,
}

fn groups(points: &[Point<'_>], policy: &MetricPolicy) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let before = index
            .checked_sub(1)
            .map_or(Mrr::ZERO, |last| points[last].state.mrr);
        if point.state.mrr == before {
            continue;
        }
        let joins = |group: &Group| {
            let start = points[group.first].at;
            point.at < start.plus_us(COALESCING_US)
                && policy.month_of(start) == policy.month_of(point.at)
        };
        match groups.last_mut().filter(|group| joins(group)) {
            Some(group) => group.last = index,
            None => groups.push(Group {
                first: index,
                last: index,
            }),
        }
    }
    groups
}

/// The movements of the groups that start at or after `from`.
fn classify(
    points: &[Point<'_>],
    groups: &[Group],
    policy: &MetricPolicy,
    from: Instant,
) -> Vec<Movement> {
    let nothing = State::default();
    let mut past = Past {
        ever_paid: false,
        lost_at: None,
    };
    let mut movements = Vec::new();
    for group in groups {
        let at = points[group.first].at;
        let before = group
            .first
            .checked_sub(1)
            .map_or(&nothing, |last| &points[last].state);
        let after = &points[group.last].state;
        if at >= from {
            let change = Change {
                at,
                before,
                after,
                past,
                policy,
            };
            change.write(&mut movements);
        }
        if before.mrr > Mrr::ZERO && after.mrr == Mrr::ZERO {
            past.lost_at = Some(at);
        }
        past.ever_paid |= after.mrr > Mrr::ZERO;
    }
    movements
}

#[derive(Debug, Clone, Copy)]
struct Past {
    ever_paid: bool,
    lost_at: Option<Instant>,
}

struct Change<'c, 'a> {
    at: Instant,
    before: &'c State<'a>,
    after: &'c State<'a>,
    past: Past,
    policy: &'c MetricPolicy,
}

impl Change<'_, '_> {
    fn write(&self, movements: &mut Vec<Movement>) {
        let difference = Difference::between(self.before, self.after);
        let revalued = Mrr(self.before.mrr.0 + difference.fx.0);
        if revalued != self.before.mrr {
            movements.push(Movement {
                cause: Some(Cause::Fx),
                ..self.movement(MovementKind::FxRevaluation, self.before.mrr, revalued)
            });
        }
        let after = self.after.mrr;
        if revalued == after {
            return;
        }
        movements.push(match (revalued > Mrr::ZERO, after > Mrr::ZERO) {
            (false, _) => self.gain(revalued),
            (true, false) => self.loss(revalued),
            (true, true) => {
                let kind = if after > revalued {
                    MovementKind::Expansion
                } else {
                    MovementKind::Contraction
                };
                let cause = difference.heaviest();
                Movement {
                    cause,
                    parts: difference.parts.into(),
                    ..self.movement(kind, revalued, after)
                }
            },
        });
    }

    fn gain(&self, before: Mrr) -> Movement {
        let after = self.after.mrr;
        if !self.past.ever_paid {
            return self.movement(MovementKind::New, before, after);
        }
        let was_free = self.before.subscriptions().any(|held| held.counts);
        if was_free && self.policy.to_free == ToFreeRule::Contraction {
            return self.single(MovementKind::Expansion, Cause::Price, before, after);
        }
        let days_away = self.past.lost_at.map(|lost_at| {
            let days = self.at.0.saturating_sub(lost_at.0).div_euclid(DAY_US);
            u32::try_from(days).unwrap_or(u32::MAX)
        });
        let too_long = match self.policy.reactivation_window {
            ReactivationWindow::AnyTime => false,
            ReactivationWindow::Days(limit) => {
                days_away.is_some_and(|days| days > u32::from(limit))
            },
        };
        let kind = if too_long {
            MovementKind::New
        } else {
            MovementKind::Reactivation
        };
        let resumed = self.before.held.iter().enumerate().any(|(slot, held)| {
            let was_paused = held.is_some_and(|held| held.standing == Standing::Paused);
            was_paused && self.after.slot(slot).is_some_and(|held| held.counts)
        });
        Movement {
            cause: resumed.then_some(Cause::Resume),
            days_away,
            ..self.movement(kind, before, after)
        }
    }

    fn loss(&self, before: Mrr) -> Movement {
        let cause = match self.after.churn_kind_since(self.before) {
            ChurnKind::Voluntary => Cause::CancelVoluntary,
            ChurnKind::Involuntary => Cause::CancelInvoluntary,
            ChurnKind::Paused => Cause::Pause,
            ChurnKind::ToFree => Cause::ToFree,
        };
        if cause == Cause::ToFree && self.policy.to_free == ToFreeRule::Contraction {
            return self.single(MovementKind::Contraction, cause, before, self.after.mrr);
        }
        let ended = self.after.subscriptions().filter(|held| !held.counts);
        let cancel_notice_at = match cause {
            Cause::CancelVoluntary => ended.filter_map(|held| held.notice_at).max(),
            _ => None,
        };
        Movement {
            cause: Some(cause),
            cancel_notice_at,
            ..self.movement(MovementKind::Churn, before, self.after.mrr)
        }
    }

    fn single(&self, kind: MovementKind, cause: Cause, before: Mrr, after: Mrr) -> Movement {
        let movement = self.movement(kind, before, after);
        let parts = Box::new([CausePart {
            cause,
            delta: movement.delta,
        }]);
        Movement {
            cause: Some(cause),
            parts,
            ..movement
        }
    }

    fn movement(&self, kind: MovementKind, before: Mrr, after: Mrr) -> Movement {
        Movement {
            policy_version: self.policy.version,
            ..Movement::new(kind, self.at, before, after)
        }
    }
}
