//! What is known of an account, as rows.

use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1::TimelineEntry;
use sextant_proto::ingestion::v1::record::Fact;

use crate::import::values::short;
use crate::output::{Block, Cell, Column};

/// Entries, as they come.
pub(crate) fn timeline(entries: &[TimelineEntry]) -> Block {
    let columns = vec![
        Column::left("time", "Time"),
        Column::left("kind", "Kind"),
        Column::left("what", "What"),
        Column::left("state", "State"),
        Column::right("amount", "Amount"),
        Column::left("user", "User"),
        Column::left("source", "Source"),
        Column::rare("id", "Record"),
        Column::rare("known_at", "Known since"),
    ];
    let mut block = Block::new("timeline", "", columns);
    for entry in entries {
        let record = entry.record.clone().unwrap_or_default();
        let said = record.fact.as_ref().map(Said::of).unwrap_or_default();
        block.rows.push(vec![
            Cell::moment(record.time.as_ref()),
            Cell::text(said.kind),
            Cell::text(said.what),
            Cell::text(said.state),
            said.amount.map_or(Cell::Nothing, |amount| {
                Cell::money(amount.minor, &amount.currency)
            }),
            Cell::text(said.user),
            Cell::text(record.source),
            Cell::text(record.id),
            Cell::moment(entry.known_at.as_ref()),
        ]);
    }
    block
}

/// The parts of a fact that people look for.
#[derive(Default)]
struct Said {
    kind: &'static str,
    what: String,
    state: String,
    amount: Option<Money>,
    user: String,
}

impl Said {
    fn of(fact: &Fact) -> Self {
        let said = |kind, what: &str, state: String| Self {
            kind,
            what: what.to_owned(),
            state,
            ..Self::default()
        };
        match fact {
            Fact::Account(fact) => {
                let traits = fact.traits.keys().chain(&fact.cleared_traits);
                let traits: Vec<&str> = traits.map(String::as_str).collect();
                said("account", &fact.name, traits.join(", "))
            },
            Fact::User(fact) => said("user", &fact.user_id, String::new()),
            Fact::AccountUser(fact) => Self {
                user: fact.user_id.clone(),
                ..said(
                    "account_user",
                    &short(&fact.role()),
                    if fact.left { "left" } else { "joined" }.to_owned(),
                )
            },
            Fact::Event(fact) => Self {
                user: if fact.user_id.is_empty() {
                    fact.anonymous_id.clone()
                } else {
                    fact.user_id.clone()
                },
                ..said("event", &fact.r#type, fact.feature_key.clone())
            },
            Fact::SurveyResponse(fact) => Self {
                user: fact.user_id.clone(),
                ..said(
                    "survey_response",
                    &short(&fact.kind()),
                    fact.score.map_or_else(String::new, |score| {
                        format!("{score} of {}", fact.scale_max)
                    }),
                )
            },
            Fact::Ticket(fact) => Self {
                user: fact.requester_user_id.clone(),
                ..said("ticket", &fact.ticket_id, short(&fact.status()))
            },
            Fact::Touchpoint(fact) => Self {
                user: fact.user_id.clone(),
                ..said("touchpoint", &short(&fact.kind()), fact.outcome.clone())
            },
            Fact::OutcomeLabel(fact) => {
                let state = if fact.retracted { "retracted" } else { "" };
                said("outcome_label", &short(&fact.kind()), state.to_owned())
            },
            Fact::ProductFeature(fact) => {
                said("product_feature", &fact.feature_key, fact.name.clone())
            },
            billed => Self::of_money(billed),
        }
    }

    /// Of facts that come with an amount, or with a bill.
    fn of_money(fact: &Fact) -> Self {
        let said = |kind, what: &str, state: String, amount: Option<Money>| Self {
            kind,
            what: what.to_owned(),
            state,
            amount,
            ..Self::default()
        };
        match fact {
            Fact::Subscription(fact) => {
                let state = short(&fact.status());
                said("subscription", &fact.subscription_id, state, None)
            },
            Fact::Invoice(fact) => {
                let state = short(&fact.status());
                said("invoice", &fact.invoice_id, state, fact.total.clone())
            },
            Fact::Payment(fact) => {
                let state = short(&fact.status());
                said("payment", &fact.payment_id, state, fact.amount.clone())
            },
            Fact::Dunning(fact) => {
                let state = short(&fact.outcome());
                said("dunning", &fact.invoice_id, state, None)
            },
            Fact::Opportunity(fact) => {
                let state = format!("{} {}", short(&fact.outcome()), fact.stage);
                said(
                    "opportunity",
                    &fact.opportunity_id,
                    state,
                    fact.amount.clone(),
                )
            },
            Fact::Cost(fact) => {
                let what = short(&fact.kind());
                said("cost", &what, String::new(), fact.amount.clone())
            },
            _ => Self::default(),
        }
    }
}
