//! What customers say and what is done with them: surveys, tickets, opportunities, touchpoints, labels.

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;

use crate::read::external_id;
use crate::record::amount::money;
use crate::record::check::field::{finite, known, moments, optional_id, set, text, texts, within};
use crate::status::Problem;

/// Moods are from very bad to very good.
const SENTIMENT: (f64, f64) = (-1.0, 1.0);
/// The scale of the net promoter score.
const NPS: (f64, f64) = (0.0, 10.0);

pub(super) fn survey_response(fact: &pb::SurveyResponseFact) -> Result<(), Problem> {
    external_id(&fact.response_id, "response_id")?;
    external_id(&fact.survey_id, "survey_id")?;
    set::<pb::SurveyKind>(fact.kind, "kind")?;
    for (id, field) in [
        (&fact.user_id, "user_id"),
        (&fact.question_key, "question_key"),
        (&fact.language, "language"),
        (&fact.sentiment_model, "sentiment_model"),
        (&fact.channel, "channel"),
        (&fact.ticket_id, "ticket_id"),
        (&fact.stage, "stage"),
    ] {
        optional_id(id, field)?;
    }
    moments([
        (&fact.sent_at, "sent_at"),
        (&fact.responded_at, "responded_at"),
    ])?;
    score(fact)?;
    if let Some(sentiment) = fact.sentiment {
        within(sentiment, SENTIMENT, "sentiment")?;
    }
    finite(fact.weight, "weight")?;
    texts(&fact.answers, "answers")?;
    text(&fact.comment, "comment")?;
    Ok(())
}

/// A score says nothing without its scale.
fn score(fact: &pb::SurveyResponseFact) -> Result<(), Problem> {
    finite(fact.scale_min, "scale_min")?;
    finite(fact.scale_max, "scale_max")?;
    let Some(score) = fact.score else {
        return Ok(());
    };
    if fact.responded_at.is_none() {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "responded_at",
            "must be set where there is a score",
        ));
    }
    if fact.scale_max <= fact.scale_min {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "scale_max",
            "must be above scale_min: a score says nothing without its scale",
        ));
    }
    let scale = (fact.scale_min, fact.scale_max);
    if fact.kind() == pb::SurveyKind::Nps && scale != NPS {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "scale_max",
            "must be 10, and scale_min 0, for NPS; send other scales as CSAT",
        ));
    }
    within(score, scale, "score")
}

pub(super) fn ticket(fact: &pb::TicketFact) -> Result<(), Problem> {
    external_id(&fact.ticket_id, "ticket_id")?;
    set::<pb::TicketStatus>(fact.status, "status")?;
    known::<pb::TicketPriority>(fact.priority, "priority")?;
    known::<pb::TicketType>(fact.r#type, "type")?;
    for (id, field) in [
        (&fact.requester_user_id, "requester_user_id"),
        (&fact.category, "category"),
        (&fact.product_area, "product_area"),
        (&fact.channel, "channel"),
    ] {
        optional_id(id, field)?;
    }
    moments([
        (&fact.created_at, "created_at"),
        (&fact.first_response_at, "first_response_at"),
        (&fact.solved_at, "solved_at"),
        (&fact.closed_at, "closed_at"),
    ])?;
    if let Some(score) = fact.csat_score {
        finite(score, "csat_score")?;
    }
    if let Some(sentiment) = fact.sentiment {
        within(sentiment, SENTIMENT, "sentiment")?;
    }
    texts(&fact.tags, "tags")?;
    Ok(())
}

pub(super) fn opportunity(fact: &pb::OpportunityFact) -> Result<(), Problem> {
    external_id(&fact.opportunity_id, "opportunity_id")?;
    optional_id(&fact.stage, "stage")?;
    optional_id(&fact.owner_id, "owner_id")?;
    known::<pb::OpportunityType>(fact.r#type, "type")?;
    known::<pb::OpportunityOutcome>(fact.outcome, "outcome")?;
    known::<pb::OpportunityOrigin>(fact.origin, "origin")?;
    if fact.amount.is_some() {
        let instead = "leave the amount out where nothing is to be gained";
        money(fact.amount.as_ref(), "amount", instead)?;
    }
    moments([
        (&fact.opened_at, "opened_at"),
        (&fact.closes_at, "closes_at"),
    ])?;
    texts(&fact.evidence, "evidence")?;
    Ok(())
}

pub(super) fn touchpoint(fact: &pb::TouchpointFact) -> Result<(), Problem> {
    external_id(&fact.touchpoint_id, "touchpoint_id")?;
    set::<pb::TouchpointKind>(fact.kind, "kind")?;
    for (id, field) in [
        (&fact.owner_id, "owner_id"),
        (&fact.user_id, "user_id"),
        (&fact.play_id, "play_id"),
    ] {
        optional_id(id, field)?;
    }
    text(&fact.outcome, "outcome")?;
    Ok(())
}

pub(super) fn outcome_label(fact: &pb::OutcomeLabelFact) -> Result<(), Problem> {
    external_id(&fact.label_id, "label_id")?;
    set::<pb::OutcomeKind>(fact.kind, "kind")?;
    Ok(())
}
