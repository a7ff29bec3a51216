//! Special functions of real arguments: log-gamma, digamma, log-beta, the Gauss hypergeometric function.
//!
//! Formulas are quoted from the NIST Digital Library of Mathematical Functions (DLMF). Outside its domain a function
//! answers NaN, as `f64` functions of the standard library do; callers check their parameters before.

#[cfg(test)]
mod tests;

/// ln √(2π).
const HALF_LN_TWO_PI: f64 = 0.9189385332046728;

/// 1 − γ, with γ the Euler–Mascheroni constant.
const ONE_MINUS_EULER: f64 = 0.42278433509846713;

/// (ζ(k) − 1) / k for k = 2, 3, … 29: the coefficients of DLMF 5.7.3.
const ZETA_COEFFICIENTS: [f64; 28] = [
    0.3224670334241132,
    0.0673523010531981,
    0.020580808427784546,
    0.007385551028673986,
    0.0028905103307415234,
    0.001192753911703261,
    0.0005096695247430425,
    0.00022315475845357939,
    9.945751278180853e-05,
    4.492623673813314e-05,
    2.050721277567069e-05,
    9.439488275268397e-06,
    4.374866789907488e-06,
    2.039215753801366e-06,
    9.55141213040742e-07,
    4.492469198764566e-07,
    2.1207184805554665e-07,
    1.0043224823968099e-07,
    4.7698101693639804e-08,
    2.2711094608943164e-08,
    1.0838659214896955e-08,
    5.183475041970047e-09,
    2.4836745438024785e-09,
    1.1921401405860912e-09,
    5.731367241678862e-10,
    2.7595228851242334e-10,
    1.330476437424449e-10,
    6.4229645638381e-11,
];

/// From here on the asymptotic series below are exact to the last bit or two.
const ASYMPTOTIC_FROM: f64 = 10.0;

/// B₂ₖ / (2k (2k − 1)), k = 1 … 8: the coefficients of Stirling's series, DLMF 5.11.1.
const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// B₂ₖ / 2k, k = 1 … 8: the coefficients of DLMF 5.11.2.
const DIGAMMA: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32_760.0,
    1.0 / 12.0,
    -3617.0 / 8160.0,
];

/// ln Γ(x) for x > 0, with a relative error below 1e-13 (also beside its zeros 1 and 2); NaN for x ≤ 0.
///
/// Taylor series about 2 (DLMF 5.7.3) on 1.5 … 2.5, the recurrence Γ(x + 1) = x Γ(x) below 10, Stirling's series
/// (DLMF 5.11.1) from 10 on.
///
/// ```
/// use sextant_domain::special::ln_gamma;
///
/// assert!((ln_gamma(5.0) - 24.0_f64.ln()).abs() < 1e-14); // Γ(5) = 4!
/// ```
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    if x < 0.5 {
        return ln_gamma_of_two_plus(x) - x.ln_1p() - x.ln();
    }
    if x < 1.5 {
        return ln_gamma_of_two_plus(x - 1.0) - (x - 1.0).ln_1p();
    }
    if x < ASYMPTOTIC_FROM {
        let mut rest = x;
        let mut product = 1.0;
        while rest > 2.5 {
            rest -= 1.0;
            product *= rest;
        }
        return ln_gamma_of_two_plus(rest - 2.0) + f64::ln(product);
    }
    (x - 0.5) * x.ln() - x + HALF_LN_TWO_PI + stirling_correction(x)
}

/// ln Γ(2 + z) for |z| ≤ 0.5 (DLMF 5.7.3, with ln(1 + z) added on both sides).
fn ln_gamma_of_two_plus(z: f64) -> f64 {
    let mut power = -z;
    let mut sum = 0.0;
    for coefficient in ZETA_COEFFICIENTS {
        power *= -z;
        sum += coefficient * power;
    }
    z * ONE_MINUS_EULER + sum
}

/// What Stirling's formula lacks: ln Γ(x) − [(x − ½) ln x − x + ln √(2π)], for x ≥ 10.
fn stirling_correction(x: f64) -> f64 {
    horner(&STIRLING, 1.0 / (x * x)) / x
}

fn horner(coefficients: &[f64], at: f64) -> f64 {
    coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * at + coefficient)
}

