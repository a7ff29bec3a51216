use sextant_domain::time::DAY_US;
use sextant_proto::common::v1::Money;

use super::*;

const NOW: Instant = Instant(20_000 * DAY_US);

/// What is wrong with a fact, such as "ticket.status FIELD_MISSING"; empty where nothing is.
fn refusal(fact: Fact) -> String {
    let mut record = pb::Record {
        source: "crm".into(),
        id: "1".into(),
        time: Some(time::timestamp(NOW)),
        fact: Some(fact),
        ..pb::Record::default()
    };
    let door = Door {
        now: NOW,
        received_at: NOW,
        retention_days: 395,
        base_currency: Currency::USD,
    };
    match check(&mut record, &door) {
        Ok(_) => String::new(),
        Err(problem) => format!("{} {}", problem.field, problem.reason_name()),
    }
}

fn response() -> pb::SurveyResponseFact {
    pb::SurveyResponseFact {
        account_id: "acme".into(),
        response_id: "r1".into(),
        survey_id: "s1".into(),
        kind: pb::SurveyKind::Nps.into(),
        sent_at: Some(time::timestamp(NOW)),
        responded_at: Some(time::timestamp(NOW)),
        score: Some(9.0),
        scale_max: 10.0,
        ..pb::SurveyResponseFact::default()
    }
}

#[test]
fn a_score_comes_with_its_scale_and_its_answer() {
    let with = |change: fn(&mut pb::SurveyResponseFact)| {
        let mut fact = response();
        change(&mut fact);
        refusal(Fact::SurveyResponse(fact))
    };
    assert_eq!(with(|_| {}), "");
    // Who has not answered has no score, and that is told, too.
    assert_eq!(
        with(|fact| (fact.score, fact.responded_at) = (None, None)),
        ""
    );
    assert_eq!(
        with(|fact| fact.responded_at = None),
        "survey_response.responded_at FIELD_MISSING"
    );
    assert_eq!(
        with(|fact| fact.score = Some(11.0)),
        "survey_response.score FIELD_INVALID"
    );
    assert_eq!(
        with(|fact| fact.score = Some(f64::NAN)),
        "survey_response.score NUMBER_NOT_FINITE"
    );
    assert_eq!(
        with(|fact| fact.scale_max = 5.0),
        "survey_response.scale_max FIELD_INVALID"
    );
    let of_five = |fact: &mut pb::SurveyResponseFact| {
        (fact.kind, fact.scale_min) = (pb::SurveyKind::Csat.into(), 1.0);
        (fact.scale_max, fact.score) = (5.0, Some(4.0));
    };
    assert_eq!(with(of_five), "");
    assert_eq!(
        with(|fact| fact.scale_max = 0.0),
        "survey_response.scale_max FIELD_INVALID"
    );
    assert_eq!(
        with(|fact| fact.sentiment = Some(-1.5)),
        "survey_response.sentiment FIELD_INVALID"
    );
    assert_eq!(
        with(|fact| fact.kind = 0),
        "survey_response.kind FIELD_MISSING"
    );
    assert_eq!(
        with(|fact| fact.kind = 99),
        "survey_response.kind FIELD_INVALID"
    );
    assert_eq!(
        with(|fact| fact.account_id.clear()),
        "survey_response.account_id FIELD_MISSING"
    );
}

#[test]
fn tickets_opportunities_touchpoints_and_labels_need_their_ids_and_states() {
    let ticket = pb::TicketFact {
        account_id: "acme".into(),
        ticket_id: "t1".into(),
        status: pb::TicketStatus::Open.into(),
        ..pb::TicketFact::default()
    };
    assert_eq!(refusal(Fact::Ticket(ticket.clone())), "");
    let stateless = pb::TicketFact {
        status: 0,
        ..ticket.clone()
    };
    assert_eq!(
        refusal(Fact::Ticket(stateless)),
        "ticket.status FIELD_MISSING"
    );
    let many = pb::TicketFact {
        tags: vec!["x".into(); 201],
        ..ticket
    };
    assert_eq!(refusal(Fact::Ticket(many)), "ticket.tags FIELD_TOO_LONG");
    let opportunity = pb::OpportunityFact {
        account_id: "acme".into(),
        opportunity_id: "o1".into(),
        amount: Some(Money {
            minor: -5,
            currency: "USD".into(),
        }),
        ..pb::OpportunityFact::default()
    };
    assert_eq!(
        refusal(Fact::Opportunity(opportunity.clone())),
        "opportunity.amount.minor AMOUNT_NEGATIVE"
    );
    let unknown = pb::OpportunityFact {
        amount: None,
        ..opportunity
    };
    assert_eq!(refusal(Fact::Opportunity(unknown)), "");
    let touchpoint = pb::TouchpointFact {
        account_id: "acme".into(),
        touchpoint_id: "c1".into(),
        ..pb::TouchpointFact::default()
    };
    assert_eq!(
        refusal(Fact::Touchpoint(touchpoint)),
        "touchpoint.kind FIELD_MISSING"
    );
    let label = pb::OutcomeLabelFact {
        account_id: "acme".into(),
        kind: pb::OutcomeKind::Churn.into(),
        ..pb::OutcomeLabelFact::default()
    };
    assert_eq!(
        refusal(Fact::OutcomeLabel(label)),
        "outcome_label.label_id FIELD_MISSING"
    );
    let dunning = pb::DunningFact {
        account_id: "acme".into(),
        invoice_id: "i1".into(),
        ..pb::DunningFact::default()
    };
    assert_eq!(
        refusal(Fact::Dunning(dunning)),
        "dunning.outcome FIELD_MISSING"
    );
}

