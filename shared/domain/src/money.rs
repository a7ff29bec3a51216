//! Money: integer minor units of an ISO 4217 currency. Never a float.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use crate::exact::Exact;

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Codes in circulation with their number of decimal places (ISO 4217, list one).
const EXPONENT_NOT_TWO: &[(&str, u8)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];
const EXPONENT_TWO: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD \
    NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP \
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG";

/// Why an amount or a currency is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Not a currency of ISO 4217.
    CurrencyUnknown {
        /// What was given.
        code: String,
    },
    /// Two amounts of different currencies cannot be added.
    CurrencyMismatch {
        /// Currency of the left amount.
        left: Currency,
        /// Currency of the right amount.
        right: Currency,
    },
    /// The sum does not fit 64 bits.
    Overflow,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CurrencyUnknown { code } => {
                write!(f, "\"{code}\" is no ISO 4217 currency code such as USD")
            },
            Self::CurrencyMismatch { left, right } => {
                write!(f, "{left} and {right} cannot be added")
            },
            Self::Overflow => write!(f, "amount does not fit 64 bits"),
        }
    }
}

impl std::error::Error for Error {}

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads an upper-case ISO 4217 code.
    ///
    /// # Errors
    /// The code is not in circulation.
    pub fn parse(code: &str) -> Result<Self, Error> {
        let unknown = || Error::CurrencyUnknown {
            code: code.to_owned(),
        };
        let bytes: [u8; 3] = code
            .as_bytes()
            .try_into()
            .map_err(|_wrong_length| unknown())?;
        let known = EXPONENT_TWO.split(' ').any(|two| two.trim() == code)
            || EXPONENT_NOT_TWO.iter().any(|(other, _)| *other == code);
        if known {
            Ok(Self(bytes))
        } else {
            Err(unknown())
        }
    }

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimal places of the minor unit: 2 for USD, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn exponent(&self) -> u8 {
        EXPONENT_NOT_TWO
            .iter()
            .find(|(code, _)| *code == self.code())
            .map_or(2, |(_, exponent)| *exponent)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units of a currency: 1299 USD is $12.99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Amount in minor units.
    pub minor: i64,
    /// Its currency.
    pub currency: Currency,
}

impl Money {
    /// An amount.
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// The currencies differ, or the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, Error> {
        if self.currency != other.currency {
            return Err(Error::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            });
        }
        let minor = self.minor.checked_add(other.minor).ok_or(Error::Overflow)?;
        Ok(Self {
            minor,
            currency: self.currency,
        })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = usize::from(self.currency.exponent());
        let scale = 10_u64.pow(u32::from(self.currency.exponent()));
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, part) = (
            self.minor.unsigned_abs() / scale,
            self.minor.unsigned_abs() % scale,
        );
        if exponent == 0 {
            write!(f, "{sign}{whole} {}", self.currency)
        } else {
            write!(f, "{sign}{whole}.{part:0exponent$} {}", self.currency)
        }
    }
}

/// What one unit of a currency is worth in a base currency, between major units as rates are quoted: 1.0873 USD for one EUR
/// is `Rate::from_micros(USD, 1_087_300)`. The one way in which amounts are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    base: Currency,
    micros: NonZeroU64,
}

impl Rate {
    /// So many millionths of one unit of `base`.
    #[must_use]
    pub const fn from_micros(base: Currency, micros: NonZeroU64) -> Self {
        Self { base, micros }
    }

    /// The currency that it leads to.
    #[must_use]
    pub const fn base(&self) -> Currency {
        self.base
    }

    /// Minor units of `from` as minor units of the base currency, rounded once, half to even; `None` if that does not fit.
    /// Example: 10,000 yen at 0.0067 → 67.00 dollars, 6,700 minor units, for the yen has no decimals and the dollar two.
    #[must_use]
    pub fn convert(&self, minor: i64, from: Currency) -> Option<i64> {
        let converted = self.times(Exact::whole(minor.into()), from)?;
        i64::try_from(converted.round_half_even()).ok()
    }

    /// The same of any amount that counts in minor units of `from`, not rounded.
    pub(crate) fn times(&self, amount: Exact, from: Currency) -> Option<Exact> {
        const MICROS: NonZeroU32 = NonZeroU32::MIN.saturating_add(999_999);
        let converted = amount.times(Exact::ratio(self.micros.get().into(), MICROS))?;
        let (from, to) = (u32::from(from.exponent()), u32::from(self.base.exponent()));
        if to >= from {
            converted.times(Exact::whole(10_i128.pow(to - from)))
        } else {
            converted.times(Exact::ratio(1, NonZeroU32::new(10_u32.pow(from - to))?))
        }
    }
}

#[cfg(test)]
mod tests;
