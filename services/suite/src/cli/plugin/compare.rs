//! `sextant plugin diff OLD NEW --csv`: what a new version would change for the rows of a file, without any service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use sextant_domain::time::{Instant, Zone};

use crate::cli::context::{Context, text_of};
use crate::cli::plugin::run::{Judged, as_of, judge};
use crate::cli::plugin::{Origin, waiting};
use crate::error::Error;
use crate::output::{Block, Cell, Column};

/// Rows that move and are listed one by one.
const MAX_LISTED: usize = 100;

/// Shows who would move.
pub(crate) async fn diff(
    context: &Context<'_>,
    matches: &ArgMatches,
    (old, new): (String, String),
) -> Result<(), Error> {
    let csv = matches.get_one::<PathBuf>("csv").cloned();
    let csv = csv.ok_or_else(|| Error::usage("name the rows with --csv FILE"))?;
    let config = text_of(matches, "segmenter-config");
    let as_of = as_of(matches)?;
    let [old, new] = Origin::both([&old, &new], matches)?;
    let comparing = waiting(move || compare((&old, &new), &csv, &config, as_of));
    let blocks = comparing.await?;
    context.print(matches, &Zone::utc(), &blocks.into())
}

fn compare(
    (old, new): (&Origin, &Origin),
    csv: &Path,
    config: &str,
    as_of: Instant,
) -> Result<Vec<Block>, Error> {
    let (_, before) = judge(old, csv, config, as_of)?;
    let (_, after) = judge(new, csv, config, as_of)?;
    let rows: Vec<(Judged, Judged)> = before.into_iter().zip(after).collect();
    Ok(vec![matrix(&rows), moved(&rows)])
}

fn matrix(rows: &[(Judged, Judged)]) -> Block {
    let columns = vec![
        Column::left("from", "Is"),
        Column::left("to", "Would be"),
        Column::right("rows", "Rows"),
    ];
    let mut counts: BTreeMap<_, (&Judged, &Judged, u64)> = BTreeMap::new();
    for (before, after) in rows {
        let key = (
            stays(before, after),
            before.segment.key(),
            after.segment.key(),
        );
        counts.entry(key).or_insert((before, after, 0)).2 += 1;
    }
    let mut block = Block::new("moves", "Who is where, and would be", columns);
    for ((stays, ..), (before, after, count)) in counts {
        let to = if stays {
            Cell::titled("(stays)", after.segment.key())
        } else {
            after.segment.clone()
        };
        block
            .rows
            .push(vec![before.segment.clone(), to, Cell::Count(count)]);
    }
    block
}

/// Versions may call a segment by another name.
fn stays(before: &Judged, after: &Judged) -> bool {
    before.segment.key() == after.segment.key()
}

fn moved(rows: &[(Judged, Judged)]) -> Block {
    let columns = vec![
        Column::left("account", "Account"),
        Column::left("from", "Is"),
        Column::left("to", "Would be"),
        Column::prose("reasons", "Why"),
        Column::rare("trouble", "No answer"),
    ];
    let moved = rows.iter().filter(|(before, after)| !stays(before, after));
    let n_moved = moved.clone().count();
    let mut block = Block::new("moved", "Who would move", columns);
    for (before, after) in moved.take(MAX_LISTED) {
        block.rows.push(vec![
            Cell::text(after.account.clone()),
            before.segment.clone(),
            after.segment.clone(),
            Cell::List(after.reasons.clone()),
            after.trouble.clone(),
        ]);
    }
    if n_moved > MAX_LISTED {
        block.note = format!("The first {MAX_LISTED} of {n_moved}.");
    }
    block
}
