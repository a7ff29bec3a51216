//! From prices to recurring revenue: `unit_amount × quantity × (1 − recurring discount) × k(interval) / interval_count`
//! with k = 365/12 for a day, 52/12 for a week, 1 for a month and 1/12 for a year, as an exact fraction that is
//! rounded once.

use crate::exact::Exact;
use crate::money::Currency;
use crate::mrr::{Error, FiniteCoupon, MetricPolicy, Mrr};
use crate::subscription::Segment;
use crate::subscription::{Discount, DiscountOff, Interval, Item, Subscription, UsageType};
use crate::time::Instant;

/// A discount of 1 000 000 millionths takes everything.
const FULL_PPM: u32 = 1_000_000;

/// One licensed item as recurring revenue.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Index of the item within its subscription.
    pub(crate) item: usize,
    /// After discounts.
    pub(crate) mrr: Mrr,
    /// Before discounts.
    pub(crate) list: Mrr,
    /// After discounts, in minor units of the item's own currency, not rounded.
    pub(crate) native: Exact,
}

impl Line {
    /// This line's amount at another item's rate: what it would be if only the rate had changed. `None` if that does
    /// not fit.
    pub(crate) fn at_rate_of(&self, item: &Item) -> Option<Mrr> {
        into_base(self.native, item)
    }
}

/// The prices of one state of a subscription over time: one segment, and one more for every coupon that ends.
pub(crate) fn segments(
    subscription: &Subscription,
    policy: &MetricPolicy,
) -> Result<Vec<Segment>, Error> {
    check_amounts(subscription)?;
    let discounts = || {
        subscription
            .items
            .iter()
            .flat_map(|item| &item.discounts)
            .chain(&subscription.discounts)
    };
    let mut starts = vec![Instant(i64::MIN)];
    if policy.finite_coupon == FiniteCoupon::Subtract {
        starts.extend(discounts().filter_map(|discount| discount.duration.ends_at()));
    }
    starts.sort_unstable();
    starts.dedup();

    let mut segments = Vec::with_capacity(starts.len());
    for from in starts {
        let applies =
            |discount: &Discount| match (discount.duration.ends_at(), policy.finite_coupon) {
                (None, _) => true,
                (Some(ends_at), FiniteCoupon::Subtract) => from < ends_at,
                (Some(_), FiniteCoupon::Ignore) => false,
            };
        let too_large = || Error::AmountTooLarge {
            subscription: subscription.id.clone(),
        };
        let lines = lines(subscription, &applies).ok_or_else(too_large)?;
        let total = lines.iter().map(|line| line.mrr).sum();
        segments.push(Segment { from, lines, total });
    }
    Ok(segments)
}

/// What an item comes to in a month before discounts, in minor units of the reporting currency, rounded up; `None` if it
/// cannot be computed, and zero where it is metered.
#[must_use]
pub fn monthly_list_minor(item: &Item) -> Option<i128> {
    if item.usage_type == UsageType::Metered {
        return Some(0);
    }
    let list = into_base(monthly(list(item)?, item)?, item)?;
    Some(list.0.div_euclid(Mrr::UNITS_PER_MINOR) + i128::from(list.0 % Mrr::UNITS_PER_MINOR != 0))
}

/// The one reporting currency of an account's subscriptions: that of the items' rates, else of the items themselves.
pub(crate) fn common_currency<'a>(
    subscriptions: impl Iterator<Item = &'a Subscription>,
) -> Result<Option<Currency>, Error> {
    let mut common = None;
    for subscription in subscriptions {
        for item in &subscription.items {
            let right = item.rate.map_or(item.currency, |rate| rate.base());
            let left = *common.get_or_insert(right);
            if left != right {
                return Err(Error::BaseMixed {
                    subscription: subscription.id.clone(),
                    left,
                    right,
                });
            }
        }
    }
    Ok(common)
}

fn check_amounts(subscription: &Subscription) -> Result<(), Error> {
    let id = || subscription.id.clone();
    for item in &subscription.items {
        let (left, right) = (subscription.items[0].currency, item.currency);
        if left != right {
            return Err(Error::CurrencyMixed {
                subscription: id(),
                left,
                right,
            });
        }
        if item.unit_amount_minor < 0 {
            let unit_amount_minor = item.unit_amount_minor;
            return Err(Error::AmountNegative {
                subscription: id(),
                item: item.id.clone(),
                unit_amount_minor,
            });
        }
    }
    for discount in subscription
        .items
        .iter()
        .flat_map(|item| &item.discounts)
        .chain(&subscription.discounts)
    {
        match discount.off {
            DiscountOff::Percent { ppm } if ppm > FULL_PPM => {
                return Err(Error::DiscountTooLarge {
                    subscription: id(),
                    ppm,
                });
            },
            DiscountOff::Percent { .. } | DiscountOff::Amount { .. } => {},
        }
    }
    Ok(())
}

