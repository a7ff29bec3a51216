//! Refused records in a file, to be corrected there, and sent again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde_json::{Map, Value as Json, json};

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::{
    Correction, ListRejectionsRequest, RejectedRecord, ReplayRejectionsRequest, ReplayedRejection,
    VerdictKind,
};

use crate::cli::context::{Context, pages_up_to, text_of};
use crate::client::Client;
use crate::error::Error;
use crate::import::ndjson;
use crate::output::{Block, Cell, Column};

/// Corrections of one call: with their records they stay below what a message may have, unless records are very large.
const MAX_CORRECTIONS: usize = 200;
/// The member of a line that names the refusal.
const ID: &str = "rejection_id";
/// The member of a line that holds the record.
const RECORD: &str = "record";

/// Which refusals a command is about.
pub(super) fn filter(matches: &ArgMatches) -> ListRejectionsRequest {
    ListRejectionsRequest {
        source: text_of(matches, "source"),
        reason: text_of(matches, "reason"),
        ..ListRejectionsRequest::default()
    }
}

/// Writes refusals to a file, one a line: why, and the record as it came.
pub(super) fn write(path: &Path, rejections: &[RejectedRecord]) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    for one in rejections {
        writeln!(text, "{}", line(one)).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

fn line(rejected: &RejectedRecord) -> Json {
    let why = rejected.rejection.clone().unwrap_or_default();
    let record = rejected.record.as_ref().map(ndjson::write);
    let record = record.and_then(|record| serde_json::from_str(&record).ok());
    json!({
        ID: rejected.rejection_id,
        "field": why.field,
        "reason": why.reason,
        "hint": why.hint,
        RECORD: record.unwrap_or(Json::Null),
    })
}

/// Sends refused records again: those of a file as they are there, or those that a filter names as they came.
pub(crate) async fn replay(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let corrections = match matches.get_one::<PathBuf>("file") {
        Some(path) => read(path, client.zone())?,
        None => as_they_came(&client, matches).await?,
    };
    let mut replayed = Vec::with_capacity(corrections.len());
    for some in corrections.chunks(MAX_CORRECTIONS) {
        let request = client.request(ReplayRejectionsRequest {
            corrections: some.to_vec(),
        });
        let answer = client.ingestion().replay_rejections(request).await?;
        replayed.extend(answer.into_inner().replayed);
    }
    context.print(matches, client.zone(), &told(&replayed).into())
}

async fn as_they_came(client: &Client, matches: &ArgMatches) -> Result<Vec<Correction>, Error> {
    let request = filter(matches);
    let answer = pages_up_to!(client, ingestion.list_rejections, request, rejections, 0);
    let listed = answer.rejections.into_iter();
    Ok(listed
        .map(|one| Correction {
            rejection_id: one.rejection_id,
            record: None,
        })
        .collect())
}

/// The corrections of a file. Nothing is sent of one that cannot be read to its end.
fn read(path: &Path, zone: &Zone) -> Result<Vec<Correction>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let lines = text.lines().enumerate();
    let filled = lines.filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(at, line)| {
            correction(line, zone).map_err(|problem| {
                let shown = path.display();
                Error::usage(format!("{shown}, line {}: {problem}", at + 1))
            })
        })
        .collect()
}

fn correction(line: &str, zone: &Zone) -> Result<Correction, String> {
    let parsed: Result<Map<String, Json>, _> = serde_json::from_str(line);
    let mut fields = parsed.map_err(|error| format!("is no JSON object: {error}"))?;
    let Some(Json::String(rejection_id)) = fields.remove(ID) else {
        return Err(format!(
            "lacks \"{ID}\", which `sextant rejections --to` writes"
        ));
    };
    let record = match fields.remove(RECORD) {
        None | Some(Json::Null) => None,
        Some(record) => {
            let read = ndjson::record_of(record, zone);
            Some(read.map_err(|fault| {
                format!("field \"{RECORD}.{}\": {}", fault.field, fault.problem)
            })?)
        },
    };
    Ok(Correction {
        rejection_id,
        record,
    })
}

fn told(replayed: &[ReplayedRejection]) -> Block {
    let count = |kind: VerdictKind| {
        let of_kind = replayed.iter().filter(|one| {
            let verdict = one.verdict.as_ref();
            verdict.is_some_and(|verdict| verdict.kind() == kind)
        });
        Cell::Count(u64::try_from(of_kind.count()).unwrap_or(u64::MAX))
    };
    let gone = replayed.iter().filter(|one| one.verdict.is_none()).count();
    let columns = vec![
        Column::right("accepted", "Accepted"),
        Column::right("duplicate", "Duplicate"),
        Column::right("held", "Held"),
        Column::right("conflict", "Conflict"),
        Column::right("rejected", "Rejected again"),
        Column::right("gone", "Not listed"),
    ];
    let mut block = Block::new("replayed", "Records that were sent again", columns).noted(
        "`sextant rejections` lists what was refused again. Not listed: it was corrected before.",
    );
    block.rows.push(vec![
        count(VerdictKind::Accepted),
        count(VerdictKind::Duplicate),
        count(VerdictKind::Held),
        count(VerdictKind::Conflict),
        count(VerdictKind::Rejected),
        Cell::Count(u64::try_from(gone).unwrap_or(u64::MAX)),
    ]);
    block
}

#[cfg(test)]
mod tests;