/// ψ(x), the derivative of [`ln_gamma`], for x > 0; NaN for x ≤ 0. Absolute error below 1e-14 · max(1, |ψ(x)|).
///
/// Recurrence up to 10 (DLMF 5.5.2), asymptotic series from there (DLMF 5.11.2).
#[must_use]
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let mut shifted = x;
    let mut reciprocals = 0.0;
    while shifted < ASYMPTOTIC_FROM {
        reciprocals += 1.0 / shifted;
        shifted += 1.0;
    }
    let inverse_square = 1.0 / (shifted * shifted);
    shifted.ln() - 0.5 / shifted - inverse_square * horner(&DIGAMMA, inverse_square) - reciprocals
}

/// ln B(p, q) = ln Γ(p) + ln Γ(q) − ln Γ(p + q) for p, q > 0 (DLMF 5.12.1); NaN otherwise.
///
/// From 10 on the large parts of Stirling's formula are cancelled on paper instead of in floating point, so that
/// ln B(3, 10⁶) is as exact as ln B(3, 4).
#[must_use]
pub fn ln_beta(p: f64, q: f64) -> f64 {
    let (small, large) = if p < q { (p, q) } else { (q, p) };
    if small.is_nan() || large.is_nan() || small <= 0.0 {
        return f64::NAN;
    }
    if large < ASYMPTOTIC_FROM {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(small + large);
    }
    let sum = small + large;
    let ln_share_of_large = (-small / sum).ln_1p();
    let correction = stirling_correction(large) - stirling_correction(sum);
    if small < ASYMPTOTIC_FROM {
        return ln_gamma(small) + correction + small - small * sum.ln()
            + (large - 0.5) * ln_share_of_large;
    }
    HALF_LN_TWO_PI - 0.5 * large.ln()
        + stirling_correction(small)
        + correction
        + (small - 0.5) * (small / sum).ln()
        + large * ln_share_of_large
}

/// ln(eˣ + eʸ) without overflow; −∞ stands for ln 0.
///
/// ```
/// use sextant_domain::special::log_sum_exp;
///
/// assert!((log_sum_exp(-1000.0, -1000.0) - (2.0_f64.ln() - 1000.0)).abs() < 1e-12);
/// ```
#[must_use]
pub fn log_sum_exp(x: f64, y: f64) -> f64 {
    let largest = x.max(y);
    if largest.is_infinite() {
        return largest;
    }
    largest + (-(x - y).abs()).exp().ln_1p()
}

/// The three parameters of the Gauss hypergeometric function ₂F₁(a, b; c; ·). `c` is not 0, −1, −2 …
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hypergeometric {
    /// First upper parameter.
    pub a: f64,
    /// Second upper parameter.
    pub b: f64,
    /// Lower parameter.
    pub c: f64,
}

/// Where the power series about 0 hands over to Taylor steps.
const SERIES_UP_TO: f64 = 0.9;
/// Terms of one series. On the intervals below a series of the parameters that the models use needs a few hundred.
const MAX_TERMS: u32 = 100_000;
/// A series ends with a term this much smaller than its sum.
const NEGLIGIBLE: f64 = 1e-17;

/// Value of the function, its derivative, and its integral from 0, at one point.
#[derive(Debug, Clone, Copy)]
struct Local {
    value: f64,
    slope: f64,
    area: f64,
}

impl Hypergeometric {
    /// ₂F₁(a, b; c; z) for z < 1 (DLMF 15.2.1 and its continuation to the left); NaN for z ≥ 1 or a `c` out of range.
    ///
    /// Power series about 0 on |z| ≤ 0.9. Closer to 1 the function is continued by Taylor steps of the hypergeometric
    /// equation (DLMF 15.10.1), which has no special case where c − a − b is an integer. Left of 0 the Pfaff transform
    /// (DLMF 15.8.1) maps to 0 … 1.
    ///
    /// ```
    /// use sextant_domain::special::Hypergeometric;
    ///
    /// // 2F1(1, 1; 2; z) = −ln(1 − z) / z
    /// let f = Hypergeometric { a: 1.0, b: 1.0, c: 2.0 };
    /// assert!((f.value(0.5) - 2.0 * 2.0_f64.ln()).abs() < 1e-14);
    /// ```
    #[must_use]
    pub fn value(&self, z: f64) -> f64 {
        if !self.covers(z) {
            return f64::NAN;
        }
        if z < 0.0 {
            let mirrored = Self {
                b: self.c - self.b,
                ..*self
            };
            return (-self.a * (-z).ln_1p()).exp() * mirrored.continued(z / (z - 1.0)).value;
        }
        self.continued(z).value
    }

    /// ∫₀ᶻ ₂F₁(a, b; c; u) du for 0 ≤ z < 1; NaN elsewhere.
    #[must_use]
    pub fn integral(&self, z: f64) -> f64 {
        if self.covers(z) && z >= 0.0 {
            self.continued(z).area
        } else {
            f64::NAN
        }
    }