#[test]
fn a_cost_is_of_one_account_or_of_none() {
    let cost = pb::CostFact {
        cost_id: "k1".into(),
        kind: pb::CostKind::Tools.into(),
        allocation: pb::CostAllocation::PerMrr.into(),
        amount: Some(Money {
            minor: 5_000,
            currency: "USD".into(),
        }),
        period_starts_at: Some(time::timestamp(NOW.plus_us(-DAY_US))),
        period_ends_at: Some(time::timestamp(NOW)),
        ..pb::CostFact::default()
    };
    let with = |change: fn(&mut pb::CostFact)| {
        let mut fact = cost.clone();
        change(&mut fact);
        refusal(Fact::Cost(fact))
    };
    assert_eq!(with(|_| {}), "");
    assert_eq!(
        with(|cost| cost.account_id = "acme".into()),
        "cost.account_id FIELD_INVALID"
    );
    let direct = |cost: &mut pb::CostFact| cost.allocation = pb::CostAllocation::Direct.into();
    assert_eq!(with(direct), "cost.account_id FIELD_MISSING");
    assert_eq!(
        with(|cost| cost.period_starts_at = cost.period_ends_at),
        "cost.period_ends_at FIELD_INVALID"
    );
    assert_eq!(
        with(|cost| cost.period_ends_at = None),
        "cost.period_ends_at FIELD_MISSING"
    );
    let foreign = |cost: &mut pb::CostFact| {
        cost.amount = Some(Money {
            minor: 5_000,
            currency: "EUR".into(),
        });
    };
    assert_eq!(with(foreign), "cost.fx_rate_micros FIELD_MISSING");
}

#[test]
fn lists_and_names_in_other_systems_have_bounds() {
    let value = |kind| pb::Value { kind: Some(kind) };
    let text = || value(pb::value::Kind::Text("x".into()));
    let list = |values| value(pb::value::Kind::List(pb::ValueList { values }));
    let with_trait = |value: pb::Value| {
        refusal(Fact::User(pb::UserFact {
            user_id: "u1".into(),
            traits: [("goals".to_owned(), value)].into(),
            ..pb::UserFact::default()
        }))
    };
    assert_eq!(with_trait(list(vec![text(); 200])), "");
    assert_eq!(
        with_trait(list(vec![text(); 201])),
        "user.traits[\"goals\"] FIELD_TOO_LONG"
    );
    assert_eq!(
        with_trait(list(vec![list(vec![])])),
        "user.traits[\"goals\"][0] FIELD_INVALID"
    );
    assert_eq!(
        with_trait(list(vec![pb::Value::default()])),
        "user.traits[\"goals\"][0] FIELD_MISSING"
    );
    let named = |system: &str| pb::ExternalId {
        system: system.into(),
        id: "1".into(),
    };
    let account = |external_ids: Vec<pb::ExternalId>| {
        refusal(Fact::Account(pb::AccountFact {
            account_id: "acme".into(),
            external_ids,
            ..pb::AccountFact::default()
        }))
    };
    assert_eq!(account(vec![named("crm"); 20]), "");
    assert_eq!(
        account(vec![named("crm"); 21]),
        "account.external_ids FIELD_TOO_LONG"
    );
    assert_eq!(
        account(vec![named("")]),
        "account.external_ids[0].system FIELD_MISSING"
    );
}
