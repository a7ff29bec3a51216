//! Rows about what accounts say, what is done with them, and what that costs.

use prost_types::Timestamp;

use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{
    CostAllocation, CostFact, CostKind, DunningFact, DunningOutcome, OpportunityFact,
    OpportunityOrigin, OpportunityOutcome, OpportunityType, OutcomeKind, OutcomeLabelFact,
    ProductFeatureFact, SurveyKind, SurveyResponseFact, TicketFact, TicketPriority, TicketStatus,
    TicketType, TouchpointFact, TouchpointKind,
};

use crate::import::Fault;
use crate::import::batch::TIME;
use crate::import::facts::{Row, money, rate};
use crate::import::identity::RowId;
use crate::import::values;

type Told = Result<(Timestamp, Fact), Fault>;

pub(super) fn dunning(row: &Row<'_>) -> Told {
    let fact = DunningFact {
        account_id: row.required("account_id")?.to_owned(),
        invoice_id: row.required("invoice_id")?.to_owned(),
        campaign_id: row.text("campaign_id"),
        step: row.number("step", values::integer)?,
        outcome: row.required_word::<DunningOutcome>("outcome")?,
        started_at: row.time("started_at")?,
        next_retry_at: row.time("next_retry_at")?,
        recovered_at: row.time("recovered_at")?,
    };
    Ok((row.required_time(TIME)?, Fact::Dunning(fact)))
}

pub(super) fn survey_response(row: &Row<'_>) -> Told {
    /// Scores of NPS, whose scale nobody writes down.
    const NPS: (f64, f64) = (0.0, 10.0);
    let time = row.required_time(TIME)?;
    let kind = row.required_word::<SurveyKind>("kind")?;
    let usual = if kind == i32::from(SurveyKind::Nps) {
        NPS
    } else {
        (0.0, 0.0)
    };
    let score = row.decimal("score")?;
    let (answers, comment) = (row.several("answers"), row.text("comment"));
    let is_answered = score.is_some() || !answers.is_empty() || !comment.is_empty();
    let answered = is_answered.then_some(time);
    let fact = SurveyResponseFact {
        account_id: row.required("account_id")?.to_owned(),
        response_id: row.required("response_id")?.to_owned(),
        survey_id: row.required("survey_id")?.to_owned(),
        kind,
        user_id: row.text("user_id"),
        sent_at: row.time("sent_at")?,
        responded_at: row.time("responded_at")?.or(answered),
        score,
        scale_min: row.decimal("scale_min")?.unwrap_or(usual.0),
        scale_max: row.decimal("scale_max")?.unwrap_or(usual.1),
        question_key: row.text("question_key"),
        answers,
        comment,
        language: row.text("language"),
        sentiment: row.decimal("sentiment")?,
        sentiment_model: row.text("sentiment_model"),
        channel: row.text("channel"),
        ticket_id: row.text("ticket_id"),
        stage: row.text("stage"),
        weight: row.decimal("weight")?.unwrap_or(0.0),
    };
    Ok((time, Fact::SurveyResponse(fact)))
}

pub(super) fn ticket(row: &Row<'_>) -> Told {
    let fact = TicketFact {
        account_id: row.required("account_id")?.to_owned(),
        ticket_id: row.required("ticket_id")?.to_owned(),
        requester_user_id: row.text("requester_user_id"),
        status: row.required_word::<TicketStatus>("status")?,
        priority: row.word::<TicketPriority>("priority")?,
        r#type: row.word::<TicketType>("type")?,
        category: row.text("category"),
        product_area: row.text("product_area"),
        channel: row.text("channel"),
        created_at: row.time("created_at")?,
        first_response_at: row.time("first_response_at")?,
        solved_at: row.time("solved_at")?,
        closed_at: row.time("closed_at")?,
        reopened_count: row.number("reopened_count", values::integer)?,
        message_count: row.number("message_count", values::integer)?,
        sla_breached: row.read("sla_breached", values::flag)?,
        escalated: row.read("escalated", values::flag)?,
        csat_score: row.decimal("csat_score")?,
        sentiment: row.decimal("sentiment")?,
        tags: row.several("tags"),
    };
    Ok((row.required_time(TIME)?, Fact::Ticket(fact)))
}

pub(super) fn opportunity(row: &Row<'_>) -> Told {
    let amount = row.get("amount").map(|_| money(row, "amount"));
    let fact = OpportunityFact {
        account_id: row.required("account_id")?.to_owned(),
        opportunity_id: row.required("opportunity_id")?.to_owned(),
        stage: row.text("stage"),
        amount: amount.transpose()?,
        r#type: row.word::<OpportunityType>("type")?,
        outcome: row.word::<OpportunityOutcome>("outcome")?,
        origin: row.word::<OpportunityOrigin>("origin")?,
        opened_at: row.time("opened_at")?,
        closes_at: row.time("closes_at")?,
        evidence: row.several("evidence"),
        owner_id: row.text("owner_id"),
    };
    Ok((row.required_time(TIME)?, Fact::Opportunity(fact)))
}

pub(super) fn touchpoint(row: &Row<'_>, id: &RowId) -> Told {
    let fact = TouchpointFact {
        account_id: row.required("account_id")?.to_owned(),
        touchpoint_id: row.id_or("touchpoint_id", id),
        kind: row.required_word::<TouchpointKind>("kind")?,
        owner_id: row.text("owner_id"),
        user_id: row.text("user_id"),
        play_id: row.text("play_id"),
        outcome: row.text("outcome"),
        minutes: row.number("minutes", values::integer)?,
    };
    Ok((row.required_time(TIME)?, Fact::Touchpoint(fact)))
}

pub(super) fn cost(row: &Row<'_>, id: &RowId) -> Told {
    let fact = CostFact {
        cost_id: row.id_or("cost_id", id),
        account_id: row.text("account_id"),
        kind: row.required_word::<CostKind>("kind")?,
        allocation: row.required_word::<CostAllocation>("allocation")?,
        amount: Some(money(row, "amount")?),
        period_starts_at: Some(row.required_time("period_starts_at")?),
        period_ends_at: Some(row.required_time("period_ends_at")?),
        fx_rate_micros: rate(row)?,
    };
    Ok((row.required_time(TIME)?, Fact::Cost(fact)))
}

pub(super) fn outcome_label(row: &Row<'_>, id: &RowId) -> Told {
    let fact = OutcomeLabelFact {
        account_id: row.required("account_id")?.to_owned(),
        label_id: row.id_or("label_id", id),
        kind: row.required_word::<OutcomeKind>("kind")?,
        horizon_days: row.number("horizon_days", values::integer)?,
        retracted: row.read("retracted", values::flag)?,
    };
    Ok((row.required_time(TIME)?, Fact::OutcomeLabel(fact)))
}

pub(super) fn product_feature(row: &Row<'_>) -> Told {
    let fact = ProductFeatureFact {
        feature_key: row.required("feature_key")?.to_owned(),
        name: row.text("name"),
        module: row.text("module"),
        tier: row.text("tier"),
        is_core: row.read("is_core", values::flag)?,
        depth_weight: row.decimal("depth_weight")?.unwrap_or(0.0),
        automates_action: row.text("automates_action"),
        price_id: row.text("price_id"),
        retired: row.read("retired", values::flag)?,
    };
    Ok((row.required_time(TIME)?, Fact::ProductFeature(fact)))
}
