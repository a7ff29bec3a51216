//! A minimiser for the likelihoods of this crate: smooth functions of a few unbounded parameters (logarithms of positive
//! ones), with analytic gradients.
//!
//! BFGS with a weak Wolfe line search (Nocedal & Wright, "Numerical Optimization", 2nd ed., algorithm 6.1; bisection as in
//! Lewis & Overton 2013). Where it gets stuck, a Nelder–Mead simplex (Nelder & Mead 1965) moves it on. A minimum is
//! trusted only if the gradient vanishes there, three starts agree on it, and the function is curved in every direction.

use std::fmt;

use self::matrix::{
    difference, dot, identity, invert_positive_definite, largest_difference, negated_product,
};
use self::simplex::simplex_search;

mod matrix;
mod simplex;
#[cfg(test)]
mod tests;

/// Value and gradient of the function at one point. Not finite where the function is not defined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation<const N: usize> {
    /// The function's value.
    pub value: f64,
    /// Its partial derivatives.
    pub gradient: [f64; N],
}

impl<const N: usize> Evaluation<N> {
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.gradient.iter().all(|slope| slope.is_finite())
    }

    fn gradient_norm(&self) -> f64 {
        self.gradient
            .iter()
            .fold(0.0, |most: f64, slope| most.max(slope.abs()))
    }
}

/// When to stop. The function should be scaled so that its value and its parameters are of order 1, for example a mean
/// log-likelihood per account over logarithms of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Converged when no partial derivative exceeds this.
    pub gradient_tolerance: f64,
    /// Steps of one descent.
    pub max_iterations: u32,
    /// A parameter beyond ± this has run away: the minimum lies at infinity.
    pub bound: f64,
    /// Starts agree if no parameter differs by more than this.
    pub agreement: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gradient_tolerance: 1e-8,
            max_iterations: 200,
            bound: 20.0,
            agreement: 1e-3,
        }
    }
}

/// A point at which the gradient vanishes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minimum<const N: usize> {
    /// The point.
    pub at: [f64; N],
    /// The function's value there.
    pub value: f64,
    /// Largest absolute partial derivative there.
    pub gradient_norm: f64,
    /// BFGS steps taken.
    pub iterations: u32,
}

/// A minimum that three starts agree on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreed<const N: usize> {
    /// The lowest of the three.
    pub minimum: Minimum<N>,
    /// Inverse of the matrix of second derivatives there, positive definite. For a mean negative log-likelihood of n
    /// accounts, this divided by n is the covariance of the estimate.
    pub inverse_hessian: [[f64; N]; N],
}

