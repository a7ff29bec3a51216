//! Models as they are stored and shown: named parameters, so that what a person reads is what the next process computes with.

use std::collections::BTreeMap;

use prost::Message;

use sextant_domain::bgnbd;
use sextant_domain::clv::PurchaseModel;
use sextant_domain::feature::population::{CLV, MRR_PERCENTILE, Models, RFM, RfmBasis};
use sextant_domain::gamma_gamma;
use sextant_domain::money::Currency;
use sextant_domain::rfm::{self, Cuts, Dimension, Last, Margins, Source, Thresholds, TiePolicy};
use sextant_domain::time::Day;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::scoring::v1 as pb;
use sextant_wire::status::Problem;
use sextant_wire::time;

/// The text that names the tenant's policy, where thresholds come from its accounts.
const TIE_POLICY: &str = "rfm.tie_policy";
/// Thresholds, and the same with the margin below and above, within which accounts may stay where they are.
const THRESHOLD: &str = "threshold";
const BELOW: &str = "threshold_less_margin";
const ABOVE: &str = "threshold_plus_margin";
/// How many accounts the percentiles of MRR are of.
const PAYING: &str = "revenue.mrr_minor.accounts";

/// The models of a close as a caller sees them.
pub(crate) fn to_wire(models: &Models) -> Vec<pb::Model> {
    let model = |name: &str, parameters: BTreeMap<String, f64>, warning: String| pb::Model {
        model: name.to_owned(),
        model_version: models.version(name),
        closed_on: Some(time::date(models.closed_on)),
        accounts: models.n_accounts,
        parameters,
        warning,
        texts: BTreeMap::new(),
    };
    let no_accounts = if models.rfm.is_none() {
        "no account can be scored"
    } else {
        ""
    };
    let rfm = rfm_parameters(models);
    vec![
        pb::Model {
            texts: rfm.texts,
            ..model(RFM, rfm.numbers, no_accounts.to_owned())
        },
        model(MRR_PERCENTILE, percentile_parameters(models), String::new()),
        model(
            CLV,
            purchase_parameters(models),
            models.purchase_warning.clone(),
        ),
    ]
}

/// The stored form: the same messages, encoded.
pub(crate) fn encode(models: &Models) -> Vec<u8> {
    pb::ListModelsResponse {
        models: to_wire(models),
        next_page_token: String::new(),
    }
    .encode_to_vec()
}

/// Reads the stored form back.
pub(crate) fn decode(bytes: &[u8], currency: Currency) -> Result<Models, Problem> {
    let damaged = || Problem::new(ErrorReason::Internal, "stored models are unreadable");
    let stored = pb::ListModelsResponse::decode(bytes).map_err(|_damaged| damaged())?;
    let find = |name: &str| {
        stored
            .models
            .iter()
            .find(|model| model.model == name)
            .ok_or_else(damaged)
    };
    let (rfm, mrr, purchases) = (find(RFM)?, find(MRR_PERCENTILE)?, find(CLV)?);
    let closed_on = time::day(rfm.closed_on.as_ref().ok_or_else(damaged)?)?;
    let (mrr_percentiles, n_paying) = read_percentiles(mrr);
    Ok(Models {
        closed_on,
        n_accounts: rfm.accounts,
        rfm_basis: if rfm.parameters.contains_key("rfm.basis.purchases") {
            RfmBasis::Purchases
        } else {
            RfmBasis::Usage
        },
        rfm: read_rfm(rfm, currency),
        mrr_percentiles,
        n_paying,
        purchases: read_purchases(purchases, currency),
        purchase_warning: purchases.warning.clone(),
    })
}

/// Named numbers, and what is no number.
#[derive(Debug, Default)]
struct Named {
    numbers: BTreeMap<String, f64>,
    texts: BTreeMap<String, String>,
}

impl Named {
    fn cuts(&mut self, prefix: &str, cuts: &Cuts) {
        let values = match cuts {
            Cuts::Exclusive(values) | Cuts::Inclusive(values) => *values,
            Cuts::Ranked(last) => {
                for (number, cut) in (1..).zip(last) {
                    let name = format!("{prefix}.{number}.account_id");
                    self.texts.insert(name, cut.account.to_string());
                }
                last.each_ref().map(|cut| cut.value)
            },
        };
        for (number, value) in (1..).zip(values) {
            self.numbers.insert(format!("{prefix}.{number}"), value);
        }
    }
}

fn rfm_parameters(models: &Models) -> Named {
    let mut named = Named::default();
    let basis = format!("rfm.basis.{}", models.rfm_basis.as_str());
    named.numbers.insert(basis, 1.0);
    let Some(rfm) = &models.rfm else {
        return named;
    };
    for (dimension, thresholds) in [
        ("recency_day", &rfm.recency),
        ("frequency", &rfm.frequency),
        ("monetary_minor", &rfm.monetary),
    ] {
        if let Source::Population { accounts, policy } = thresholds.source() {
            let accounts = u32::try_from(accounts).map_or(f64::MAX, f64::from);
            named
                .numbers
                .insert(format!("rfm.{dimension}.accounts"), accounts);
            named
                .texts
                .insert(TIE_POLICY.to_owned(), policy.key().to_owned());
        }
        named.cuts(&format!("rfm.{dimension}.{THRESHOLD}"), thresholds.cuts());
        if let Some(Margins { below, above }) = thresholds.margins() {
            named.cuts(&format!("rfm.{dimension}.{BELOW}"), below);
            named.cuts(&format!("rfm.{dimension}.{ABOVE}"), above);
        }
    }
    named
}

