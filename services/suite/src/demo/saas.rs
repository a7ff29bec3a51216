//! A generated software company: who is worth what, how its recurring revenue moved, whom it loses, and who changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sextant_domain::time::{DAY_US, Day};
use sextant_proto::ingestion::v1::HistorySchedule;
use sextant_proto::metrics::v1::{GetChurnRequest, GetWaterfallRequest};
use sextant_proto::segmentation::v1::{ListTransitionsRequest, TransitionOrder};

use crate::client::{Client, all_pages};
use crate::demo::load::{Extent, Ready, Records, Setup, load, timestamp};
use crate::demo::occupied;
use crate::error::Error;
use crate::generate::{Company, Options, SOURCES};
use crate::import::batch::{Origin, TIME};
use crate::import::{Item, Original, Part};
use crate::output::{Block, Cell, Column, format};
use crate::progress::Visibility;
use crate::view::{self, SegmentTitles, Titles};

const VALUE: &str = "value";
const LIFECYCLE: &str = "lifecycle";
const MRR: &str = "revenue.mrr_minor";
/// Months of the waterfall.
const WATERFALL_MONTHS: u32 = 6;
/// Months of the churn.
const CHURN_MONTHS: i32 = 3;
/// Days whose moves are shown.
const CHANGE_DAYS: i64 = 7;
/// Moves that are shown.
const MAX_CHANGES: usize = 12;

/// Name of the tenant of a company: another company is another tenant.
pub(crate) fn tenant_name(company: Options) -> String {
    if company == Options::default() {
        return "saas".to_owned();
    }
    format!(
        "saas-{}-{}-{}",
        company.accounts, company.months, company.seed
    )
}

/// The tenant of a company.
pub(crate) fn setup(options: Options) -> Setup {
    Setup {
        tenant: tenant_name(options),
        clock: options.end,
        segmentations: &[
            (VALUE, "sextant.value_tiers", "{}"),
            (LIFECYCLE, "sextant.lifecycle", "{}"),
        ],
        sources: &SOURCES,
        history: HistorySchedule::Daily,
    }
}

/// Loads a company and shows what comes of it.
pub(crate) async fn show(
    client: &Client,
    options: Options,
    visibility: Visibility,
) -> Result<Vec<Block>, Error> {
    let records = records(Company::new(options)?);
    let ready = load(client, &setup(options), records, visibility).await?;
    let titles = Titles::load(&ready.client).await?;
    let (tiers, tier_titles) = tiers(&ready).await?;
    Ok(vec![
        records_block(&ready, options),
        reasons(&ready),
        tiers,
        stages(&ready).await?,
        waterfall(&ready).await?,
        churn(&ready, &tier_titles).await?,
        changes(&ready, &titles).await?,
    ])
}

/// All records of a company.
fn records(company: Company) -> Records {
    let extent = Extent {
        size: company.days_until(None),
        consumed: Arc::default(),
    };
    let (consumed, mut records, mut row) = (Arc::clone(&extent.consumed), company.records(), 0);
    let items = std::iter::from_fn(move || {
        let record = records.next()?;
        let days = company.days_until(Some(records.now()));
        consumed.store(days, Ordering::Relaxed);
        row += 1;
        Some(Ok(Item::Record {
            origin: Origin {
                row,
                line: row,
                part: Part::Row,
                original: Original::NotKept,
                time: TIME,
                header: None,
            },
            record: Box::new(record),
        }))
    });
    Records {
        items: Box::new(items),
        extent,
    }
}

fn records_block(ready: &Ready, options: Options) -> Block {
    let title = format!(
        "SaaS company (generated, seed {}): {} records of {} months",
        options.seed,
        format::count(ready.tally.rows_judged()),
        options.months,
    );
    ready.tally.block("saas_records", title).noted(
        "The company's systems deliver as real ones do: some records come twice, late, broken, or for accounts that never appear.",
    )
}

fn reasons(ready: &Ready) -> Block {
    let columns = vec![
        Column::left("reason", "Reason"),
        Column::right("records", "Records"),
    ];
    let mut block = Block::new(
        "saas_rejections",
        "SaaS company, rejected records by reason",
        columns,
    )
    .noted("`sextant explain REASON` says what happened and what to do.");
    for (reason, records) in &ready.tally.reasons {
        block
            .rows
            .push(vec![Cell::text(reason.clone()), Cell::Count(*records)]);
    }
    block
}

