//! Scores with what they are made of.

use sextant_domain::clv::PurchaseModel;
use sextant_domain::feature::population::{CLV, HORIZON, Models, RFM, RfmBasis};
use sextant_domain::feature::{Feature, Moment, Row, Value};
use sextant_domain::money::{Currency, Money};
use sextant_proto::scoring::v1 as pb;
use sextant_wire::time;

use crate::state::{Account, TenantState};

/// A feature on the wire; without a value where it is unknown.
pub(crate) fn feature(feature: Feature, row: &Row) -> pb::Feature {
    use pb::feature::Value as Wire;
    let value = row.get(feature).map(|value| match value {
        Value::Integer(_) | Value::Recurring(_) => {
            Wire::Integer(value.as_integer().unwrap_or_default())
        },
        Value::Number(number) => Wire::Number(*number),
        Value::Text(text) => Wire::Text(text.to_string()),
        Value::Word(word) => Wire::Text((*word).to_owned()),
        Value::Time(at) => Wire::Time(time::timestamp(*at)),
    });
    pb::Feature {
        name: feature.name().to_owned(),
        value,
    }
}

/// One part of a score: the feature it comes from, and where the score is known the points, and why in words.
struct Part {
    feature: Feature,
    points: Option<(f64, String)>,
}

/// A score as its model makes it. `value` is the sum of the points; `None`: unknown.
struct Parts {
    value: Option<f64>,
    band: String,
    parts: Vec<Part>,
}

impl TenantState {
    /// All scores of an account at a moment.
    pub(crate) fn scores(&self, account: &Account, moment: &Moment) -> Vec<pb::Score> {
        let row = self.row(account, moment);
        let models = self.models_for(moment);
        let basis = models.map(|models| models.rfm_basis);
        let mut scores = vec![match models.filter(|models| models.rfm.is_some()) {
            Some(models) => {
                let parts = rfm(&row, models.rfm_basis, self.settings.currency);
                score(&row, RFM, models, moment, parts)
            },
            None => {
                let inputs = basis.map(|basis| inputs(basis).map(|(input, _)| input));
                unscored(&row, RFM, moment, inputs.iter().flatten(), &DIGITS)
            },
        }];
        match models.map(|models| (models, models.purchases)) {
            Some((models, Some((_, purchases)))) => {
                scores.push(score(&row, CLV, models, moment, clv(&row, &purchases)));
            },
            Some((_, None)) if basis == Some(RfmBasis::Purchases) => {
                scores.push(unscored(&row, CLV, moment, [].iter(), &OUTLOOK));
            },
            Some((_, None)) | None => {},
        }
        scores
    }
}

/// The digits of RFM, as its model gives them.
const DIGITS: [Feature; 3] = [
    Feature::RfmRecency,
    Feature::RfmFrequency,
    Feature::RfmMonetary,
];

/// What CLV is made of, as its model gives it.
const OUTLOOK: [Feature; 3] = [
    Feature::ClvExpectedPurchases12m,
    Feature::ClvAliveProbability,
    Feature::ClvExpectedSpendMinor,
];

/// A score without a model to score with: what the account's own facts lack, and all that the model would give, is missing.
fn unscored<'a>(
    row: &Row,
    model: &str,
    moment: &Moment,
    inputs: impl Iterator<Item = &'a Feature>,
    given: &'a [Feature],
) -> pb::Score {
    let unknown = inputs.filter(|input| row.get(**input).is_none());
    pb::Score {
        state: pb::ScoreState::NoModel.into(),
        missing: names(unknown.chain(given)),
        ..empty(model, moment)
    }
}

/// A score of a moment that says nothing yet.
fn empty(model: &str, moment: &Moment) -> pb::Score {
    let knows_all = moment.known_at.0 == i64::MAX;
    pb::Score {
        model: model.to_owned(),
        as_of: Some(time::timestamp(moment.as_of)),
        known_at: (!knows_all).then(|| time::timestamp(moment.known_at)),
        validated: false,
        ..pb::Score::default()
    }
}

fn names<'a>(features: impl Iterator<Item = &'a Feature>) -> Vec<String> {
    features.map(|one| one.name().to_owned()).collect()
}

fn score(row: &Row, model: &str, models: &Models, moment: &Moment, parts: Parts) -> pb::Score {
    let features = parts.parts.iter().map(|part| &part.feature);
    let missing = names(features.filter(|feature| row.get(**feature).is_none()));
    let n_parts = parts.parts.len();
    #[expect(clippy::cast_precision_loss, reason = "a handful of parts")]
    let coverage = (n_parts - missing.len()) as f64 / n_parts.max(1) as f64;
    let mut contributions: Vec<pb::Contribution> = parts
        .parts
        .into_iter()
        .filter_map(|part| {
            let (points, text) = part.points?;
            Some(pb::Contribution {
                feature: part.feature.name().to_owned(),
                value: Some(feature(part.feature, row)),
                points,
                text,
            })
        })
        .collect();
    contributions.sort_by(|left, right| right.points.abs().total_cmp(&left.points.abs()));
    let state = if parts.value.is_some() {
        pb::ScoreState::Known
    } else {
        pb::ScoreState::InsufficientData
    };
    pb::Score {
        model_version: models.version(model),
        value: parts.value,
        band: parts.band,
        coverage,
        contributions,
        missing,
        state: state.into(),
        ..empty(model, moment)
    }
}

