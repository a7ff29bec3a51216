//! Why an account's revenue went from one state to another: item by item, in integers that sum to the difference.

use std::num::NonZeroU32;

use crate::exact::divide_half_even;
use crate::money::Currency;
use crate::mrr::{Cause, CausePart, Line, Mrr};
use crate::subscription::{
    ChurnKind, Discount, Held, Interval, Item, ItemRole, Standing, State, Subscription,
};

/// The difference between two states, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// What the exchange rates alone did to items that both states have.
    pub(crate) fx: Mrr,
    /// The rest, by cause, in order of [`Cause`].
    pub(crate) parts: Vec<CausePart>,
}

impl Difference {
    /// From `before` to `after`.
    pub(crate) fn between(before: &State<'_>, after: &State<'_>) -> Self {
        let mut difference = Self::default();
        for slot in 0..before.held.len().max(after.held.len()) {
            match (before.slot(slot), after.slot(slot)) {
                (Some(old), Some(new)) if old.same_prices(new) => {},
                (old, new) => difference.add_subscription(old, new),
            }
        }
        difference.parts.retain(|part| part.delta != Mrr::ZERO);
        difference.parts.sort_unstable_by_key(|part| part.cause);
        difference
    }

    /// The cause that moved most, the first in order of [`Cause`] if several did.
    pub(crate) fn heaviest(&self) -> Option<Cause> {
        let heaviest = self
            .parts
            .iter()
            .rev()
            .max_by_key(|part| part.delta.0.unsigned_abs());
        heaviest.map(|part| part.cause)
    }

    fn add(&mut self, cause: Cause, delta: i128) {
        match self.parts.iter_mut().find(|part| part.cause == cause) {
            Some(part) => part.delta.0 += delta,
            None => self.parts.push(CausePart {
                cause,
                delta: Mrr(delta),
            }),
        }
    }

    fn add_subscription(&mut self, old: Option<&Held<'_>>, new: Option<&Held<'_>>) {
        let sides = Sides {
            old: old.map(lines_of).unwrap_or_default(),
            new: new.map(lines_of).unwrap_or_default(),
        };
        let (pairs, removed, added) = sides.matched();
        for (old_line, new_line) in pairs {
            self.add_pair(&old_line, &new_line);
        }
        for line in removed {
            let cause = match new.map(|held| (held.counts, held.standing)) {
                Some((false, Standing::Paused)) => Cause::Pause,
                Some((false, Standing::Ended(ChurnKind::Involuntary))) => Cause::CancelInvoluntary,
                Some((true, _)) if line.item.role == ItemRole::Plan => Cause::PlanDowngrade,
                Some((true, _)) => product(line.item.role),
                Some((false, _)) | None => Cause::CancelVoluntary,
            };
            self.add(cause, -line.line.mrr.0);
        }
        let was_paused = old.is_some_and(|held| held.standing == Standing::Paused);
        for line in added {
            let cause = if was_paused {
                Cause::Resume
            } else {
                product(line.item.role)
            };
            self.add(cause, line.line.mrr.0);
        }
    }

    /// One item in both states: first the rate, then the quantity at the old price, then discount and price at the
    /// new quantity.
    fn add_pair(&mut self, old: &Offer<'_>, new: &Offer<'_>) {
        let old_mrr = old.at_rate_of(new);
        self.fx.0 += old_mrr.0 - old.line.mrr.0;

        let same_price = old.unit_price() == new.unit_price();
        let same_discount = new.discount_rule() == old.discount_rule();
        let mut rest = new.line.mrr.0 - old_mrr.0;
        if old.item.quantity != new.item.quantity {
            let quantity = if same_price && same_discount {
                rest
            } else {
                rescaled(old_mrr, old, new) - old_mrr.0
            };
            self.add(quantity_cause(old.item.role), quantity);
            rest -= quantity;
        }
        if !same_discount {
            let discount = if same_price {
                rest
            } else {
                rest - list_effect(old, new)
            };
            let expired = discount > 0 && old.coupon_ended(new);
            self.add(
                if expired {
                    Cause::DiscountExpiry
                } else {
                    Cause::Discount
                },
                discount,
            );
            rest -= discount;
        }
        self.add(price_cause(old.item, new.item), rest);
    }
}

/// A line with the item and the subscription it belongs to.
#[derive(Clone, Copy)]
struct Offer<'a> {
    line: &'a Line,
    item: &'a Item,
    subscription: &'a Subscription,
    /// Which of the subscription's coupons have ended: the version's segment.
    segment: usize,
}

