//! Exact fractions, for prices and exchange rates: everything else about money is integer addition.

/// A fraction with a positive denominator, not necessarily in lowest terms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exact {
    numerator: i128,
    denominator: i128,
}

impl Exact {
    /// A whole number.
    pub(crate) const fn whole(value: i128) -> Self {
        Self {
            numerator: value,
            denominator: 1,
        }
    }

    /// `numerator / denominator`, for a denominator that is positive by its type.
    pub(crate) fn ratio(numerator: i128, denominator: std::num::NonZeroU32) -> Self {
        Self {
            numerator,
            denominator: i128::from(denominator.get()),
        }
    }

    /// The product; `None` if it does not fit even in lowest terms.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        let product = |a: Self, b: Self| {
            Some(Self {
                numerator: a.numerator.checked_mul(b.numerator)?,
                denominator: a.denominator.checked_mul(b.denominator)?,
            })
        };
        // Reducing costs far more than multiplying, and is almost never needed.
        product(self, other).or_else(|| {
            let left = Self {
                numerator: self.numerator,
                denominator: other.denominator,
            }
            .reduced();
            let right = Self {
                numerator: other.numerator,
                denominator: self.denominator,
            }
            .reduced();
            product(left, right)
        })
    }

    /// The difference, or zero if it is negative; `None` if it does not fit even in lowest terms.
    pub(crate) fn minus_down_to_zero(self, other: Self) -> Option<Self> {
        let difference = |a: Self, b: Self| {
            let left = a.numerator.checked_mul(b.denominator)?;
            let right = b.numerator.checked_mul(a.denominator)?;
            let denominator = a.denominator.checked_mul(b.denominator)?;
            Some(Self {
                numerator: left.checked_sub(right)?.max(0),
                denominator,
            })
        };
        difference(self, other).or_else(|| difference(self.reduced(), other.reduced()))
    }

    /// The nearest integer, the even one of two equally near.
    pub(crate) fn round_half_even(self) -> i128 {
        divide_half_even(self.numerator, self.denominator)
    }

    fn reduced(self) -> Self {
        let divisor = greatest_common_divisor(
            self.numerator.unsigned_abs(),
            self.denominator.unsigned_abs(),
        );
        // The divisor divides the denominator, a positive i128.
        let divisor = i128::try_from(divisor).unwrap_or(1).max(1);
        Self {
            numerator: self.numerator / divisor,
            denominator: self.denominator / divisor,
        }
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `numerator / denominator` rounded to the nearest integer, the even one of two equally near. The denominator is
/// positive.
pub(crate) fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let remainder = numerator.rem_euclid(denominator);
    match remainder.cmp(&(denominator - remainder)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}
