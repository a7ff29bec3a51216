//! Everything about one account, from all four services.

use std::collections::BTreeMap;

use clap::ArgMatches;
use tonic::Status;

use sextant_proto::common::v1::{
    EntityKind, EntityRef, ErrorReason, Freshness, FreshnessState, ReadAt,
};
use sextant_proto::ingestion::v1::{
    Account, GetAccountRequest, GetAccountResponse, Invoice, ListInvoicesRequest,
    ListPaymentsRequest, Payment, SubscriptionFact, TraitOrigin, TraitProvenance,
};
use sextant_proto::metrics::v1::ListMovementsRequest;
use sextant_proto::scoring::v1::{GetFeaturesRequest, GetScoresRequest};
use sextant_proto::segmentation::v1::{ListMembershipsRequest, ListTransitionsRequest};

use crate::cli::context::{Context, pages_up_to, read_at, text_of};
use crate::cli::report;
use crate::client::{Client, is, of_own_position};
use crate::error::Error;
use crate::import::patience::may_come_back;
use crate::output::{Block, Cell, Column, Document};
use crate::view::{self, SegmentTitles, Titles};

/// Moves that are shown.
const MAX_MOVES: u32 = 20;
/// Invoices and payments that are shown.
const MAX_BILLED: u32 = 20;

/// Everything about one account. What a service that is away would say is missing, and is named after the rest.
pub(crate) async fn account(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let account = Some(EntityRef {
        kind: EntityKind::Account.into(),
        id: text_of(matches, "id"),
    });
    let at = read_at(matches, client.zone())?;
    let request = GetAccountRequest {
        account: account.clone(),
        at: at.clone(),
    };
    // Without these, there is no account to tell of.
    let facts = client
        .accounts()
        .get_account(client.request(request))
        .await?
        .into_inner();
    let position = match &facts.freshness {
        _ if at
            .as_ref()
            .is_some_and(|at| !at.at_least_position.is_empty()) =>
        {
            Position::Given
        },
        Some(facts) if facts.state() == FreshnessState::Backfilling => Position::Reached,
        _ => Position::OfFacts,
    };
    let about = About {
        client: &client,
        at: position.of(at, facts.freshness.as_ref()),
        account,
        currency: &tenant.base_currency,
    };
    let mut missing = Missing {
        position,
        parts: Vec::new(),
    };
    let titles = missing.unless_away("names of segments", about.titles().await)?;
    let titles = titles.unwrap_or_default();
    let segments = missing.unless_away("segments", about.memberships(&titles).await)?;
    let scores = missing.unless_away("scores and features", about.scores().await)?;
    let transitions = missing.unless_away("moves between segments", about.moves(&titles).await)?;
    let movements = missing.unless_away("changes of revenue", about.movements().await)?;
    let billed = about.billed().await?;
    let (memberships, freshness) = segments.unzip();
    let (scores, features) = scores.unzip();
    let mut document = Document::default();
    let blocks = &mut document.blocks;
    blocks.extend(account_blocks(&facts));
    blocks.extend(
        [memberships, scores, transitions, movements]
            .into_iter()
            .flatten(),
    );
    blocks.extend(subscriptions(&facts.subscriptions));
    blocks.extend(billed);
    blocks.extend(features);
    let document = document.fresh_as(freshness.unwrap_or(facts.freshness));
    context.print(matches, client.zone(), &document)?;
    missing.into_result(context)
}

/// Whose the position is that all parts of the answer are about.
#[derive(Debug, Clone, Copy)]
enum Position {
    /// That of `--at-least`.
    Given,
    /// That of the facts, of which the caller knows nothing.
    OfFacts,
    /// Whatever each service has reached: history is being imported, and nobody knows how long that takes.
    Reached,
}

impl Position {
    /// What the other services are asked for, given what ingestion has answered.
    fn of(self, at: Option<ReadAt>, facts: Option<&Freshness>) -> Option<ReadAt> {
        let mut at = at.unwrap_or_default();
        if let (Self::OfFacts, Some(facts)) = (self, facts) {
            facts.position.clone_into(&mut at.at_least_position);
        }
        Some(at)
    }
}

/// What parts of an answer their services did not give, by why.
struct Missing {
    position: Position,
    parts: Vec<(Box<Status>, Vec<&'static str>)>,
}

impl Missing {
    /// A part of the answer; nothing where its service is away, which is noted.
    fn unless_away<T>(
        &mut self,
        what: &'static str,
        part: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match part {
            // Its history has not been evaluated yet, which the freshness of the answer says.
            Err(Error::Refused { status, .. })
                if matches!(self.position, Position::Reached)
                    && is(&status, ErrorReason::AccountUnknown) =>
            {
                Ok(None)
            },
            Err(Error::Refused { status, .. }) if may_come_back(&status) => {
                let status = match self.position {
                    Position::Given | Position::Reached => status,
                    Position::OfFacts => Box::new(of_own_position(*status)),
                };
                let why = |(other, _): &&mut (Box<Status>, _)| other.message() == status.message();
                match self.parts.iter_mut().find(why) {
                    Some((_, parts)) => parts.push(what),
                    None => self.parts.push((status, vec![what])),
                }
                Ok(None)
            },
            part => part.map(Some),
        }
    }

