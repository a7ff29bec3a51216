//! Lifetime value from purchases: BG/NBD counts times Gamma-Gamma values.

use super::{
    Clv, Error, Horizon, Interval, Method, MonthlyDiscount, Months, Z_95, discount_factor,
};
use crate::bgnbd::{self, History, Weeks};
use crate::gamma_gamma::{self, Spend};
use crate::money::Currency;

/// Covariances of the logarithms of the parameters, in the order of the fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uncertainty {
    /// Of ln r, ln alpha, ln a, ln b.
    pub counts: [[f64; 4]; 4],
    /// Of ln p, ln q, ln gamma.
    pub values: [[f64; 3]; 3],
}

/// What is known about purchases: both models, and how well they were fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PurchaseModel {
    /// How often accounts buy.
    pub counts: bgnbd::Params,
    /// What a purchase is worth.
    pub values: gamma_gamma::Params,
    /// Currency of the purchases.
    pub currency: Currency,
    /// Accounts that `counts` was fitted on.
    pub n: u64,
    /// How uncertain the parameters are, for the interval.
    pub uncertainty: Option<Uncertainty>,
}

/// What is expected of every account with one history of purchases, whatever its purchases are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Probability that the account still buys, 0 … 1; 1 before the first repeat purchase.
    pub alive: f64,
    /// Purchases expected within the horizon.
    pub purchases: f64,
    /// The same, each month's discounted from its end.
    pub discounted_purchases: f64,
}

impl PurchaseModel {
    /// The models of two fits on purchases in `currency`.
    #[must_use]
    pub fn from_fits(counts: &bgnbd::Fit, values: &gamma_gamma::Fit, currency: Currency) -> Self {
        Self {
            counts: counts.params,
            values: values.params,
            currency,
            n: counts.accounts,
            uncertainty: Some(Uncertainty {
                counts: counts.covariance,
                values: values.covariance,
            }),
        }
    }

    /// What is expected in the `months` after the end of an observation, of [`bgnbd::WEEKS_PER_MONTH`] weeks each.
    #[must_use]
    pub fn outlook(&self, history: &History, months: Months, discount: MonthlyDiscount) -> Outlook {
        let (purchases, discounted_purchases) =
            expected_purchases(&self.counts, history, months, discount);
        Outlook {
            alive: self.counts.alive(history).probability(),
            purchases,
            discounted_purchases,
        }
    }

    /// Value of one account's purchases in the `months` after the end of its observation, each month's discounted from its
    /// end: `Σᵢ E[M] (E[Y(i)] − E[Y(i − 1)]) / (1 + d)ⁱ`, i = 1 … `months` of [`bgnbd::WEEKS_PER_MONTH`] weeks.
    ///
    /// # Errors
    /// `spend` does not have the repeat purchases of `history`.
    pub fn account(
        &self,
        history: &History,
        spend: Option<&Spend>,
        months: Months,
        discount: MonthlyDiscount,
    ) -> Result<Clv, Error> {
        let repeats = spend.map_or(0, Spend::repeats);
        if repeats != history.repeats() {
            return Err(Error::RepeatsDiffer {
                history: history.repeats(),
                spend: repeats,
            });
        }
        let (_, purchases) = expected_purchases(&self.counts, history, months, discount);
        let value_minor = purchases * self.values.expected_value(spend);
        let interval = self
            .relative_deviation(history, spend, months, discount)
            .map(|deviation| {
                let factor = (Z_95 * deviation).exp();
                Interval {
                    low_minor: value_minor / factor,
                    high_minor: value_minor * factor,
                }
            });
        Ok(Clv {
            value_minor,
            currency: self.currency,
            method: Method::Purchases,
            horizon: Horizon::Months(months),
            n: self.n,
            interval,
        })
    }

    /// Standard deviation of ln CLV by the delta method. The two models are fitted apart, their errors count as independent.
    fn relative_deviation(
        &self,
        history: &History,
        spend: Option<&Spend>,
        months: Months,
        discount: MonthlyDiscount,
    ) -> Option<f64> {
        let Uncertainty {
            counts: of_counts,
            values: of_values,
        } = self.uncertainty?;
        let counts = [
            self.counts.r(),
            self.counts.alpha().get(),
            self.counts.a(),
            self.counts.b(),
        ];
        let by_counts = log_gradient(counts, |[r, alpha, a, b]| {
            let params = bgnbd::Params::new(r, Weeks::new(alpha), a, b).ok()?;
            Some(expected_purchases(&params, history, months, discount).1)
        })?;
        let values = [self.values.p(), self.values.q(), self.values.gamma_minor()];
        let by_values = log_gradient(values, |[p, q, gamma]| {
            Some(
                gamma_gamma::Params::new(p, q, gamma)
                    .ok()?
                    .expected_value(spend),
            )
        })?;
        let variance = variance(&of_counts, &by_counts) + variance(&of_values, &by_values);
        (variance >= 0.0).then(|| variance.sqrt())
    }
}

/// Derivatives of ln f with respect to the logarithms of its arguments; `None` where they do not exist.
fn log_gradient<const N: usize>(
    at: [f64; N],
    f: impl Fn([f64; N]) -> Option<f64>,
) -> Option<[f64; N]> {
    const STEP: f64 = 1e-4;
    let mut gradient = [0.0; N];
    for (i, slope) in gradient.iter_mut().enumerate() {
        let shifted = |step: f64| {
            let mut point = at;
            point[i] *= step.exp();
            f(point).map(f64::ln)
        };
        *slope = (shifted(STEP)? - shifted(-STEP)?) / (2.0 * STEP);
    }
    gradient
        .iter()
        .all(|slope| slope.is_finite())
        .then_some(gradient)
}

/// gᵀ C g.
fn variance<const N: usize>(covariance: &[[f64; N]; N], gradient: &[f64; N]) -> f64 {
    let row = |cells: &[f64; N]| {
        cells
            .iter()
            .zip(gradient)
            .map(|(cell, slope)| cell * slope)
            .sum::<f64>()
    };
    covariance
        .iter()
        .zip(gradient)
        .map(|(cells, slope)| slope * row(cells))
        .sum()
}

/// Purchases in the `months` after the end of an observation: their number, and the sum of each month's, discounted.
fn expected_purchases(
    params: &bgnbd::Params,
    history: &History,
    months: Months,
    discount: MonthlyDiscount,
) -> (f64, f64) {
    let mut discounted = 0.0;
    let mut before = 0.0;
    for month in 1..=months.0 {
        let until = params.expected_future_purchases(history, Weeks::from_months(f64::from(month)));
        discounted += (until - before) * discount_factor(discount, month);
        before = until;
    }
    (before, discounted)
}
