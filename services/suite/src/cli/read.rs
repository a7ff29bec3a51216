//! Commands that read accounts and segments.

use clap::ArgMatches;

use sextant_proto::common::v1::{EntityKind, EntityRef, Freshness, ReadAt};
use sextant_proto::ingestion::v1::{
    GetAccountRequest, GetAccountResponse, Invoice, ListAccountsRequest, ListInvoicesRequest,
    PaymentFact, SubscriptionFact,
};
use sextant_proto::metrics::v1::ListMovementsRequest;
use sextant_proto::scoring::v1::{
    FeatureType, GetFeaturesRequest, GetScoresRequest, ListFeatureDefinitionsRequest,
};
use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListMembershipsRequest, ListSegmentsRequest, ListTransitionsRequest,
    TransitionOrder,
};

use crate::cli::context::{Context, number_of, pages_up_to, read_at, since, text_of, texts_of};
use crate::client::{Client, all_pages};
use crate::error::Error;
use crate::output::{Block, Cell, Column, Document};
use crate::view::{self, MemberColumns, Titles};

/// Moves that are shown of one account.
const ACCOUNT_MOVES: u32 = 20;
/// Invoices that are shown of one account.
const ACCOUNT_INVOICES: u32 = 20;

/// Accounts by id.
pub(crate) async fn accounts(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListAccountsRequest {
        at: read_at(matches, client.zone())?,
        ..ListAccountsRequest::default()
    };
    let answer = pages_up_to!(
        client,
        accounts.list_accounts,
        request,
        accounts,
        number_of(matches, "limit")
    );
    let mut block = view::accounts(&answer.accounts);
    block.note = more(&answer.next_page_token).to_owned();
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(answer.freshness),
    )
}

fn more(next_page_token: &str) -> &'static str {
    if next_page_token.is_empty() {
        ""
    } else {
        "There are more; --limit 0 shows all."
    }
}

/// Everything about one account.
pub(crate) async fn account(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let currency = tenant.base_currency.as_str();
    let account = Some(EntityRef {
        kind: EntityKind::Account.into(),
        id: text_of(matches, "id"),
    });
    let at = read_at(matches, client.zone())?;
    let request = GetAccountRequest {
        account: account.clone(),
        at: at.clone(),
    };
    let facts = client
        .accounts()
        .get_account(client.request(request))
        .await?
        .into_inner();
    let at = including(at, facts.freshness.as_ref());
    let mut document = Document::default();
    document.blocks.extend(account_blocks(&facts));
    let request = ListMembershipsRequest {
        account: account.clone(),
        at: at.clone(),
        ..ListMembershipsRequest::default()
    };
    let memberships = pages_up_to!(
        client,
        segmentation.list_memberships,
        request,
        memberships,
        0
    );
    let titles = Titles::load(&client).await?;
    document
        .blocks
        .push(view::memberships(&memberships.memberships, &titles));
    let request = GetScoresRequest {
        account: account.clone(),
        at: at.clone(),
    };
    let scores = client
        .scoring()
        .get_scores(client.request(request))
        .await?
        .into_inner();
    document.blocks.push(view::scores(&scores.scores, currency));
    document
        .blocks
        .extend(moves(&client, account.clone(), at.clone(), &titles, currency).await?);
    document.blocks.extend(subscriptions(&facts.subscriptions));
    let request = ListInvoicesRequest {
        account: account.clone(),
        at: at.clone(),
        ..ListInvoicesRequest::default()
    };
    let issued = pages_up_to!(
        client,
        accounts.list_invoices,
        request,
        invoices,
        ACCOUNT_INVOICES
    );
    document.blocks.extend(invoices(&issued.invoices));
    document.blocks.extend(payments(&facts.recent_payments));
    let request = GetFeaturesRequest { account, at };
    let features = client
        .scoring()
        .get_features(client.request(request))
        .await?
        .into_inner();
    document
        .blocks
        .push(view::features(&features.features, currency));
    context.print(
        matches,
        client.zone(),
        &document.fresh_as(memberships.freshness),
    )
}

/// How an account moved between segments, and how its revenue changed.
async fn moves(
    client: &Client,
    account: Option<EntityRef>,
    at: Option<ReadAt>,
    titles: &Titles,
    currency: &str,
) -> Result<[Block; 2], Error> {
    let request = ListTransitionsRequest {
        account: account.clone(),
        at: at.clone(),
        ..ListTransitionsRequest::default()
    };
    let moved = pages_up_to!(
        client,
        segmentation.list_transitions,
        request,
        transitions,
        ACCOUNT_MOVES
    );
    let mut transitions = view::transitions("transitions", &moved.transitions, titles, currency);
    "Moves between segments, newest first".clone_into(&mut transitions.title);
    let request = ListMovementsRequest {
        account,
        at,
        ..ListMovementsRequest::default()
    };
    let changed = pages_up_to!(
        client,
        metrics.list_movements,
        request,
        movements,
        ACCOUNT_MOVES
    );
    Ok([
        transitions,
        view::movements(&changed, &view::SegmentTitles::new()),
    ])
}

/// The same moment, with all that the facts include: the services behind ingestion then answer about the same state.
fn including(at: Option<ReadAt>, facts: Option<&Freshness>) -> Option<ReadAt> {
    let mut at = at.unwrap_or_default();
    if at.at_least_position.is_empty()
        && let Some(facts) = facts
    {
        facts.position.clone_into(&mut at.at_least_position);
    }
    Some(at)
}

