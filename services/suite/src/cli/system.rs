//! Commands for the installation itself.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use sextant_domain::time::Zone;
use sextant_runtime::clock::Clock;
use sextant_runtime::config::LogFormat;

use crate::cli::context::{Context, format_of, is_given, text_of};
use crate::cli::{note, serving};
use crate::doctor::{self, Verdict};
use crate::error::Error;
use crate::explain::{PAGES, find, near};
use crate::installation::Role;
use crate::output::{Block, Cell, Column, Format};
use crate::progress::Progress;

/// Runs services until a signal.
pub(crate) async fn serve(context: &Context<'_>, matches: &ArgMatches) -> Result<u8, Error> {
    let named = text_of(matches, "role");
    let role =
        Role::parse(&named).ok_or_else(|| Error::usage(format!("\"{named}\" is no role")))?;
    let running = context.installation.start(&context.loaded, role).await?;
    // Where logs are lines of JSON, this is, too.
    let format = match context.loaded.config.telemetry.log_format {
        LogFormat::Json if !is_given(matches, "output") => Format::Ndjson,
        LogFormat::Json | LogFormat::Text => format_of(matches),
    };
    let block = serving::block(&context.loaded, role, &running);
    // Nobody has to read it for the services to serve.
    if let Err(error) = context.print_as(format, &Zone::utc(), &block.into()) {
        note(&format!("note: {error}"));
    }
    Ok(running.ended.await)
}

/// Brings the store's tables to the version of this program.
pub(crate) async fn migrate(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let done = context.installation.migrate(&context.loaded).await?;
    let columns = vec![
        Column::left("service", "Service"),
        Column::right("from", "From version"),
        Column::right("to", "To version"),
    ];
    let mut block = Block::new("migrations", "", columns);
    for one in done {
        block.rows.push(vec![
            Cell::text(one.service),
            Cell::Integer(one.from.into()),
            Cell::Integer(one.to.into()),
        ]);
    }
    context.print(matches, &Zone::utc(), &block.into())
}

fn path_of(matches: &ArgMatches, name: &str) -> PathBuf {
    matches
        .get_one::<PathBuf>(name)
        .cloned()
        .unwrap_or_default()
}

/// Copies the embedded store.
pub(crate) async fn backup(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let to = path_of(matches, "to");
    let progress = Progress::open(context.visibility, "backup");
    context.installation.backup(&context.loaded, &to).await?;
    drop(progress);
    context.print(matches, &Zone::utc(), &directory("backup", &to).into())
}

/// Makes a data directory out of a backup.
pub(crate) async fn restore(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let from = path_of(matches, "from");
    context.installation.restore(&context.loaded, &from).await?;
    let restored = directory("restored", &context.loaded.config.store.data_dir);
    context.print(matches, &Zone::utc(), &restored.into())
}

/// Where something was written.
fn directory(name: &'static str, path: &Path) -> Block {
    let mut block = Block::new(name, "", vec![Column::left("directory", "Directory")]);
    block
        .rows
        .push(vec![Cell::text(path.display().to_string())]);
    block
}

/// Checks what the installation needs.
pub(crate) async fn doctor(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let mut findings = doctor::local_checks(&context.loaded, Clock::real().now()).await;
    findings.extend(context.installation.checks(&context.loaded).await);
    context.print(matches, &Zone::utc(), &doctor::block(&findings).into())?;
    if findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Failed)
    {
        return Err(Error::Incomplete);
    }
    Ok(())
}

/// Every configuration key and its value.
pub(crate) fn config(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let with_origin = matches.get_flag("origin");
    let mut columns = vec![Column::left("key", "Key"), Column::left("value", "Value")];
    if with_origin {
        columns.push(Column::left("origin", "From"));
        columns.push(Column::prose("about", "Meaning"));
    }
    let mut block = Block::new("config", "", columns);
    for entry in &context.loaded.entries {
        let mut row = vec![Cell::text(entry.key), Cell::text(entry.value.clone())];
        if with_origin {
            row.push(Cell::text(entry.origin.to_string()));
            row.push(Cell::text(entry.about));
        }
        block.rows.push(row);
    }
    context.print(matches, &Zone::utc(), &block.into())
}

/// Says what a reason means; without one, what reasons there are.
pub(crate) fn explain(matches: &ArgMatches) -> Result<(), Error> {
    let reason = text_of(matches, "reason");
    let mut out = io::stdout().lock();
    if reason.is_empty() {
        for page in PAGES {
            writeln!(out, "{:<24}{}", page.reason, page.summary()).map_err(Error::Output)?;
        }
        return Ok(());
    }
    match find(&reason) {
        Some(page) => write!(out, "{}", page.text).map_err(Error::Output),
        None => {
            let meant = near(&reason).map(|near| format!("did you mean {near}? "));
            Err(Error::NotFound {
                message: format!(
                    "\"{reason}\" is no reason; {}`sextant explain` lists them",
                    meant.unwrap_or_default()
                ),
            })
        },
    }
}