impl Offer<'_> {
    fn unit_price(&self) -> (i64, Interval, NonZeroU32, Currency) {
        (
            self.item.unit_amount_minor,
            self.item.interval,
            self.item.interval_count,
            self.item.currency,
        )
    }

    /// What determines the discount; equal rules take the same share of the same price.
    fn discount_rule(&self) -> (&[Discount], &[Discount], usize) {
        (
            &self.item.discounts,
            &self.subscription.discounts,
            self.segment,
        )
    }

    /// What it brings at the exchange rate of another one of the same currency. Where the price is in another currency, its change is
    /// one of price, and no rate has moved.
    fn at_rate_of(&self, new: &Self) -> Mrr {
        let is_of_rate = self.item.rate != new.item.rate && self.item.currency == new.item.currency;
        // An amount that does not fit at the new rate has no rate effect that could be told apart.
        let at_rate = is_of_rate.then(|| self.line.at_rate_of(new.item)).flatten();
        at_rate.unwrap_or(self.line.mrr)
    }

    fn coupon_ended(&self, new: &Self) -> bool {
        let finite = |offer: &Self| {
            let discounts = offer
                .item
                .discounts
                .iter()
                .chain(&offer.subscription.discounts);
            discounts
                .filter(|discount| discount.duration.ends_at().is_some())
                .count()
        };
        new.segment > self.segment || finite(new) < finite(self)
    }
}

fn lines_of<'a>(held: &Held<'a>) -> Vec<Offer<'a>> {
    let subscription = &held.version.subscription;
    let offer = |line: &'a Line| Offer {
        line,
        item: &subscription.items[line.item],
        subscription,
        segment: held.segment(),
    };
    held.lines().iter().map(offer).collect()
}

/// The offers of one subscription in two states.
struct Sides<'a> {
    old: Vec<Offer<'a>>,
    new: Vec<Offer<'a>>,
}

type Matched<'a> = (Vec<(Offer<'a>, Offer<'a>)>, Vec<Offer<'a>>, Vec<Offer<'a>>);

impl<'a> Sides<'a> {
    /// Pairs by item id, then a plan that went with a plan that came; what is left was removed or added.
    fn matched(mut self) -> Matched<'a> {
        let mut pairs = Vec::new();
        let same_item = |old: &Offer<'_>, new: &Offer<'_>| old.item.id == new.item.id;
        let both_plans = |old: &Offer<'_>, new: &Offer<'_>| {
            (old.item.role, new.item.role) == (ItemRole::Plan, ItemRole::Plan)
        };
        self.pair_off(&mut pairs, same_item);
        self.pair_off(&mut pairs, both_plans);
        (pairs, self.old, self.new)
    }

    fn pair_off(
        &mut self,
        pairs: &mut Vec<(Offer<'a>, Offer<'a>)>,
        belong: fn(&Offer<'_>, &Offer<'_>) -> bool,
    ) {
        let mut unmatched = Vec::new();
        for old in std::mem::take(&mut self.old) {
            match self.new.iter().position(|new| belong(&old, new)) {
                Some(index) => pairs.push((old, self.new.remove(index))),
                None => unmatched.push(old),
            }
        }
        self.old = unmatched;
    }
}

/// An amount of the old offer at the quantity of the new one, half to even.
fn rescaled(amount: Mrr, old: &Offer<'_>, new: &Offer<'_>) -> i128 {
    let (from, to) = (i128::from(old.item.quantity), i128::from(new.item.quantity));
    let scaled = amount.0.checked_mul(to).filter(|_| from > 0);
    // Nothing to scale from: the whole difference is then one of price.
    scaled.map_or(amount.0, |scaled| divide_half_even(scaled, from))
}

/// What the list price alone did, at the new quantity and rate.
fn list_effect(old: &Offer<'_>, new: &Offer<'_>) -> i128 {
    let (net, at_new_rate) = (old.line.mrr.0, old.at_rate_of(new));
    let old_list = if at_new_rate == old.line.mrr {
        old.line.list
    } else {
        // The list price moves with the rate as the net price does.
        let scaled = old.line.list.0.checked_mul(at_new_rate.0);
        let converted = scaled.filter(|_| net > 0);
        Mrr(converted.map_or(old.line.list.0, |scaled| divide_half_even(scaled, net)))
    };
    new.line.list.0 - rescaled(old_list, old, new)
}

const fn product(role: ItemRole) -> Cause {
    match role {
        ItemRole::Plan | ItemRole::ExtraProduct => Cause::ExtraProduct,
        ItemRole::Services => Cause::Services,
        ItemRole::Integration => Cause::Integration,
    }
}

const fn quantity_cause(role: ItemRole) -> Cause {
    match role {
        ItemRole::Plan => Cause::Seats,
        ItemRole::Services | ItemRole::Integration | ItemRole::ExtraProduct => product(role),
    }
}

/// A change of plan is an up- or downgrade only if both ranks are known and differ.
fn price_cause(old: &Item, new: &Item) -> Cause {
    match (old.plan_rank, new.plan_rank) {
        (Some(from), Some(to)) if from < to => Cause::PlanUpgrade,
        (Some(from), Some(to)) if from > to => Cause::PlanDowngrade,
        _ => Cause::Price,
    }
}
