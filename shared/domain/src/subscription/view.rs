//! All known versions of an account's subscriptions, and the account's state at an instant or as a series of points.

use crate::mrr::{Line, MetricPolicy, Mrr};
use crate::subscription::standing::InForce;
use crate::subscription::{ChurnKind, ItemRole, Standing, Subscription, UsageType};
use crate::time::Instant;

/// A version with its lines normalised.
#[derive(Debug, Clone)]
pub(crate) struct Priced {
    pub(crate) valid_from: Instant,
    pub(crate) known_from: Instant,
    /// Index of the subscription within the account.
    pub(crate) slot: usize,
    pub(crate) subscription: Subscription,
    /// Prices over time, by start; the first starts with time itself. There is one more for every coupon that ends.
    pub(crate) segments: Vec<Segment>,
}

/// The lines of a version from an instant on.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) from: Instant,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Mrr,
}

/// One subscription within a [`State`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) version: &'a Priced,
    segment: usize,
    pub(crate) standing: Standing,
    pub(crate) counts: bool,
    pub(crate) notice_at: Option<Instant>,
    pub(crate) service_end: Option<Instant>,
}

impl<'a> Held<'a> {
    /// The lines that count as recurring revenue: none if the subscription does not.
    pub(crate) fn lines(&self) -> &'a [Line] {
        if self.counts {
            &self.version.segments[self.segment].lines
        } else {
            &[]
        }
    }

    /// Which of the version's prices holds: it grows with every coupon that ends.
    pub(crate) fn segment(&self) -> usize {
        self.segment
    }

    /// The recurring revenue.
    pub(crate) fn mrr(&self) -> Mrr {
        if self.counts {
            self.version.segments[self.segment].total
        } else {
            Mrr::ZERO
        }
    }

    /// Whether two states hold this subscription with the same prices.
    pub(crate) fn same_prices(&self, other: &Self) -> bool {
        std::ptr::eq(self.version, other.version)
            && self.segment == other.segment
            && self.counts == other.counts
    }

    fn seats(&self) -> u64 {
        match self.standing {
            Standing::Trialing
            | Standing::Active
            | Standing::PastDue
            | Standing::CancelScheduled => {
                let items = self.version.subscription.items.iter();
                let plans = items.filter(|item| {
                    item.role == ItemRole::Plan && item.usage_type == UsageType::Licensed
                });
                plans.fold(0, |seats, item| item.quantity.saturating_add(seats))
            },
            Standing::Incomplete
            | Standing::TrialExpired
            | Standing::Paused
            | Standing::Ended(_) => 0,
        }
    }
}

/// An account's subscriptions at an instant, one slot for each, absent before its first version.
#[derive(Debug, Clone, Default)]
pub(crate) struct State<'a> {
    pub(crate) held: Vec<Option<Held<'a>>>,
    pub(crate) mrr: Mrr,
}

impl<'a> State<'a> {
    /// The subscriptions that exist.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &Held<'a>> {
        self.held.iter().flatten()
    }

    /// The subscription in a slot.
    pub(crate) fn slot(&self, slot: usize) -> Option<&Held<'a>> {
        self.held.get(slot).and_then(Option::as_ref)
    }

    /// Seats of the plans that may be used.
    pub(crate) fn seats(&self) -> u64 {
        self.subscriptions()
            .fold(0, |seats, held| held.seats().saturating_add(seats))
    }

    /// Why the revenue of `before` is gone in `self`, a state without any. A subscription that still counts is free of
    /// charge; a pause weighs more than an end, and a failed payment more than a decision.
    pub(crate) fn churn_kind_since(&self, before: &State<'_>) -> ChurnKind {
        if self.subscriptions().any(|held| held.counts) {
            return ChurnKind::ToFree;
        }
        let mut kind = ChurnKind::Voluntary;
        for (slot, held) in before.held.iter().enumerate() {
            if held.is_none_or(|held| held.mrr() == Mrr::ZERO) {
                continue;
            }
            match self.slot(slot).map(|held| held.standing) {
                Some(Standing::Paused) => return ChurnKind::Paused,
                Some(Standing::Ended(ChurnKind::Involuntary)) => kind = ChurnKind::Involuntary,
                Some(_) | None => {},
            }
        }
        kind
    }
}

