//! Scores with what they are made of.

use sextant_domain::feature::population::{CLV, HORIZON, Models, RFM, RfmBasis};
use sextant_domain::feature::{Feature, Moment, Row, Value};
use sextant_domain::id::AccountUid;
use sextant_domain::time::Instant;
use sextant_proto::scoring::v1 as pb;
use sextant_wire::time;

use crate::state::{Account, TenantState};

/// A feature on the wire; without a value where it is unknown.
pub(crate) fn feature(feature: Feature, row: &Row) -> pb::Feature {
    use pb::feature::Value as Wire;
    let value = row.get(feature).map(|value| match value {
        Value::Integer(integer) => Wire::Integer(*integer),
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

/// One part of a score: the feature it comes from, the points, and why in words.
struct Part {
    feature: Feature,
    points: Option<f64>,
    text: String,
}

impl TenantState {
    /// All scores of an account at a moment.
    pub(crate) fn scores(
        &self,
        uid: AccountUid,
        account: &Account,
        moment: &Moment,
    ) -> Vec<pb::Score> {
        let row = self.row(uid, account, moment);
        let Some(models) = self.models_for(moment) else {
            return Vec::new();
        };
        let cut_at = Moment::close(models.closed_on, &self.settings.zone).as_of;
        let mut scores = vec![score(
            &row,
            (RFM, models),
            rfm(&row, models.rfm_basis),
            cut_at,
        )];
        if models.purchases.is_some() {
            scores.push(score(&row, (CLV, models), clv(&row), cut_at));
        }
        scores
    }
}

struct Parts {
    value: Option<f64>,
    band: String,
    parts: Vec<Part>,
}

fn score(row: &Row, (model, models): (&str, &Models), parts: Parts, cut_at: Instant) -> pb::Score {
    let missing: Vec<String> = parts
        .parts
        .iter()
        .filter(|part| row.get(part.feature).is_none())
        .map(|part| part.feature.name().to_owned())
        .collect();
    let n_parts = parts.parts.len();
    #[expect(clippy::cast_precision_loss, reason = "a handful of parts")]
    let coverage = (n_parts - missing.len()) as f64 / n_parts.max(1) as f64;
    let mut contributions: Vec<pb::Contribution> = parts
        .parts
        .into_iter()
        .filter_map(|part| {
            Some(pb::Contribution {
                feature: part.feature.name().to_owned(),
                value: Some(feature(part.feature, row)),
                points: part.points?,
                text: part.text,
            })
        })
        .collect();
    contributions.sort_by(|left, right| right.points.abs().total_cmp(&left.points.abs()));
    pb::Score {
        model: model.to_owned(),
        model_version: models.version(model),
        value: parts.value.unwrap_or_default(),
        band: parts.band,
        coverage,
        contributions,
        missing,
        valid_from: Some(time::timestamp(cut_at)),
        known_at: Some(time::timestamp(cut_at)),
        validated: false,
    }
}

/// The three digits as a number; each digit contributes its place.
fn rfm(row: &Row, basis: RfmBasis) -> Parts {
    let dimensions = match basis {
        RfmBasis::Purchases => [
            (
                Feature::PurchaseDaysSinceLast,
                Feature::RfmRecency,
                100.0,
                "days since the last payment",
            ),
            (
                Feature::PurchaseCount,
                Feature::RfmFrequency,
                10.0,
                "payments",
            ),
            (
                Feature::PurchaseTotalMinor,
                Feature::RfmMonetary,
                1.0,
                "minor units paid",
            ),
        ],
        RfmBasis::Usage => [
            (
                Feature::UsageDaysSinceActive,
                Feature::RfmRecency,
                100.0,
                "days since the last use",
            ),
            (
                Feature::UsageActiveDays28d,
                Feature::RfmFrequency,
                10.0,
                "active days of 28",
            ),
            (
                Feature::RevenueMrrMinor,
                Feature::RfmMonetary,
                1.0,
                "minor units of MRR",
            ),
        ],
    };
    let digits: Vec<Option<i64>> = dimensions
        .iter()
        .map(|(_, digit, ..)| row.as_integer(*digit))
        .collect();
    let band = digits
        .iter()
        .map(|digit| digit.map_or("-".to_owned(), |digit| digit.to_string()))
        .collect();
    let parts: Vec<Part> = dimensions
        .iter()
        .map(|(input, digit, place, unit)| {
            let points = row.as_number(*digit).map(|digit| digit * place);
            let text = match (row.get(*input), row.as_integer(*digit)) {
                (Some(input), Some(digit)) => format!("{input} {unit}: {digit} of 5"),
                _ => String::new(),
            };
            Part {
                feature: *input,
                points,
                text,
            }
        })
        .collect();
    let value = parts.iter().map(|part| part.points).sum();
    Parts { value, band, parts }
}

fn clv(row: &Row) -> Parts {
    let value = row.as_number(Feature::ClvValue12mMinor);
    let months = HORIZON.0;
    let part = |feature: Feature, text: &str| Part {
        feature,
        points: row.as_number(feature),
        text: text.to_owned(),
    };
    Parts {
        value,
        band: String::new(),
        parts: vec![
            part(
                Feature::ClvExpectedPurchases12m,
                &format!("purchases expected in the next {months} months"),
            ),
            part(
                Feature::ClvAliveProbability,
                "probability that the account will ever buy again; 1 before the first repeat purchase",
            ),
        ],
    }
}
