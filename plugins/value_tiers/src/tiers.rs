//! The segmenter: two ways to cut revenue into tiers.

use sextant_segmenter::{Answer, Call, Config, ConfigError, Reasons, Segmenter, amount, features};

features! {
    /// What the segmenter reads.
    pub struct Account {
        /// Monthly recurring revenue, minor units of the base currency.
        mrr_minor: I64 = "revenue.mrr_minor",
        /// Percent of the paying accounts with less of it, rounded down to a whole percent.
        mrr_percentile: F64 = "revenue.mrr_percentile",
        /// How many accounts these percents are of.
        paying_accounts: I64 = "revenue.paying_accounts",
    }
}

/// A segment; the discriminant is its position in the descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Tier {
    /// The few that matter most.
    Strategic,
    /// Well above the typical account.
    High,
    /// Around and above the typical account.
    Medium,
    /// Paying, below the typical account.
    Low,
    /// No recurring revenue.
    NotPaying,
}

/// The segmenter `sextant.value_tiers`.
#[derive(Debug)]
pub struct ValueTiers {
    cuts: Cuts,
    currency_digits: usize,
}

/// Lowest value of each tier above low, strategic first; every value is at least the next.
#[derive(Debug)]
enum Cuts {
    Percentile([f64; 3]),
    AmountMinor([i64; 3]),
}

/// The last percent that an account paying at a close can reach: it has no less than itself.
const LAST_PERCENT: f64 = 99.0;

/// How the config says where tiers start.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Quantile,
    CutPoints,
}

const TIERS: [Tier; 3] = [Tier::Strategic, Tier::High, Tier::Medium];
const NAMES: [&str; 3] = ["strategic", "high", "medium"];

/// The highest tier that an account paying at the close can be in, and how many have to pay for the first of them to be in it.
#[derive(Debug, Clone, Copy)]
struct Needed {
    accounts: i64,
    tier: &'static str,
    from_percent: f64,
}

impl Needed {
    /// Of n accounts the one that pays most has more than ⌊100 (n − 1) / n⌋ percent, which is p or more from
    /// n = ⌈100 / (100 − p)⌉ on: 100 accounts for 99 %, 10 for 90 %. Fewer are all below the tier, however much they pay. A
    /// tier from above 99 % is meant for amounts that nobody paid, so none are needed for it.
    fn of(cuts: &[f64; 3]) -> Option<Self> {
        let (tier, from_percent) = NAMES
            .into_iter()
            .zip(*cuts)
            .find(|(_, cut)| *cut <= LAST_PERCENT)?;
        #[expect(clippy::cast_possible_truncation, reason = "1 to 100")]
        let accounts = (100.0 / (100.0 - from_percent.ceil())).ceil() as i64;
        Some(Self {
            accounts,
            tier,
            from_percent,
        })
    }
}

impl Cuts {
    /// The tier of a paying account; `None` if its percentile decides and is unknown, or is of too few accounts.
    fn tier(&self, mrr_minor: i64, percentile: Option<f64>, paying: Option<i64>) -> Option<Tier> {
        let reached = match self {
            Self::Percentile(cuts) => {
                let percentile = percentile.filter(|value| !value.is_nan())?;
                let paying = paying?;
                if Needed::of(cuts).is_some_and(|needed| paying < needed.accounts) {
                    return None;
                }
                cuts.iter().position(|cut| percentile >= *cut)
            },
            Self::AmountMinor(cuts) => cuts.iter().position(|cut| mrr_minor >= *cut),
        };
        Some(reached.map_or(Tier::Low, |k| TIERS[k]))
    }
}

