//! Commands that read business numbers.

use std::collections::BTreeMap;

use clap::{ArgMatches, Command, value_parser};

use sextant_domain::time::Day;
use sextant_proto::common::v1::{Date, EntityKind, EntityRef};
use sextant_proto::metrics::v1::{
    GetChurnRequest, GetRevenueRequest, GetWaterfallRequest, ListMovementsRequest,
};
use sextant_proto::segmentation::v1::ListSegmentsRequest;

use crate::cli::args::{limit, option, read};
use crate::cli::context::{Context, number_of, pages_up_to, read_at, text_of};
use crate::client::Client;
use crate::error::Error;
use crate::output::Document;
use crate::view;

/// What may be written on the command line.
pub(crate) fn command() -> Command {
    Command::new("metrics")
        .about("Business numbers, in total and by segment")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(read("revenue").about("Recurring revenue").arg(option(
            "by",
            "SEGMENTATION",
            "Break down by this segmentation",
        )))
        .subcommand(
            read("waterfall")
                .about("How recurring revenue got from the start of each month to its end")
                .arg(
                    option("months", "N", "How many months, 1 to 120")
                        .value_parser(value_parser!(u32).range(1..=120))
                        .default_value("6"),
                )
                .arg(option(
                    "last-month",
                    "YYYY-MM",
                    "The last of them; default: the running one, to date; on its first instant the one before",
                ))
                .arg(option(
                    "by",
                    "SEGMENTATION",
                    "Break down by this segmentation",
                )),
        )
        .subcommand(
            read("churn")
                .about("Accounts and revenue lost over a period, by the segment at its start")
                .arg(option("from", "DAY", "First day, in the tenant's time zone").required(true))
                .arg(option("to", "DAY", "Last day, in the tenant's time zone").required(true))
                .arg(option(
                    "by",
                    "SEGMENTATION",
                    "Break down by this segmentation",
                )),
        )
        .subcommand(
            read("movements")
                .about("Single changes of recurring revenue, newest first")
                .arg(option("account", "ID", "Only this account"))
                .arg(option(
                    "by",
                    "SEGMENTATION",
                    "Show the segment of this segmentation that the account was in just before",
                ))
                .arg(limit()),
        )
}

/// Runs a metric's command.
pub(crate) async fn run(
    metric: &str,
    context: &Context<'_>,
    matches: &ArgMatches,
) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let document = match metric {
        "revenue" => revenue(&client, matches).await?,
        "waterfall" => waterfall(&client, matches).await?,
        "churn" => churn(&client, matches).await?,
        _ => movements(&client, matches).await?,
    };
    context.print(matches, client.zone(), &document)
}

async fn revenue(client: &Client, matches: &ArgMatches) -> Result<Document, Error> {
    let segmentation = text_of(matches, "by");
    let titles = segment_titles(client, &segmentation).await?;
    let request = GetRevenueRequest {
        at: read_at(matches, client.zone())?,
        segmentation,
    };
    let answer = client
        .metrics()
        .get_revenue(client.request(request))
        .await?
        .into_inner();
    Ok(Document::from(view::revenue(&answer, &titles))
        .fresh_as(answer.freshness)
        .governed_by(answer.policy))
}

async fn waterfall(client: &Client, matches: &ArgMatches) -> Result<Document, Error> {
    let last_month = match text_of(matches, "last-month").as_str() {
        "" => None,
        month => Some(day(&format!("{month}-01"), "last-month")?),
    };
    let segmentation = text_of(matches, "by");
    let titles = segment_titles(client, &segmentation).await?;
    let request = GetWaterfallRequest {
        last_month,
        months: number_of(matches, "months"),
        at: read_at(matches, client.zone())?,
        segmentation,
    };
    let answer = client
        .metrics()
        .get_waterfall(client.request(request))
        .await?
        .into_inner();
    Ok(Document::from(view::waterfall(&answer, &titles))
        .fresh_as(answer.freshness)
        .governed_by(answer.policy))
}

async fn churn(client: &Client, matches: &ArgMatches) -> Result<Document, Error> {
    let segmentation = text_of(matches, "by");
    let titles = segment_titles(client, &segmentation).await?;
    let request = GetChurnRequest {
        first_day: Some(day(&text_of(matches, "from"), "from")?),
        last_day: Some(day(&text_of(matches, "to"), "to")?),
        segmentation,
        at: read_at(matches, client.zone())?,
    };
    let answer = client
        .metrics()
        .get_churn(client.request(request))
        .await?
        .into_inner();
    let mut block = view::churn(&answer, &titles);
    block.title = format!(
        "Losses from {} to {}",
        text_of(matches, "from"),
        text_of(matches, "to")
    );
    Ok(Document::from(block)
        .fresh_as(answer.freshness)
        .governed_by(answer.policy))
}

async fn movements(client: &Client, matches: &ArgMatches) -> Result<Document, Error> {
    let id = text_of(matches, "account");
    let account = (!id.is_empty()).then_some(EntityRef {
        kind: EntityKind::Account.into(),
        id,
    });
    let segmentation = text_of(matches, "by");
    let titles = segment_titles(client, &segmentation).await?;
    let request = ListMovementsRequest {
        account,
        at: read_at(matches, client.zone())?,
        segmentation,
        ..ListMovementsRequest::default()
    };
    let answer = pages_up_to!(
        client,
        metrics.list_movements,
        request,
        movements,
        number_of(matches, "limit")
    );
    let block = view::movements(&answer, &titles);
    Ok(Document::from(block)
        .fresh_as(answer.freshness)
        .governed_by(answer.policy))
}

fn day(text: &str, flag: &str) -> Result<Date, Error> {
    let day = Day::parse(text).map_err(|error| Error::usage(format!("--{flag}: {error}")))?;
    Ok(sextant_wire::time::date(day))
}

/// The titles of a segmentation's segments by key; none without a segmentation.
pub(crate) async fn segment_titles(
    client: &Client,
    segmentation: &str,
) -> Result<BTreeMap<String, String>, Error> {
    if segmentation.is_empty() {
        return Ok(BTreeMap::new());
    }
    let request = ListSegmentsRequest {
        segmentation: segmentation.to_owned(),
        ..ListSegmentsRequest::default()
    };
    let answer = client
        .segmentation()
        .list_segments(client.request(request))
        .await?
        .into_inner();
    let segments = answer
        .segments
        .into_iter()
        .filter_map(|summary| summary.segment);
    Ok(segments
        .map(|segment| (segment.key, segment.title))
        .collect())
}
