//! Commands that read accounts and segments.

use std::collections::HashSet;

use clap::ArgMatches;

use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{
    AccountFilter, GetHierarchyRequest, ListAccountsRequest, ListTimelineRequest, TraitCondition,
    Value,
};
use sextant_proto::scoring::v1::{FeatureType, ListFeatureDefinitionsRequest, ListModelsRequest};
use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListSegmentsRequest, ListTransitionsRequest, TransitionOrder,
};
use sextant_wire::read::account_ref;

use crate::cli::context::{Context, number_of, pages_up_to, read_at, since, text_of, texts_of};
use crate::client::all_pages;
use crate::error::Error;
use crate::output::{Block, Cell, Column, Document};
use crate::view::{self, MemberColumns, Titles};

/// Accounts by id, that meet the options.
pub(crate) async fn accounts(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListAccountsRequest {
        at: read_at(matches, client.zone())?,
        filter: Some(account_filter(matches)),
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

fn account_filter(matches: &ArgMatches) -> AccountFilter {
    let conditions = texts_of(matches, "trait");
    AccountFilter {
        owner_id: text_of(matches, "owner"),
        parent_account_id: text_of(matches, "parent"),
        stage: text_of(matches, "stage"),
        source: text_of(matches, "source"),
        text: text_of(matches, "text"),
        traits: conditions.iter().map(|text| condition(text)).collect(),
    }
}

/// A condition as it is written: NAME, or NAME=VALUE.
fn condition(text: &str) -> TraitCondition {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    TraitCondition {
        name: name.to_owned(),
        value: value.map(|value| Value {
            kind: Some(trait_value(value)),
        }),
    }
}

/// What a value is that is written without its kind.
fn trait_value(text: &str) -> Kind {
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    if let Some(text) = quoted {
        return Kind::Text(text.to_owned());
    }
    if let Ok(integer) = text.parse() {
        return Kind::Integer(integer);
    }
    match (text.parse(), text) {
        (_, "true") => Kind::Boolean(true),
        (_, "false") => Kind::Boolean(false),
        (Ok(number), _) if f64::is_finite(number) => Kind::Number(number),
        _ => Kind::Text(text.to_owned()),
    }
}

fn more(next_page_token: &str) -> &'static str {
    if next_page_token.is_empty() {
        ""
    } else {
        "There are more; --limit 0 shows all."
    }
}

/// What an account belongs to, and what belongs to it.
pub(crate) async fn hierarchy(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = GetHierarchyRequest {
        account: Some(account_ref(&text_of(matches, "id"))),
        at: read_at(matches, client.zone())?,
    };
    let request = client.request(request);
    let answer = client.accounts().get_hierarchy(request).await?.into_inner();
    let mut block = view::hierarchy(&answer);
    if !answer.is_complete {
        block = block.noted("More belongs to it than is counted here: the sums lack the rest.");
    }
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(answer.freshness),
    )
}

/// What is known of an account, newest first.
pub(crate) async fn timeline(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListTimelineRequest {
        account: Some(account_ref(&text_of(matches, "id"))),
        at: read_at(matches, client.zone())?,
        kinds: texts_of(matches, "kind"),
        ..ListTimelineRequest::default()
    };
    let answer = pages_up_to!(
        client,
        accounts.list_timeline,
        request,
        entries,
        number_of(matches, "limit")
    );
    let mut block = view::timeline(&answer.entries);
    block.note = more(&answer.next_page_token).to_owned();
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(answer.freshness),
    )
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
    let block = view::with_keys(view::segments(&answer, &sums, &tenant.base_currency));
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

/// The newest model of each kind.
pub(crate) async fn models(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListModelsRequest::default();
    let models = all_pages!(client, scoring.list_models, request, models);
    let columns = vec![
        Column::left("model", "Model"),
        Column::left("version", "Version"),
        Column::right("accounts", "Accounts"),
        Column::prose("warning", "Why there is none, or not to be trusted"),
    ];
    let mut block = Block::new("models", "", columns);
    let mut listed = HashSet::new();
    for one in models {
        if listed.insert(one.model.clone()) {
            block.rows.push(vec![
                Cell::text(one.model),
                Cell::text(one.model_version),
                Cell::Count(one.accounts),
                Cell::text(one.warning),
            ]);
        }
    }
    context.print(matches, client.zone(), &block.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_as_it_is_written() {
        let value = |text: &str| condition(text).value.and_then(|value| value.kind);
        assert_eq!(condition("plan").name, "plan");
        assert_eq!(condition("plan=gold").name, "plan");
        for (written, expected) in [
            ("plan", None),
            ("plan=", Some(Kind::Text(String::new()))),
            ("plan=gold", Some(Kind::Text("gold".to_owned()))),
            ("plan=a=b", Some(Kind::Text("a=b".to_owned()))),
            ("count=250", Some(Kind::Integer(250))),
            ("count=\"250\"", Some(Kind::Text("250".to_owned()))),
            ("share=0.5", Some(Kind::Number(0.5))),
            ("share=NaN", Some(Kind::Text("NaN".to_owned()))),
            ("strategic=true", Some(Kind::Boolean(true))),
        ] {
            assert_eq!(value(written), expected, "{written}");
        }
    }
}