    /// Reports every reason but the last, which is how the command ends.
    fn into_result(self, context: &Context<'_>) -> Result<(), Error> {
        let mut errors = self
            .parts
            .into_iter()
            .map(|(status, parts)| Error::Refused {
                status,
                aside: format!("missing from the answer: {}", parts.join(", ")),
            });
        let Some(last) = errors.next_back() else {
            return Ok(());
        };
        for error in errors {
            report(&context.explained(error));
        }
        Err(last)
    }
}

/// Which account is asked about, and of when.
struct About<'a> {
    client: &'a Client,
    account: Option<EntityRef>,
    at: Option<ReadAt>,
    currency: &'a str,
}

impl About<'_> {
    async fn titles(&self) -> Result<Titles, Error> {
        Ok(Titles::load(self.client).await?)
    }

    /// Where the account is.
    async fn memberships(&self, titles: &Titles) -> Result<(Block, Option<Freshness>), Error> {
        let client = self.client;
        let request = ListMembershipsRequest {
            account: self.account.clone(),
            at: self.at.clone(),
            ..ListMembershipsRequest::default()
        };
        let known = pages_up_to!(
            client,
            segmentation.list_memberships,
            request,
            memberships,
            0
        );
        let block = view::memberships(&known.memberships, titles, self.currency);
        Ok((block, known.freshness))
    }

    /// How it came there.
    async fn moves(&self, titles: &Titles) -> Result<Block, Error> {
        let client = self.client;
        let request = ListTransitionsRequest {
            account: self.account.clone(),
            at: self.at.clone(),
            ..ListTransitionsRequest::default()
        };
        let moved = pages_up_to!(
            client,
            segmentation.list_transitions,
            request,
            transitions,
            MAX_MOVES
        );
        let mut transitions =
            view::transitions("transitions", &moved.transitions, titles, self.currency);
        "Moves between segments, newest first".clone_into(&mut transitions.title);
        Ok(transitions)
    }

    /// What models and features say of it.
    async fn scores(&self) -> Result<(Block, Block), Error> {
        let client = self.client;
        let request = GetScoresRequest {
            account: self.account.clone(),
            at: self.at.clone(),
        };
        let scores = client
            .scoring()
            .get_scores(client.request(request))
            .await?
            .into_inner();
        let request = GetFeaturesRequest {
            account: self.account.clone(),
            at: self.at.clone(),
        };
        let features = client
            .scoring()
            .get_features(client.request(request))
            .await?
            .into_inner();
        Ok((
            view::scores(&scores.scores, self.currency),
            view::features(&features.features, self.currency),
        ))
    }

    /// How its revenue changed.
    async fn movements(&self) -> Result<Block, Error> {
        let client = self.client;
        let request = ListMovementsRequest {
            account: self.account.clone(),
            at: self.at.clone(),
            ..ListMovementsRequest::default()
        };
        let changed = pages_up_to!(
            client,
            metrics.list_movements,
            request,
            movements,
            MAX_MOVES
        );
        Ok(view::movements(&changed, &SegmentTitles::new()))
    }

    /// Its newest invoices and payments.
    async fn billed(&self) -> Result<Vec<Block>, Error> {
        let client = self.client;
        let request = ListInvoicesRequest {
            account: self.account.clone(),
            at: self.at.clone(),
            ..ListInvoicesRequest::default()
        };
        let issued = pages_up_to!(
            client,
            accounts.list_invoices,
            request,
            invoices,
            MAX_BILLED
        );
        let request = ListPaymentsRequest {
            account: self.account.clone(),
            at: self.at.clone(),
            ..ListPaymentsRequest::default()
        };
        let paid = pages_up_to!(
            client,
            accounts.list_payments,
            request,
            payments,
            MAX_BILLED
        );
        let blocks = [invoices(&issued.invoices), payments(&paid.payments)];
        Ok(blocks.into_iter().flatten().collect())
    }
}

/// The traits of an account, and where they come from; `None` where it has none.
fn traits(account: &Account, provenance: &BTreeMap<String, TraitProvenance>) -> Option<Block> {
    let columns = vec![
        Column::left("trait", "Trait"),
        Column::left("value", "Value"),
        Column::left("source", "Source"),
        Column::left("origin", "Known from"),
        Column::left("since", "Since"),
    ];
    let mut block = Block::new("traits", "Traits", columns);
    for (name, value) in &account.traits {
        let comes_from = provenance.get(name);
        let origin = comes_from.map_or("", |from| match from.origin() {
            TraitOrigin::Unspecified => "",
            TraitOrigin::System => "system",
            TraitOrigin::Survey => "survey",
            TraitOrigin::Csm => "csm",
            TraitOrigin::Inferred => "inferred",
        });
        block.rows.push(vec![
            Cell::text(name.clone()),
            view::trait_value(value),
            Cell::text(comes_from.map_or_else(String::new, |from| from.source.clone())),
            Cell::text(origin),
            Cell::moment(comes_from.and_then(|from| from.since.as_ref())),
        ]);
    }
    (!block.rows.is_empty()).then_some(block)
}

