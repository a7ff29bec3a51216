//! Commands for what became of records.

use std::path::PathBuf;

use clap::ArgMatches;

use sextant_proto::ingestion::v1::{
    ListEventTypesRequest, ListHeldRequest, ListSourcesRequest, Record, RecordRate, Source,
    SourceState,
};

use crate::cli::context::{Context, number_of, pages_up_to};
use crate::cli::corrections;
use crate::error::Error;
use crate::output::{Block, Cell, Column, Document};

/// Characters of a source or id that people are shown.
const MAX_SHOWN: usize = 80;

/// Records that were refused.
pub(crate) async fn rejections(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = corrections::filter(matches);
    let to = matches.get_one::<PathBuf>("to");
    // A file is for all of them.
    let limit = to.map_or_else(|| number_of(matches, "limit"), |_| 0);
    let answer = pages_up_to!(
        client,
        ingestion.list_rejections,
        request,
        rejections,
        limit
    );
    if let Some(path) = to {
        corrections::write(path, &answer.rejections)?;
    }
    let columns = vec![
        Column::left("received_at", "Came"),
        Column::left("source", "Source"),
        Column::left("id", "Id"),
        Column::left("field", "Field"),
        Column::left("reason", "Reason"),
        Column::prose("hint", "What to do"),
    ];
    let mut block = Block::new("rejections", "", columns);
    for one in answer.rejections {
        let (source, id) = identity(one.record);
        let rejection = one.rejection.unwrap_or_default();
        block.rows.push(vec![
            Cell::moment(one.received_at.as_ref()),
            source,
            id,
            Cell::text(rejection.field),
            Cell::text(rejection.reason),
            Cell::text(rejection.hint),
        ]);
    }
    context.print(matches, client.zone(), &block.into())
}

/// Records that wait for their account.
pub(crate) async fn held(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListHeldRequest::default();
    let answer = pages_up_to!(
        client,
        ingestion.list_held,
        request,
        held,
        number_of(matches, "limit")
    );
    let columns = vec![
        Column::left("received_at", "Came"),
        Column::left("account_id", "Waits for account"),
        Column::left("user_id", "or one of user"),
        Column::left("account_key", "or of other system"),
        Column::left("source", "Source"),
        Column::left("id", "Id"),
        Column::left("time", "Its time"),
    ];
    let mut block = Block::new("held", "", columns).noted(
        "Each is counted as soon as a record brings its account, or says in which one it is.",
    );
    for one in answer.held {
        let time = Cell::moment(one.record.as_ref().and_then(|record| record.time.as_ref()));
        let (source, id) = identity(one.record);
        block.rows.push(vec![
            Cell::moment(one.received_at.as_ref()),
            Cell::text(one.account_id),
            Cell::text(one.user_id),
            one.account_key.map_or(Cell::Nothing, |key| {
                Cell::text(format!("{} {}", key.system, key.id))
            }),
            source,
            id,
            time,
        ]);
    }
    context.print(matches, client.zone(), &block.into())
}

/// The types of events that are stored.
pub(crate) async fn event_types(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListEventTypesRequest::default();
    let listed = pages_up_to!(client, sources.list_event_types, request, event_types, 0);
    let columns = vec![
        Column::left("type", "Type"),
        Column::right("events", "Events"),
        Column::left("first_at", "First"),
        Column::left("last_at", "Last"),
    ];
    let mut block = Block::new("event_types", "Types of events", columns);
    for one in listed.event_types {
        let name = if one.r#type.is_empty() {
            Cell::titled("(all others)", "")
        } else {
            shortened(one.r#type)
        };
        block.rows.push(vec![
            name,
            Cell::Count(one.events),
            Cell::moment(one.first_at.as_ref()),
            Cell::moment(one.last_at.as_ref()),
        ]);
    }
    context.print(
        matches,
        client.zone(),
        &Document::from(block).fresh_as(listed.freshness),
    )
}

/// What became of the records of each source, and whether they still come.
pub(crate) async fn sources(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListSourcesRequest::default();
    let listed = pages_up_to!(client, sources.list_sources, request, sources, 0);
    let columns = vec![
        Column::left("source", "Source"),
        Column::left("state", "State"),
        Column::left("silent_since", "Silent since"),
        Column::right("accepted", "Accepted"),
        Column::right("duplicate", "Duplicate"),
        Column::right("conflict", "Conflict"),
        Column::right("held", "Held now"),
        Column::right("rejected", "Rejected"),
        Column::left("watermark", "Tells up to"),
        Column::left("last_received_at", "Last came"),
        Column::right("expected", "In such an hour"),
    ];
    let mut block = Block::new("sources", "Deliveries of each source", columns).noted(
        "Every delivery since the tenant began counts: a record that came three times counts three times, and `sextant rejections` lists it once. Held now: records that wait. In such an hour: how many came in one of the same hour of the day, on working days or weekends, in the four weeks before the last record. Silent: nothing has come for longer than chance would have it once in a thousand times; ended: for two weeks.",
    );
    for one in listed.sources {
        let (state, expected) = (state(&one), expected(one.expected));
        block.rows.push(vec![
            shortened(one.source),
            Cell::text(state),
            Cell::moment(one.silent_since.as_ref()),
            Cell::Count(one.accepted),
            Cell::Count(one.duplicate),
            Cell::Count(one.conflict),
            Cell::Count(one.held),
            Cell::Count(one.rejected),
            Cell::moment(one.watermark.as_ref()),
            Cell::moment(one.last_received_at.as_ref()),
            expected,
        ]);
    }
    context.print(matches, client.zone(), &block.into())
}

fn state(source: &Source) -> &'static str {
    match source.state() {
        SourceState::Unspecified => "",
        SourceState::Learning => "learning",
        SourceState::Flowing => "flowing",
        SourceState::Silent => "silent",
        SourceState::Ended => "ended",
    }
}

fn expected(rate: Option<RecordRate>) -> Cell {
    match rate {
        None => Cell::Nothing,
        Some(RecordRate { low, high }) if low == high => Cell::text(low.to_string()),
        Some(RecordRate { low, high }) => Cell::text(format!("{low} to {high}")),
    }
}

/// A text that may have been refused for its length, shortened for people.
fn shortened(text: String) -> Cell {
    if text.chars().count() <= MAX_SHOWN {
        return Cell::text(text);
    }
    let start: String = text.chars().take(MAX_SHOWN).collect();
    let title = format!("{start}… ({} bytes)", text.len());
    Cell::titled(title, text)
}

/// Source and id of a record.
fn identity(record: Option<Record>) -> (Cell, Cell) {
    let Record { source, id, .. } = record.unwrap_or_default();
    (shortened(source), shortened(id))
}