/// The account's state from an instant on.
#[derive(Debug, Clone)]
pub(crate) struct Point<'a> {
    pub(crate) at: Instant,
    pub(crate) state: State<'a>,
}

/// What is known of an account at one moment: per subscription its versions, ordered by validity.
#[derive(Debug)]
pub(crate) struct View<'a> {
    policy: &'a MetricPolicy,
    histories: Vec<Vec<&'a Priced>>,
}

impl<'a> View<'a> {
    /// Nothing known yet.
    pub(crate) fn empty(policy: &'a MetricPolicy, n_slots: usize) -> Self {
        Self {
            policy,
            histories: vec![Vec::new(); n_slots],
        }
    }

    /// Takes in a version. Versions must come in order of `known_from`: one with the same validity is corrected.
    pub(crate) fn learn(&mut self, version: &'a Priced) {
        let history = &mut self.histories[version.slot];
        let index = history.partition_point(|known| known.valid_from < version.valid_from);
        match history.get_mut(index) {
            Some(known) if known.valid_from == version.valid_from => *known = version,
            _ => history.insert(index, version),
        }
    }

    /// The state at an instant.
    pub(crate) fn state_at(&self, at: Instant) -> State<'a> {
        let mut state = State {
            held: Vec::with_capacity(self.histories.len()),
            mrr: Mrr::ZERO,
        };
        for history in &self.histories {
            let held = self.held_at(history, at);
            state.mrr.0 += held.as_ref().map_or(0, |held| held.mrr().0);
            state.held.push(held);
        }
        state
    }

    fn held_at(&self, history: &[&'a Priced], at: Instant) -> Option<Held<'a>> {
        let index = history
            .partition_point(|version| version.valid_from <= at)
            .checked_sub(1)?;
        let version = history[index];
        let in_force = InForce::new(history, index, self.policy);
        let judged = in_force.judge(at, self.policy);
        let segment = version
            .segments
            .partition_point(|segment| segment.from <= at)
            .saturating_sub(1);
        Some(Held {
            version,
            segment,
            standing: judged.standing,
            counts: judged.counts,
            notice_at: in_force.notice_at(),
            service_end: in_force.service_end(self.policy),
        })
    }

    /// The states from `from` on, one point for every instant at which anything may change.
    pub(crate) fn points_from(&self, from: Instant) -> Vec<Point<'a>> {
        let mut instants = Vec::new();
        self.each_version_from(from, |version, until, in_force| {
            let changes = in_force
                .self_changes(self.policy)
                .chain([version.valid_from]);
            instants
                .extend(changes.filter(|at| *at >= from && until.is_none_or(|until| *at < until)));
        });
        instants.sort_unstable();
        instants.dedup();
        instants
            .into_iter()
            .map(|at| Point {
                at,
                state: self.state_at(at),
            })
            .collect()
    }

    /// Instants at which the account changes without a new version, in order.
    pub(crate) fn self_changes(&self) -> Vec<Instant> {
        let mut instants = Vec::new();
        self.each_version_from(Instant(i64::MIN), |_version, until, in_force| {
            let changes = in_force.self_changes(self.policy);
            instants.extend(changes.filter(|at| until.is_none_or(|until| *at < until)));
        });
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    /// Visits the versions that hold at `from` or later, with the start of the next one.
    fn each_version_from(
        &self,
        from: Instant,
        mut visit: impl FnMut(&'a Priced, Option<Instant>, InForce<'a>),
    ) {
        for history in &self.histories {
            let n_begun = history.partition_point(|version| version.valid_from <= from);
            for index in n_begun.saturating_sub(1)..history.len() {
                let until = history.get(index + 1).map(|next| next.valid_from);
                visit(
                    history[index],
                    until,
                    InForce::new(history, index, self.policy),
                );
            }
        }
    }
}
