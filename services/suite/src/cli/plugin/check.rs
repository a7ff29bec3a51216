//! `sextant plugin check`: does a segmenter keep to what the service relies on?

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::ArgMatches;

use sextant_domain::time::Zone;
use sextant_plugin_host::conformance::{Outcome, Verdict, judge, judge_server};

use crate::cli::context::{Context, text_of};
use crate::cli::plugin::{Origin, hosts, waiting};
use crate::error::Error;
use crate::output::{Block, Cell, Column};

/// Judges a file or a server, prints a line for each test, and fails where one has failed.
pub(crate) async fn check(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let name = text_of(matches, "segmenter");
    let origin = Origin::named(&name, matches)?;
    let (hosts, allowance) = hosts()?;
    let judging = waiting(move || {
        Ok(match origin {
            Origin::File(path) => judge(&hosts, &path, &allowance),
            Origin::Server(server) => judge_server(&hosts, &server, &allowance),
        })
    });
    let mut verdicts = judging.await?;
    let has_failed = verdicts.iter().any(|one| one.outcome == Outcome::Fail);
    if let Some(report) = matches.get_one::<PathBuf>("junit") {
        let written = fs::write(report, junit(&name, &verdicts));
        written.map_err(|source| Error::File {
            path: report.clone(),
            source,
        })?;
    }
    if matches.get_flag("only-failed") {
        verdicts.retain(|one| matches!(one.outcome, Outcome::Fail | Outcome::Warning));
    }
    context.print(matches, &Zone::utc(), &block(&verdicts).into())?;
    if has_failed {
        return Err(Error::Incomplete);
    }
    Ok(())
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "ok",
        Outcome::Warning => "warning",
        Outcome::Fail => "failed",
        Outcome::Skipped => "skipped",
    }
}

fn block(verdicts: &[Verdict]) -> Block {
    let columns = vec![
        Column::left("check", "Check"),
        Column::left("outcome", "Outcome"),
        Column::prose("found", "Found"),
        Column::prose("why", "Why it matters"),
        Column::prose("fix", "What to do"),
    ];
    let mut block = Block::new("verdicts", "What the service relies on", columns);
    for one in verdicts {
        let is_well = matches!(one.outcome, Outcome::Pass | Outcome::Skipped);
        let told = |text: &str| {
            if is_well {
                Cell::Nothing
            } else {
                Cell::text(text)
            }
        };
        block.rows.push(vec![
            Cell::text(one.id),
            Cell::text(word(one.outcome)),
            Cell::text(one.what.clone()),
            told(one.why),
            told(one.fix),
        ]);
    }
    block
}

/// The verdicts as JUnit writes them, for what shows reports of tests.
fn junit(name: &str, verdicts: &[Verdict]) -> String {
    let count = |outcome| verdicts.iter().filter(|one| one.outcome == outcome).count();
    let (failures, skipped) = (count(Outcome::Fail), count(Outcome::Skipped));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\">\n",
        escaped(name),
        verdicts.len(),
    );
    for one in verdicts {
        let (what, why, fix) = (escaped(&one.what), escaped(one.why), escaped(one.fix));
        let within = match one.outcome {
            Outcome::Pass => String::new(),
            Outcome::Warning => format!("<system-out>{what}; {why}; {fix}</system-out>"),
            Outcome::Fail => {
                format!("<failure message=\"{what}\">{why}; to fix it: {fix}</failure>")
            },
            Outcome::Skipped => format!("<skipped message=\"{what}\"/>"),
        };
        // Writing to a string cannot fail.
        let _infallible = writeln!(
            text,
            "  <testcase classname=\"segmenter\" name=\"{}\">{within}</testcase>",
            one.id
        );
    }
    text.push_str("</testsuite>\n");
    text
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no others.
            '\t' | '\n' | '\r' => escaped.push(character),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