/// An amount or a count in people's words.
type Words = fn(i64, Currency) -> String;

/// The input of each digit, and how it is said.
fn inputs(basis: RfmBasis) -> [(Feature, Words); 3] {
    match basis {
        RfmBasis::Purchases => [
            (Feature::PurchaseDaysSinceLast, |days, _| {
                format!("{} since the last payment", counted(days, "day"))
            }),
            (Feature::PurchaseCount, |count, _| counted(count, "payment")),
            (Feature::PurchaseTotalMinor, |minor, currency| {
                format!("{} paid", Money::new(minor, currency))
            }),
        ],
        RfmBasis::Usage => [
            (Feature::UsageDaysSinceActive, |days, _| {
                format!("{} since the last use", counted(days, "day"))
            }),
            (Feature::UsageActiveDays28d, |days, _| {
                format!("{} of 28", counted(days, "active day"))
            }),
            (Feature::RevenueMrrMinor, |minor, currency| {
                format!("MRR of {}", Money::new(minor, currency))
            }),
        ],
    }
}

fn counted(count: i64, thing: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{s}")
}

/// The three digits as a number; each digit contributes its place.
fn rfm(row: &Row, basis: RfmBasis, currency: Currency) -> Parts {
    let places = DIGITS.into_iter().zip([100.0, 10.0, 1.0]);
    let parts: Vec<Part> = inputs(basis)
        .into_iter()
        .zip(places)
        .map(|((input, words), (digit, place))| {
            let known = row.as_integer(input).zip(row.as_number(digit));
            let points = known.map(|(value, digit)| {
                let text = format!("{}: {digit} of 5", words(value, currency));
                (digit * place, text)
            });
            Part {
                feature: input,
                points,
            }
        })
        .collect();
    let value: Option<f64> = parts
        .iter()
        .map(|part| part.points.as_ref().map(|(points, _)| points))
        .sum();
    Parts {
        value,
        band: value.map_or(String::new(), |value| value.to_string()),
        parts,
    }
}

/// Value = expected purchases × expected spend, told in three steps from the average account, whose spend per purchase is
/// E[M]: discounted purchases if the account still buys, at E[M]; less those of the chance that it does not; and the same
/// purchases at the account's own expected spend. Points are the differences of the rounded sums, so they add up exactly.
///
/// Example: 10 purchases if it still buys, probability 0.8, spend of 30 where the average is 25:
/// 10 × 25 = 250, then 250 × (0.8 − 1) = −50, then 8 × (30 − 25) = +40; together 240 = 8 × 30.
fn clv(row: &Row, model: &PurchaseModel) -> Parts {
    let value = row.as_number(Feature::ClvValue12mMinor);
    let steps = value.and_then(|value| {
        let [purchases, alive, spend] = OUTLOOK.map(|input| row.as_number(input));
        Some(clv_steps(value, (purchases?, alive?, spend?), model))
    });
    let steps = steps.map_or([None, None, None], |steps| steps.map(Some));
    let parts = OUTLOOK.into_iter().zip(steps);
    Parts {
        value,
        band: String::new(),
        parts: parts
            .map(|(feature, points)| Part { feature, points })
            .collect(),
    }
}

fn clv_steps(
    value: f64,
    (purchases, alive, spend): (f64, f64, f64),
    model: &PurchaseModel,
) -> [(f64, String); 3] {
    // Rounded as the account's own is, so that an account without a history of its own is exactly an average one.
    let average = model.values.expected_value(None).round();
    let at_average = if spend > 0.0 {
        value * average / spend
    } else {
        value
    };
    let (if_alive, purchases_if_alive) = if alive > 0.0 {
        (at_average / alive, purchases / alive)
    } else {
        (at_average, purchases)
    };
    let (first, second) = (if_alive.round(), at_average.round());
    // By the model an account may leave only after a repeat purchase: a probability of 1 is no sign of life.
    let why = if alive >= 1.0 {
        " (BG/NBD says so of every account that bought on one day only, however long ago)"
    } else {
        ""
    };
    let money = |minor: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an amount for people; saturates far above any account's worth"
        )]
        let minor = minor.round() as i64;
        Money::new(minor, model.currency)
    };
    let months = HORIZON.0;
    [
        (
            first,
            format!(
                "{purchases_if_alive:.2} purchases expected in the next {months} months if the account still buys, at the \
                 {} that an average account spends, discounted: {}",
                money(average),
                money(first)
            ),
        ),
        (
            second - first,
            format!(
                "probability {alive:.3} that the account will ever buy again{why}: {}",
                money(second - first)
            ),
        ),
        (
            value - second,
            format!(
                "{} expected of a purchase of this account instead of {}: {}",
                money(spend),
                money(average),
                money(value - second)
            ),
        ),
    ]
}