    fn covers(&self, z: f64) -> bool {
        let c_is_a_pole = self.c <= 0.0 && self.c.fract() == 0.0;
        !c_is_a_pole
            && !self.a.is_nan()
            && !self.b.is_nan()
            && self.c.is_finite()
            && z < 1.0
            && z > f64::NEG_INFINITY
    }

    fn continued(&self, z: f64) -> Local {
        let mut at = z.min(self.start_of_steps());
        let mut local = self.series(at);
        while at < z && local.value.is_finite() {
            // The step is what really lies between the two rounded points: close to 1 the difference matters.
            let next = z.min(at + self.step_at(at));
            local = self.advance(local, at, next - at);
            at = next;
        }
        local
    }

    /// How far the power series about 0 goes. A large negative upper parameter makes its terms alternate and cancel, so
    /// it hands over while the terms are still moderate.
    fn start_of_steps(&self) -> f64 {
        let (most_negative, other) = if self.a < self.b {
            (self.a, self.b)
        } else {
            (self.b, self.a)
        };
        let growth = -most_negative * (other / self.c).abs().max(1.0);
        if growth > 4.0 {
            (4.0 / growth).min(SERIES_UP_TO)
        } else {
            SERIES_UP_TO
        }
    }

    /// A step well inside the circle of convergence (the singular points are 0 and 1), and short enough that no
    /// solution of the equation changes by more than a few powers of e over it.
    fn step_at(&self, at: f64) -> f64 {
        let excess = self.c - self.a - self.b;
        let steepest = [self.a, self.b, self.c, excess]
            .into_iter()
            .fold(10.0_f64, |most, exponent| most.max(exponent.abs()));
        at.min(1.0 - at) * 4.0 / steepest
    }

    fn series(&self, z: f64) -> Local {
        let mut term = 1.0;
        let mut local = Local {
            value: 1.0,
            slope: 0.0,
            area: z,
        };
        let mut slope_by_z = 0.0;
        let mut m = 0.0;
        for _ in 0..MAX_TERMS {
            let ratio = (self.a + m) * (self.b + m) / ((self.c + m) * (m + 1.0)) * z;
            term *= ratio;
            m += 1.0;
            local.value += term;
            local.area += term * z / (m + 1.0);
            slope_by_z += term * m;
            if ratio.abs() < 1.0
                && (term * m).abs() <= NEGLIGIBLE * (slope_by_z.abs() + local.value.abs())
            {
                local.slope = if z > 0.0 {
                    slope_by_z / z
                } else {
                    self.a * self.b / self.c
                };
                return local;
            }
        }
        Local {
            value: f64::NAN,
            slope: f64::NAN,
            area: f64::NAN,
        }
    }

    /// One Taylor step of length `h` from the point `at`. The coefficients uₖ of the expansion obey
    /// at (1 − at) (k + 1)(k + 2) uₖ₊₂ = (k + a)(k + b) uₖ − (k + 1)[(1 − 2 at) k + c − (a + b + 1) at] uₖ₊₁,
    /// which is the hypergeometric equation, compared power by power. Computed are the terms uₖ hᵏ: close to 1 the
    /// coefficients alone would overflow.
    fn advance(&self, from: Local, at: f64, h: f64) -> Local {
        let leading = at * (1.0 - at);
        let constant = self.c - (self.a + self.b + 1.0) * at;
        let (mut term, mut next) = (from.value, from.slope * h);
        let mut sums = Local {
            value: 0.0,
            slope: 0.0,
            area: 0.0,
        };
        let mut k = 0.0;
        for _ in 0..MAX_TERMS {
            let slope_term = (k + 1.0) * next / h;
            sums.value += term;
            sums.slope += slope_term;
            sums.area += term * h / (k + 1.0);
            let small = term.abs() <= NEGLIGIBLE * sums.value.abs()
                && slope_term.abs() <= NEGLIGIBLE * sums.slope.abs();
            if small {
                return Local {
                    area: from.area + sums.area,
                    ..sums
                };
            }
            let by_term = (k + self.a) * (k + self.b) * h * term;
            let by_next = (k + 1.0) * ((1.0 - 2.0 * at) * k + constant) * next;
            (term, next) = (
                next,
                (by_term - by_next) * h / (leading * (k + 1.0) * (k + 2.0)),
            );
            k += 1.0;
        }
        Local {
            value: f64::NAN,
            slope: f64::NAN,
            area: f64::NAN,
        }
    }
}
