use super::*;

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn cuts(source: Source, dimension: Dimension, moved: f64) -> Cuts {
    let values = [1.5, 2.25, 1.0e9 / 3.0, 4.0e9].map(|cut| cut + moved);
    match source {
        Source::Fixed => Cuts::Exclusive(values),
        Source::Population {
            policy: TiePolicy::ValueQuantile,
            ..
        } => Cuts::by_value(dimension, values),
        Source::Population {
            policy: TiePolicy::RRfmCompat,
            ..
        } => Cuts::as_in_r(dimension, values),
        Source::Population {
            policy: TiePolicy::PandasRankFirst,
            ..
        } => Cuts::Ranked(values.map(|value| Last {
            account: format!("account {value}").into(),
            value,
        })),
    }
}

fn thresholds(source: Source, dimension: Dimension) -> Thresholds {
    let margins = match source {
        Source::Population { .. } => Some(Margins {
            below: cuts(source, dimension, -0.25),
            above: cuts(source, dimension, 0.125),
        }),
        Source::Fixed => None,
    };
    Thresholds::stored(source, cuts(source, dimension, 0.0), margins).unwrap()
}

fn model(source: Source) -> rfm::Model {
    rfm::Model {
        recency: thresholds(source, Dimension::Recency),
        frequency: thresholds(source, Dimension::Frequency),
        monetary: thresholds(source, Dimension::Monetary { currency: usd() }),
    }
}

fn usage() -> Models {
    Models {
        closed_on: Day::parse("2027-03-09").unwrap(),
        n_accounts: 12,
        rfm_basis: RfmBasis::Usage,
        rfm: Some(model(Source::Fixed)),
        mrr_percentiles: (1..=100).map(|percent| f64::from(percent) / 7.0).collect(),
        n_paying: 9,
        purchases: None,
        purchase_warning: "accounts pay by subscription".to_owned(),
    }
}

fn purchases(policy: TiePolicy) -> Models {
    let counts = bgnbd::Params::new(0.243, bgnbd::Weeks::new(4.414), 0.793, 2.426).unwrap();
    let values = gamma_gamma::Params::new(6.25, 3.74, 1_544.7).unwrap();
    let fitted = PurchaseModel {
        counts,
        values,
        currency: usd(),
        n: 2_357,
        uncertainty: None,
    };
    let source = Source::Population {
        policy,
        accounts: 2_357,
    };
    Models {
        rfm_basis: RfmBasis::Purchases,
        rfm: Some(model(source)),
        mrr_percentiles: Vec::new(),
        n_paying: 0,
        purchases: Some((Day::parse("2027-01-01").unwrap(), fitted)),
        purchase_warning: String::new(),
        ..usage()
    }
}

#[test]
fn stored_models_are_read_back_as_they_were() {
    let nobody = Models {
        n_accounts: 0,
        rfm: None,
        mrr_percentiles: Vec::new(),
        n_paying: 0,
        ..usage()
    };
    let of_policies = TiePolicy::ALL.map(purchases);
    for models in of_policies.into_iter().chain([usage(), nobody]) {
        let stored = encode(&models);
        assert_eq!(decode(&stored, usd()).unwrap(), models);
        assert_eq!(encode(&decode(&stored, usd()).unwrap()), stored);
    }
}

#[test]
fn the_policy_for_ties_is_named_where_thresholds_come_from_a_population() {
    for policy in TiePolicy::ALL {
        let shown = to_wire(&purchases(policy));
        assert_eq!(shown[0].texts["rfm.tie_policy"], policy.key());
        let of_account = shown[0]
            .texts
            .keys()
            .any(|name| name.ends_with(".account_id"));
        assert_eq!(of_account, policy == TiePolicy::PandasRankFirst);
    }
    assert!(to_wire(&usage())[0].texts.is_empty());
}

#[test]
fn a_close_without_accounts_says_so() {
    let models = Models {
        rfm: None,
        ..usage()
    };
    let shown = to_wire(&models);
    assert_eq!(shown[0].warning, "no account can be scored");
    assert_eq!(shown[2].model_version, "clv/2027-03-09");
    assert_eq!(shown[2].warning, "accounts pay by subscription");
}

#[test]
fn what_is_stored_without_all_that_it_takes_is_no_model() {
    let mut stored = pb::ListModelsResponse {
        models: to_wire(&purchases(TiePolicy::PandasRankFirst)),
        next_page_token: String::new(),
    };
    let [rfm, mrr, _] = stored.models.as_mut_slice() else {
        panic!("{stored:?}")
    };
    rfm.texts.remove("rfm.frequency.threshold.2.account_id");
    mrr.parameters = (1..=100)
        .map(|percent| (percentile_name(percent), 4_900.0))
        .collect();
    let read = decode(&stored.encode_to_vec(), usd()).unwrap();
    assert_eq!(
        (read.rfm, read.mrr_percentiles, read.n_paying),
        (None, Vec::new(), 0)
    );
    assert!(read.purchases.is_some());
}

#[test]
fn damaged_bytes_are_refused() {
    assert!(decode(b"\xff\xff", usd()).is_err());
    assert!(decode(b"", usd()).is_err());
}