fn account_blocks(facts: &GetAccountResponse) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(account) = &facts.account {
        let mut block = view::accounts(std::slice::from_ref(account));
        block.key = "account";
        "Account".clone_into(&mut block.title);
        blocks.push(block);
        let columns = vec![
            Column::left("trait", "Trait"),
            Column::left("value", "Value"),
        ];
        let mut traits = Block::new("traits", "Traits", columns);
        for (name, value) in &account.traits {
            traits
                .rows
                .push(vec![Cell::text(name.clone()), view::trait_value(value)]);
        }
        blocks.extend((!traits.rows.is_empty()).then_some(traits));
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

fn payments(payments: &[PaymentFact]) -> Option<Block> {
    let columns = vec![
        Column::left("payment", "Payment"),
        Column::left("status", "Status"),
        Column::right("amount", "Amount"),
        Column::right("refunded", "Paid back"),
    ];
    let mut block = Block::new("payments", "Newest payments", columns);
    for one in payments {
        let status = one
            .status()
            .as_str_name()
            .trim_start_matches("PAYMENT_STATUS_")
            .to_lowercase();
        let (minor, currency) = one
            .amount
            .as_ref()
            .map_or((0, ""), |amount| (amount.minor, amount.currency.as_str()));
        let refunded = if one.refunded_minor == 0 {
            Cell::Nothing
        } else {
            Cell::money(one.refunded_minor, currency)
        };
        block.rows.push(vec![
            Cell::text(one.payment_id.clone()),
            Cell::text(status),
            Cell::money(minor, currency),
            refunded,
        ]);
    }
    (!block.rows.is_empty()).then_some(block)
}

/// The segments of a segmentation.
pub(crate) async fn segments(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let sum_features = texts_of(matches, "sum");
    let request = ListSegmentsRequest {
        segmentation: text_of(matches, "segmentation"),
        at: read_at(matches, client.zone())?,
        sum_features: sum_features.clone(),
        page_size: 1000,
        page_token: String::new(),
    };
    let answer = client
        .segmentation()
        .list_segments(client.request(request))
        .await?
        .into_inner();
    let sums: Vec<(&str, &str)> = sum_features
        .iter()
        .map(|name| (name.as_str(), name.as_str()))
        .collect();
    let block = view::segments(&answer, &sums, &tenant.base_currency);
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(answer.freshness),
    )
}

/// The accounts of a segmentation.
pub(crate) async fn members(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let segmentation = text_of(matches, "segmentation");
    let order_by_feature = text_of(matches, "order-by");
    let mut show_features = texts_of(matches, "show");
    if !order_by_feature.is_empty() && !show_features.contains(&order_by_feature) {
        show_features.insert(0, order_by_feature.clone());
    }
    let request = ListMembersRequest {
        segmentation: segmentation.clone(),
        segments: texts_of(matches, "segment"),
        at: read_at(matches, client.zone())?,
        order_by_feature,
        show_features: show_features.clone(),
        ..ListMembersRequest::default()
    };
    let answer = pages_up_to!(
        client,
        segmentation.list_members,
        request,
        members,
        number_of(matches, "limit")
    );
    let features: Vec<(&str, &str)> = show_features
        .iter()
        .map(|name| (name.as_str(), name.as_str()))
        .collect();
    let show = MemberColumns {
        key: "members",
        segmentation: &segmentation,
        features: &features,
        currency: &tenant.base_currency,
    };
    let mut block = view::members(&answer.members, show, &Titles::load(&client).await?);
    block.note = more(&answer.next_page_token).to_owned();
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(answer.freshness),
    )
}

/// Who moved.
pub(crate) async fn changes(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let order = match text_of(matches, "order").as_str() {
        "newest" => TransitionOrder::NewestFirst,
        _ => TransitionOrder::ValueAtRisk,
    };
    let request = ListTransitionsRequest {
        segmentation: text_of(matches, "segmentation"),
        since: Some(since(&client, &text_of(matches, "since")).await?),
        at: read_at(matches, client.zone())?,
        order: order.into(),
        ..ListTransitionsRequest::default()
    };
    let answer = pages_up_to!(
        client,
        segmentation.list_transitions,
        request,
        transitions,
        number_of(matches, "limit")
    );
    let titles = Titles::load(&client).await?;
    let mut block = view::transitions(
        "transitions",
        &answer.transitions,
        &titles,
        &tenant.base_currency,
    );
    block.note = more(&answer.next_page_token).to_owned();
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(answer.freshness),
    )
}

/// The catalogue of features.
pub(crate) async fn features(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListFeatureDefinitionsRequest::default();
    let definitions = all_pages!(
        client,
        scoring.list_feature_definitions,
        request,
        definitions
    );
    let columns = vec![
        Column::left("feature", "Feature"),
        Column::left("type", "Type"),
        Column::left("unit", "Unit"),
        Column::prose("description", "Meaning"),
    ];
    let mut block = Block::new("features", "", columns);
    for one in definitions {
        let kind = match one.r#type() {
            FeatureType::Unspecified => "",
            FeatureType::Int64 => "whole number",
            FeatureType::Float64 => "number",
            FeatureType::Text => "text",
            FeatureType::Timestamp => "moment",
        };
        block.rows.push(vec![
            Cell::text(one.name),
            Cell::text(kind),
            Cell::text(one.unit),
            Cell::text(one.description),
        ]);
    }
    context.print(matches, client.zone(), &block.into())
}