async fn tiers(ready: &Ready) -> Result<(Block, SegmentTitles), Error> {
    let answer = ready.segments(VALUE, &[MRR]).await?;
    let titles = answer.segments.iter().filter_map(|summary| {
        let segment = summary.segment.as_ref()?;
        Some((segment.key.clone(), segment.title.clone()))
    });
    let titles = titles.collect();
    let mut block = view::segments(&occupied(answer), &[(MRR, "MRR")], &ready.currency);
    block.key = "saas_value_tiers";
    block.title = format!(
        "SaaS company, value tiers on {}",
        format::day_of(ready.clock)
    );
    let note = "MRR is monthly recurring revenue. Each Share is of the column before it: a few accounts carry most of the revenue. Tiers without accounts are left out.";
    Ok((block.noted(note), titles))
}

async fn stages(ready: &Ready) -> Result<Block, Error> {
    let answer = ready.segments(LIFECYCLE, &[MRR]).await?;
    let mut block = view::segments(&occupied(answer), &[(MRR, "MRR")], &ready.currency);
    block.key = "saas_lifecycle";
    block.title = format!(
        "SaaS company, customer lifecycle on {}",
        format::day_of(ready.clock)
    );
    Ok(block.noted("Where each account stands between its first contact and its loss or return. Stages without accounts are left out."))
}

async fn waterfall(ready: &Ready) -> Result<Block, Error> {
    let request = GetWaterfallRequest {
        last_month: None,
        months: WATERFALL_MONTHS,
        at: ready.at.clone(),
        segmentation: String::new(),
    };
    let answer = ready
        .client
        .metrics()
        .get_waterfall(ready.client.request(request))
        .await?
        .into_inner();
    let mut block = view::waterfall(&answer, &SegmentTitles::new());
    block.key = "saas_waterfall";
    block.title = format!("SaaS company, how MRR moved in the last {WATERFALL_MONTHS} months");
    Ok(block)
}

async fn churn(ready: &Ready, titles: &SegmentTitles) -> Result<Block, Error> {
    let (first, last) = whole_months_before(format::day_of(ready.clock), CHURN_MONTHS);
    let request = GetChurnRequest {
        first_day: Some(sextant_wire::time::date(first)),
        last_day: Some(sextant_wire::time::date(last)),
        segmentation: VALUE.to_owned(),
        at: ready.at.clone(),
    };
    let answer = ready
        .client
        .metrics()
        .get_churn(ready.client.request(request))
        .await?
        .into_inner();
    let mut block = view::churn(&answer, titles);
    block.key = "saas_churn";
    block.title =
        format!("SaaS company, losses from {first} to {last} by the value tier at the start");
    Ok(block.noted(
        "Of the accounts that paid at the start, or were on a pause of less than 90 days: how many left, how much of their revenue was lost to leaving and downgrades, and how much after what the others grew (negative: they grew by more).",
    ))
}

/// First and last day of the whole months before a day.
fn whole_months_before(day: Day, months: i32) -> (Day, Day) {
    let month = day.month();
    (
        Day::first_of_month(month - months),
        Day::first_of_month(month).plus(-1),
    )
}

async fn changes(ready: &Ready, titles: &Titles) -> Result<Block, Error> {
    let since = ready.clock.plus_us(-CHANGE_DAYS * DAY_US);
    let request = ListTransitionsRequest {
        since: Some(timestamp(since)),
        at: ready.at.clone(),
        order: TransitionOrder::ValueAtRisk.into(),
        ..ListTransitionsRequest::default()
    };
    let client = &ready.client;
    let mut moved = all_pages!(client, segmentation.list_transitions, request, transitions);
    let all = moved.len();
    moved.truncate(MAX_CHANGES);
    let mut block = view::transitions("saas_changes", &moved, titles, &ready.currency);
    block.title = format!(
        "SaaS company, who changed in the last week and why ({} of {all} moves since {})",
        moved.len(),
        format::day_of(since),
    );
    Ok(block.noted("Moves to a worse segment come first, each kind by what the account is worth in a year: the top of this list is the day's work. What an account has moved on from comes last."))
}

#[cfg(test)]
mod tests;