/// `None` if an amount does not fit.
fn lines(subscription: &Subscription, applies: &dyn Fn(&Discount) -> bool) -> Option<Vec<Line>> {
    let mut amounts = Vec::with_capacity(subscription.items.len());
    for (index, item) in subscription.items.iter().enumerate() {
        if item.usage_type == UsageType::Metered {
            continue;
        }
        let list = list(item)?;
        let mut net = list;
        for discount in item.discounts.iter().filter(|discount| applies(discount)) {
            net = match discount.off {
                DiscountOff::Percent { ppm } => net.times(remaining_share(ppm))?,
                DiscountOff::Amount { minor } => {
                    net.minus_down_to_zero(Exact::whole(minor.into()))?
                },
            };
        }
        amounts.push(Amount {
            index,
            item,
            list,
            net,
        });
    }
    for discount in subscription
        .discounts
        .iter()
        .filter(|discount| applies(discount))
    {
        match discount.off {
            DiscountOff::Percent { ppm } => {
                for amount in &mut amounts {
                    amount.net = amount.net.times(remaining_share(ppm))?;
                }
            },
            DiscountOff::Amount { minor } => take_off(&mut amounts, minor)?,
        }
    }
    amounts.into_iter().map(Amount::into_line).collect()
}

/// An item's price for one billing period.
fn list(item: &Item) -> Option<Exact> {
    let (unit, quantity) = (
        i128::from(item.unit_amount_minor),
        i128::from(item.quantity),
    );
    unit.checked_mul(quantity).map(Exact::whole)
}

/// One item's amount per billing period, before and after discounts.
struct Amount<'a> {
    index: usize,
    item: &'a Item,
    list: Exact,
    net: Exact,
}

impl Amount<'_> {
    fn into_line(self) -> Option<Line> {
        let native = monthly(self.net, self.item)?;
        let list = into_base(monthly(self.list, self.item)?, self.item)?;
        Some(Line {
            item: self.index,
            mrr: into_base(native, self.item)?,
            list,
            native,
        })
    }
}

/// Takes a fixed amount from the items billed with the first one, item by item, until it is used up.
fn take_off(amounts: &mut [Amount<'_>], minor: u64) -> Option<()> {
    let period = |item: &Item| (item.interval, item.interval_count);
    let mut left = Exact::whole(minor.into());
    let invoice = amounts.first().map(|amount| period(amount.item));
    for amount in amounts
        .iter_mut()
        .filter(|amount| Some(period(amount.item)) == invoice)
    {
        let before = amount.net;
        amount.net = before.minus_down_to_zero(left)?;
        left = left.minus_down_to_zero(before)?;
    }
    Some(())
}

fn remaining_share(ppm: u32) -> Exact {
    let full = std::num::NonZeroU32::MIN.saturating_add(FULL_PPM - 1);
    Exact::ratio(i128::from(FULL_PPM.saturating_sub(ppm)), full)
}

fn monthly(amount: Exact, item: &Item) -> Option<Exact> {
    let twelve = const { std::num::NonZeroU32::MIN.saturating_add(11) };
    let k = match item.interval {
        Interval::Day => Exact::ratio(365, twelve),
        Interval::Week => Exact::ratio(52, twelve),
        Interval::Month => Exact::whole(1),
        Interval::Year => Exact::ratio(1, twelve),
    };
    amount.times(k)?.times(Exact::ratio(1, item.interval_count))
}

/// Rounds an exact monthly amount in the item's minor units to [`Mrr`] in the reporting currency; `None` if that does not fit
/// 64 bits.
fn into_base(native: Exact, item: &Item) -> Option<Mrr> {
    let units = native.times(Exact::whole(Mrr::UNITS_PER_MINOR))?;
    let units = match item.rate {
        Some(rate) => rate.times(units, item.currency)?,
        None => units,
    };
    let mrr = units.round_half_even();
    i64::try_from(mrr).ok().map(|_fits| Mrr(mrr))
}