fn account_blocks(facts: &GetAccountResponse) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(account) = &facts.account {
        let mut block = view::accounts(std::slice::from_ref(account));
        block.key = "account";
        "Account".clone_into(&mut block.title);
        blocks.push(block);
        blocks.extend(traits(account, &facts.trait_provenance));
    }
    if !facts.users.is_empty() {
        let columns = vec![
            Column::left("user", "User"),
            Column::left("role", "Role"),
            Column::left("joined_at", "Since"),
        ];
        let mut users = Block::new("users", format!("Users ({})", facts.users.len()), columns);
        for user in &facts.users {
            let role = user
                .role()
                .as_str_name()
                .trim_start_matches("ACCOUNT_USER_ROLE_")
                .to_lowercase();
            users.rows.push(vec![
                view::id_of(user.user.as_ref()),
                Cell::text(role),
                Cell::moment(user.joined_at.as_ref()),
            ]);
        }
        blocks.push(users);
    }
    blocks
}

fn subscriptions(subscriptions: &[SubscriptionFact]) -> Option<Block> {
    let columns = vec![
        Column::left("subscription", "Subscription"),
        Column::left("status", "Status"),
        Column::left("started_at", "Since"),
        Column::left("current_period_ends_at", "Paid until"),
        Column::left("cancel_at", "Ends"),
        Column::prose("items", "Items"),
    ];
    let mut block = Block::new("subscriptions", "Subscriptions", columns);
    for one in subscriptions {
        let status = one
            .status()
            .as_str_name()
            .trim_start_matches("SUBSCRIPTION_STATUS_")
            .to_lowercase();
        let items = one.items.iter().map(|item| {
            let price = item
                .price
                .as_ref()
                .map_or("", |price| price.price_id.as_str());
            format!("{} × {price}", item.quantity)
        });
        block.rows.push(vec![
            Cell::text(one.subscription_id.clone()),
            Cell::text(status),
            Cell::moment(one.started_at.as_ref()),
            Cell::moment(one.current_period_ends_at.as_ref()),
            Cell::moment(one.cancel_at.as_ref().or(one.ended_at.as_ref())),
            Cell::List(items.collect()),
        ]);
    }
    (!block.rows.is_empty()).then_some(block)
}

fn invoices(invoices: &[Invoice]) -> Option<Block> {
    let columns = vec![
        Column::left("invoice", "Invoice"),
        Column::left("status", "Status"),
        Column::right("total", "Total"),
        Column::left("issued_at", "Issued"),
        Column::left("due_at", "Due"),
    ];
    let mut block = Block::new("invoices", "Newest invoices", columns);
    for one in invoices {
        let Some(state) = &one.state else { continue };
        let status = state
            .status()
            .as_str_name()
            .trim_start_matches("INVOICE_STATUS_")
            .to_lowercase();
        let total = state.total.as_ref().map_or(Cell::Nothing, |total| {
            Cell::money(total.minor, &total.currency)
        });
        block.rows.push(vec![
            Cell::text(state.invoice_id.clone()),
            Cell::text(status),
            total,
            Cell::moment(one.first_at.as_ref()),
            Cell::moment(state.due_at.as_ref()),
        ]);
    }
    (!block.rows.is_empty()).then_some(block)
}

fn payments(payments: &[Payment]) -> Option<Block> {
    let columns = vec![
        Column::left("payment", "Payment"),
        Column::left("status", "Status"),
        Column::right("amount", "Amount"),
        Column::right("refunded", "Paid back"),
        Column::left("first_at", "When"),
    ];
    let mut block = Block::new("payments", "Newest payments", columns);
    for one in payments {
        let Some(state) = &one.state else { continue };
        let status = state
            .status()
            .as_str_name()
            .trim_start_matches("PAYMENT_STATUS_")
            .to_lowercase();
        let (minor, currency) = state
            .amount
            .as_ref()
            .map_or((0, ""), |amount| (amount.minor, amount.currency.as_str()));
        let refunded = if state.refunded_minor == 0 {
            Cell::Nothing
        } else {
            Cell::money(state.refunded_minor, currency)
        };
        block.rows.push(vec![
            Cell::text(state.payment_id.clone()),
            Cell::text(status),
            Cell::money(minor, currency),
            refunded,
            Cell::moment(one.first_at.as_ref()),
        ]);
    }
    (!block.rows.is_empty()).then_some(block)
}

#[cfg(test)]
mod tests;
