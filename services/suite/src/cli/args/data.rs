use std::path::PathBuf;

use clap::{Arg, Command, value_parser};

use super::{calling, file, named, no_wait, number, option, switch};
use crate::import::Layout;
use crate::import::columns::Kind;

/// Commands that bring data in.
pub(super) fn commands() -> Vec<Command> {
    let columns: Vec<String> = Kind::ALL.into_iter().map(Kind::describe).collect();
    let columns = format!(
        "CSV files have a header. Columns with * must be there and filled; times are RFC 3339 with Z or an offset, or days, which begin in the tenant's time zone.\n\n{}",
        columns.join("\n")
    );
    vec![
        calling(named("import"))
            .about("Sends the rows of a file; may be repeated, for what is stored is not counted again")
            .after_long_help(columns)
            .arg(file("file", "FILE", "The file, plain or gzip"))
            .arg(option("format", "FORMAT", "How it is laid out; default: by its ending").value_parser(Layout::ALL.map(Layout::as_str)))
            .arg(kind())
            .arg(delimiter().default_value(","))
            .arg(
                option("map", "FILE", "A CSV file that others wrote: this file, as `sextant import plan` proposes it, says what its columns are and how it is written")
                    .value_parser(value_parser!(PathBuf))
                    .conflicts_with_all(["format", "kind", "delimiter"]),
            )
            .arg(option("source", "NAME", "The system that the rows come from; part of every record's identity").default_value("file"))
            .arg(
                option("history", "SCHEDULE", "The file is history: which past days are evaluated; none: it is news")
                    .value_parser(["none", "daily", "monthly", "latest"])
                    .default_value("none"),
            )
            .arg(switch("resume", "With --history: go on in the import that is open, because it was interrupted; where none is open, one is opened"))
            .arg(no_wait("With --history: do"))
            .arg(switch("dry-run", "Check every row and store nothing"))
            .arg(number("max-errors", "20", "How many bad rows are reported one by one"))
            .arg(
                option("rejects", "FILE", "Write every row that is not taken (malformed, rejected, conflict) to this file, with row, line, field, reason and hint; corrected, it is imported like the first")
                    .value_parser(value_parser!(PathBuf)),
            )
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
            .subcommand(plan()),
        Command::new("generate")
            .about("Writes the records of a company that never was, to be read by import --format ndjson")
            .arg(option("seed", "N", "The same number gives the same company").value_parser(value_parser!(u64)).default_value("1"))
            .arg(number("accounts", "500", "How many accounts pay at the end, about; those that left before and those that never paid come on top"))
            .arg(number("months", "18", "Months of history"))
            .arg(option("end", "TIME", "End of the history; a day begins in UTC").default_value("2026-01-01"))
            .arg(switch("clean", "Without duplicates, late events and other flaws"))
            .arg(option("output", "FILE", "File to write; default: standard output").value_parser(value_parser!(PathBuf))),
    ]
}

fn plan() -> Command {
    named("plan")
        .about("Proposes how a CSV file that others wrote is mapped, such as an export of HubSpot's companies or Salesforce's accounts; nothing is sent")
        .arg(file("file", "FILE", "The file, plain or gzip"))
        .arg(kind())
        .arg(delimiter())
        .arg(option("write", "MAP", "Write the proposal to this new file, for import --map").value_parser(value_parser!(PathBuf)))
}

fn kind() -> Arg {
    option("kind", "KIND", "What the rows of a CSV file are")
        .value_parser(Kind::ALL.map(Kind::as_str))
}

fn delimiter() -> Arg {
    option(
        "delimiter",
        "CHAR",
        "Between the columns of a CSV file: one character, or tab",
    )
}