/// Reads thresholds back: fixed ones cut exclusively, those of a population as its policy does. Of a close whose thresholds
/// are not complete there is no model, as of one without accounts that can be scored.
fn read_cuts(
    model: &pb::Model,
    prefix: &str,
    source: Source,
    dimension: Dimension,
) -> Option<Cuts> {
    let mut values = [0.0; 4];
    for (number, value) in (1..).zip(&mut values) {
        *value = *model.parameters.get(&format!("{prefix}.{number}"))?;
    }
    let policy = match source {
        Source::Population { policy, .. } => policy,
        Source::Fixed => return Some(Cuts::Exclusive(values)),
    };
    match policy {
        TiePolicy::ValueQuantile => Some(Cuts::by_value(dimension, values)),
        TiePolicy::RRfmCompat => Some(Cuts::as_in_r(dimension, values)),
        TiePolicy::PandasRankFirst => {
            let mut last = values.map(|value| Last {
                account: Box::default(),
                value,
            });
            for (number, cut) in (1..).zip(&mut last) {
                let account = model.texts.get(&format!("{prefix}.{number}.account_id"))?;
                cut.account = account.as_str().into();
            }
            Some(Cuts::Ranked(last))
        },
    }
}

fn read_rfm(model: &pb::Model, currency: Currency) -> Option<rfm::Model> {
    let policy = match model.texts.get(TIE_POLICY) {
        None => TiePolicy::default(),
        Some(key) => TiePolicy::parse(key)?,
    };
    let thresholds = |name: &str, dimension: Dimension| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of accounts that was stored as one"
        )]
        let source = match model.parameters.get(&format!("rfm.{name}.accounts")) {
            Some(accounts) => Source::Population {
                policy,
                accounts: *accounts as usize,
            },
            None => Source::Fixed,
        };
        let cuts = |kind| read_cuts(model, &format!("rfm.{name}.{kind}"), source, dimension);
        let margins = cuts(BELOW)
            .zip(cuts(ABOVE))
            .map(|(below, above)| Margins { below, above });
        Thresholds::stored(source, cuts(THRESHOLD)?, margins).ok()
    };
    Some(rfm::Model {
        recency: thresholds("recency_day", Dimension::Recency)?,
        frequency: thresholds("frequency", Dimension::Frequency)?,
        monetary: thresholds("monetary_minor", Dimension::Monetary { currency })?,
    })
}

fn percentile_name(percent: u32) -> String {
    format!("revenue.mrr_minor.percentile.{percent:03}")
}

fn percentile_parameters(models: &Models) -> BTreeMap<String, f64> {
    let cuts = (1..).zip(&models.mrr_percentiles);
    let cuts = cuts.map(|(percent, cut)| (percentile_name(percent), *cut));
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of accounts, far below 2^53"
    )]
    let n_paying = models.n_paying as f64;
    cuts.chain([(PAYING.to_owned(), n_paying)]).collect()
}

/// The percentiles, and of how many accounts they are. Without that number they are no model.
fn read_percentiles(model: &pb::Model) -> (Vec<f64>, u64) {
    let Some(n_paying) = model.parameters.get(PAYING) else {
        return (Vec::new(), 0);
    };
    let cut = |percent| model.parameters.get(&percentile_name(percent)).copied();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of accounts that was stored as one"
    )]
    let n_paying = *n_paying as u64;
    ((1..=100).filter_map(cut).collect(), n_paying)
}

fn purchase_parameters(models: &Models) -> BTreeMap<String, f64> {
    let Some((fitted_on, model)) = &models.purchases else {
        return BTreeMap::new();
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of accounts, far below 2^53"
    )]
    let accounts = model.n as f64;
    let named = [
        ("bgnbd.r", model.counts.r()),
        ("bgnbd.alpha_weeks", model.counts.alpha().get()),
        ("bgnbd.a", model.counts.a()),
        ("bgnbd.b", model.counts.b()),
        ("gamma_gamma.p", model.values.p()),
        ("gamma_gamma.q", model.values.q()),
        ("gamma_gamma.gamma_minor", model.values.gamma_minor()),
        ("fitted.accounts", accounts),
        ("fitted.day", f64::from(fitted_on.0)),
    ];
    named
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn read_purchases(model: &pb::Model, currency: Currency) -> Option<(Day, PurchaseModel)> {
    let parameter = |name: &str| model.parameters.get(name).copied();
    let counts = bgnbd::Params::new(
        parameter("bgnbd.r")?,
        bgnbd::Weeks::new(parameter("bgnbd.alpha_weeks")?),
        parameter("bgnbd.a")?,
        parameter("bgnbd.b")?,
    );
    let values = gamma_gamma::Params::new(
        parameter("gamma_gamma.p")?,
        parameter("gamma_gamma.q")?,
        parameter("gamma_gamma.gamma_minor")?,
    );
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a day and a count that were stored as such"
    )]
    let (day, n) = (
        Day(parameter("fitted.day")? as i32),
        parameter("fitted.accounts")? as u64,
    );
    Some((
        day,
        PurchaseModel {
            counts: counts.ok()?,
            values: values.ok()?,
            currency,
            n,
            uncertainty: None,
        },
    ))
}

#[cfg(test)]
mod tests;