/// Why there is no minimum to trust.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Failure {
    /// The function is not finite at the start.
    StartNotFinite,
    /// No descent to a vanishing gradient.
    NotConverged {
        /// Largest absolute partial derivative where it stopped.
        gradient_norm: f64,
        /// BFGS steps taken.
        iterations: u32,
    },
    /// A parameter grew beyond its bound: the minimum lies at infinity.
    RanAway {
        /// Position of the parameter.
        parameter: usize,
    },
    /// Two starts ended at different points.
    StartsDisagree {
        /// Position of the parameter that differs most.
        parameter: usize,
        /// By how much it differs.
        spread: f64,
    },
    /// The function is not curved upwards in every direction: the parameters are not identified.
    Flat,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartNotFinite => write!(f, "function is not finite at the start"),
            Self::NotConverged {
                gradient_norm,
                iterations,
            } => {
                write!(
                    f,
                    "gradient is still {gradient_norm:e} after {iterations} steps"
                )
            },
            Self::RanAway { parameter } => write!(f, "parameter {parameter} grows without bound"),
            Self::StartsDisagree { parameter, spread } => {
                write!(
                    f,
                    "starts end at different points, parameter {parameter} differs by {spread:e}"
                )
            },
            Self::Flat => write!(
                f,
                "function is flat at its minimum, the parameters are not identified"
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// Descends from three starts and accepts the result only if all converge to the same curved minimum.
///
/// ```
/// use sextant_domain::optimize::{Evaluation, Settings, minimize_from};
///
/// // (x − 1)² + 2 (y + 3)²
/// let bowl = |p: &[f64; 2]| Evaluation {
///     value: (p[0] - 1.0).powi(2) + 2.0 * (p[1] + 3.0).powi(2),
///     gradient: [2.0 * (p[0] - 1.0), 4.0 * (p[1] + 3.0)],
/// };
/// let agreed = minimize_from(bowl, &[[0.0, 0.0], [2.0, 2.0], [-5.0, 1.0]], &Settings::default())?;
/// assert!((agreed.minimum.at[0] - 1.0).abs() < 1e-8 && (agreed.minimum.at[1] + 3.0).abs() < 1e-8);
/// assert!((agreed.inverse_hessian[1][1] - 0.25).abs() < 1e-6);
/// # Ok::<(), sextant_domain::optimize::Failure>(())
/// ```
///
/// # Errors
/// One of the descents failed, they disagree, or the minimum is flat.
pub fn minimize_from<const N: usize>(
    function: impl Fn(&[f64; N]) -> Evaluation<N>,
    starts: &[[f64; N]; 3],
    settings: &Settings,
) -> Result<Agreed<N>, Failure> {
    let first = minimize(&function, starts[0], settings)?;
    let mut minimum = first;
    for start in &starts[1..] {
        let other = minimize(&function, *start, settings)?;
        let (parameter, spread) = largest_difference(&first.at, &other.at);
        if spread > settings.agreement {
            return Err(Failure::StartsDisagree { parameter, spread });
        }
        if other.value < minimum.value {
            minimum = other;
        }
    }
    let inverse_hessian = inverse_hessian(&function, &minimum.at).ok_or(Failure::Flat)?;
    Ok(Agreed {
        minimum,
        inverse_hessian,
    })
}

/// Descends from one start to a point where the gradient vanishes.
///
/// # Errors
/// The function is not finite at the start, the descent ran away, or it did not converge even after a simplex search.
pub fn minimize<const N: usize>(
    function: impl Fn(&[f64; N]) -> Evaluation<N>,
    start: [f64; N],
    settings: &Settings,
) -> Result<Minimum<N>, Failure> {
    let stuck = match descend(&function, start, settings)? {
        Descent::Converged(minimum) => return Ok(minimum),
        Descent::Stuck { at, .. } => at,
    };
    let moved_on = simplex_search(|point| function(point).value, stuck);
    match descend(&function, moved_on, settings)? {
        Descent::Converged(minimum) => Ok(minimum),
        Descent::Stuck {
            gradient_norm,
            iterations,
            ..
        } => Err(Failure::NotConverged {
            gradient_norm,
            iterations,
        }),
    }
}

enum Descent<const N: usize> {
    Converged(Minimum<N>),
    Stuck {
        at: [f64; N],
        gradient_norm: f64,
        iterations: u32,
    },
}

fn descend<const N: usize>(
    function: &impl Fn(&[f64; N]) -> Evaluation<N>,
    start: [f64; N],
    settings: &Settings,
) -> Result<Descent<N>, Failure> {
    let mut at = start;
    let mut here = function(&at);
    if !here.is_finite() {
        return Err(Failure::StartNotFinite);
    }
    let mut inverse = identity::<N>();
    for iterations in 0..settings.max_iterations {
        let gradient_norm = here.gradient_norm();
        if let Some(parameter) = at.iter().position(|p| p.abs() > settings.bound) {
            return Err(Failure::RanAway { parameter });
        }
        if gradient_norm <= settings.gradient_tolerance {
            return Ok(Descent::Converged(Minimum {
                at,
                value: here.value,
                gradient_norm,
                iterations,
            }));
        }
        let mut direction = negated_product(&inverse, &here.gradient);
        if dot(&direction, &here.gradient) >= 0.0 {
            inverse = identity();
            direction = here.gradient.map(|slope| -slope);
        }
        shorten(&mut direction);
        let Some((next, there)) = line_search(function, &at, &here, &direction) else {
            return Ok(Descent::Stuck {
                at,
                gradient_norm,
                iterations,
            });
        };
        update_inverse(
            &mut inverse,
            &difference(&next, &at),
            &difference(&there.gradient, &here.gradient),
            iterations == 0,
        );
        (at, here) = (next, there);
    }
    Ok(Descent::Stuck {
        at,
        gradient_norm: here.gradient_norm(),
        iterations: settings.max_iterations,
    })
}

/// On a logarithmic scale a step of 2 is a factor of seven: far enough at once.
fn shorten<const N: usize>(direction: &mut [f64; N]) {
    const LONGEST: f64 = 2.0;
    let length = dot(direction, direction).sqrt();
    if length > LONGEST {
        direction.iter_mut().for_each(|d| *d *= LONGEST / length);
    }
}

/// A point along `direction` that descends enough and where the slope has flattened (weak Wolfe conditions). So close to
/// the minimum that the function's own rounding exceeds what a step gains, the slopes decide alone (the approximate Wolfe
/// condition of Hager & Zhang 2005).
fn line_search<const N: usize>(
    function: &impl Fn(&[f64; N]) -> Evaluation<N>,
    at: &[f64; N],
    here: &Evaluation<N>,
    direction: &[f64; N],
) -> Option<([f64; N], Evaluation<N>)> {
    const DESCENT: f64 = 1e-4;
    const FLATTENING: f64 = 0.9;
    const ROUNDING: f64 = 1e-10;
    let slope = dot(&here.gradient, direction);
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..60 {
        let next: [f64; N] = std::array::from_fn(|i| at[i] + length * direction[i]);
        let there = function(&next);
        let slope_there = dot(&there.gradient, direction);
        let descends = there.value <= here.value + DESCENT * length * slope;
        let level = there.value <= here.value + ROUNDING * here.value.abs()
            && slope_there <= (2.0 * DESCENT - 1.0) * slope;
        if !there.is_finite() || !(descends || level) {
            high = length;
        } else if slope_there < FLATTENING * slope {
            low = length;
        } else {
            return Some((next, there));
        }
        length = if high.is_finite() {
            f64::midpoint(low, high)
        } else {
            2.0 * low
        };
    }
    None
}

/// The BFGS update of the inverse Hessian (Nocedal & Wright 6.17); before the first one it is scaled (6.20).
fn update_inverse<const N: usize>(
    inverse: &mut [[f64; N]; N],
    step: &[f64; N],
    change: &[f64; N],
    first: bool,
) {
    let curvature = dot(step, change);
    if curvature <= f64::EPSILON * dot(change, change) {
        return;
    }
    if first {
        let scale = curvature / dot(change, change);
        *inverse = identity();
        inverse.iter_mut().flatten().for_each(|cell| *cell *= scale);
    }
    let pushed = negated_product(inverse, change).map(|p| -p);
    let weight = (1.0 + dot(change, &pushed) / curvature) / curvature;
    for i in 0..N {
        for j in 0..N {
            inverse[i][j] += weight * step[i] * step[j]
                - (pushed[i] * step[j] + step[i] * pushed[j]) / curvature;
        }
    }
}

/// Second derivatives by central differences of the gradient, inverted; `None` unless positive definite.
fn inverse_hessian<const N: usize>(
    function: &impl Fn(&[f64; N]) -> Evaluation<N>,
    at: &[f64; N],
) -> Option<[[f64; N]; N]> {
    const STEP: f64 = 1e-4;
    let mut hessian = [[0.0; N]; N];
    for i in 0..N {
        let (mut up, mut down) = (*at, *at);
        up[i] += STEP;
        down[i] -= STEP;
        let change = difference(&function(&up).gradient, &function(&down).gradient);
        for j in 0..N {
            hessian[i][j] += change[j] / (4.0 * STEP);
            hessian[j][i] += change[j] / (4.0 * STEP);
        }
    }
    invert_positive_definite(&hessian)
}