impl Account<'_> {
    fn tier(&self, cuts: &Cuts, row: usize) -> Option<Tier> {
        match self.mrr_minor.get(row)? {
            ..=0 => Some(Tier::NotPaying),
            mrr_minor => cuts.tier(
                mrr_minor,
                self.mrr_percentile.get(row),
                self.paying_accounts.get(row),
            ),
        }
    }

    /// Why the percentile decides as it does, or cannot.
    fn explain_percentile(&self, cuts: &[f64; 3], row: usize, reasons: &mut Reasons) {
        let paying = self.paying_accounts.get(row);
        let too_few = paying.zip(Needed::of(cuts));
        if let Some((paying, needed)) = too_few.filter(|(n, needed)| *n < needed.accounts) {
            let Needed {
                accounts,
                tier,
                from_percent,
            } = needed;
            let s = if paying == 1 { "" } else { "s" };
            let text = format!(
                "{paying} account{s} paid at the last day close, too few to tell the tiers apart: \
                 {tier} starts at {from_percent} %, which takes {accounts}"
            );
            reasons.push(&self.paying_accounts, 1.0, text);
        } else if let Some(percentile) = self.mrr_percentile.get(row).filter(|_| paying.is_some()) {
            let next = NAMES.iter().zip(cuts).rfind(|(_, cut)| percentile < **cut);
            let next = next.map_or_else(String::new, |(name, cut)| {
                format!("; {name} starts at {cut} %")
            });
            let text = format!("more revenue than {percentile} % of the paying accounts{next}");
            reasons.push(&self.mrr_percentile, 1.0, text);
        } else {
            reasons.push(
                &self.mrr_percentile,
                1.0,
                "how many of the paying accounts have less revenue is not known yet",
            );
        }
    }
}

/// Three values of the config, refused unless they descend.
fn descending<T: Copy + PartialOrd>(
    keys: [&'static str; 3],
    read: impl Fn(&str) -> Result<T, ConfigError>,
) -> Result<[T; 3], ConfigError> {
    let cuts = [read(keys[0])?, read(keys[1])?, read(keys[2])?];
    for k in 1..3 {
        if cuts[k] > cuts[k - 1] {
            return Err(ConfigError::at(
                keys[k],
                format!("must not be above {}", keys[k - 1]),
            ));
        }
    }
    Ok(cuts)
}

impl Segmenter for ValueTiers {
    type Rows<'a> = Account<'a>;

    const DESCRIPTOR: &'static str = include_str!("../descriptor.json");

    fn create(config: &Config) -> Result<Self, ConfigError> {
        let percentiles = descending(
            [
                "strategic_percentile",
                "high_percentile",
                "medium_percentile",
            ],
            |key| config.f64(key),
        )?;
        let amounts = descending(
            [
                "strategic_from_minor",
                "high_from_minor",
                "medium_from_minor",
            ],
            |key| config.i64(key),
        )?;
        let Ok(currency_digits) = usize::try_from(config.i64("currency_digits")?) else {
            return Err(ConfigError::at("currency_digits", "must not be negative"));
        };
        let modes = [
            ("quantile", Mode::Quantile),
            ("cut_points", Mode::CutPoints),
        ];
        let cuts = match config.choice("mode", &modes)? {
            Mode::Quantile => Cuts::Percentile(percentiles),
            Mode::CutPoints => Cuts::AmountMinor(amounts),
        };
        Ok(Self {
            cuts,
            currency_digits,
        })
    }

    fn assign(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize) -> Answer {
        rows.tier(&self.cuts, row)
            .map_or(Answer::ABSTAIN, |tier| Answer::segment(tier as u16))
    }

    /// The feature that decides, or why nothing can be decided, contributes 1, the amount beside it 0.
    fn explain(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize, reasons: &mut Reasons) {
        let Some(mrr_minor) = rows.mrr_minor.get(row) else {
            return;
        };
        if mrr_minor <= 0 {
            reasons.push(&rows.mrr_minor, 1.0, "no recurring revenue at present");
            return;
        }
        let revenue = format!("{} a month", amount(mrr_minor, self.currency_digits));
        match &self.cuts {
            Cuts::AmountMinor(cuts) => {
                let next = NAMES.iter().zip(cuts).rfind(|(_, cut)| mrr_minor < **cut);
                let text = match next {
                    Some((name, cut)) => format!(
                        "{revenue}; {name} starts at {}",
                        amount(*cut, self.currency_digits)
                    ),
                    None => revenue,
                };
                reasons.push(&rows.mrr_minor, 1.0, text);
            },
            Cuts::Percentile(cuts) => {
                rows.explain_percentile(cuts, row, reasons);
                reasons.push(&rows.mrr_minor, 0.0, revenue);
            },
        }
    }
}

#[cfg(test)]
mod tests;
