//! `sextant plugin bench`: what a segmenter costs, in a process of its own as the service runs it.

use std::time::Duration;

use clap::ArgMatches;
use tokio::time::Instant;

use sextant_domain::time::Zone;
use sextant_plugin_host::{
    Assignments, Call, CallError, Deadline, Reason, Segmenter, conformance, rows,
};

use crate::cli::context::{Context, number_of, text_of};
use crate::cli::plugin::{Origin, waiting};
use crate::error::Error;
use crate::output::{Block, Cell, Column};

const LONGEST: Duration = Duration::from_secs(60);
/// Rows of one batch, as the service shows them.
const MAX_ROWS: usize = 16_384;
/// Calls that are measured of each size.
const CALLS: usize = 101;

/// Measures it.
pub(crate) async fn bench(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let origin = Origin::named(&text_of(matches, "segmenter"), matches)?;
    let config = text_of(matches, "segmenter-config");
    let n_rows = usize::try_from(number_of(matches, "rows")).unwrap_or(usize::MAX);
    if !(1..=MAX_ROWS).contains(&n_rows) {
        let message = format!("--rows: {n_rows} is not between 1 and {MAX_ROWS}");
        return Err(Error::usage(message));
    }
    let block = waiting(move || measure(&origin, &config, n_rows)).await?;
    context.print(matches, &Zone::utc(), &block.into())
}

fn measure(origin: &Origin, config: &str, n_rows: usize) -> Result<Block, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::usage(error.to_string());
    let began = Instant::now();
    let plugin = origin.open()?;
    let started = began.elapsed();
    let usage = plugin.usage();
    let segmenter = Segmenter::from(plugin);
    let call = || Call {
        tenant: "",
        as_of_us: 0,
        seed: 0,
        deadline: Some(Deadline::after(LONGEST)),
        cancel: None,
    };
    let configured = segmenter.configured(config, None);
    let configured = configured.map_err(|error| refused(&error))?;
    let made_up = |n_rows: usize| {
        let batch = conformance::made_up(&configured, n_rows);
        batch.map_err(|error| refused(&error))
    };
    let began = Instant::now();
    let state = segmenter
        .fits()
        .then(|| {
            segmenter
                .fit(config, &[made_up(n_rows)?], &call())
                .map_err(|error| refused(&error))
        })
        .transpose()?;
    let fitted = began.elapsed();
    let bound = segmenter
        .bind(config, state.as_ref(), &rows::schema(&configured))
        .map_err(|error| refused(&error))?;
    let columns = vec![
        Column::left("what", "What"),
        Column::right("rows", "Rows"),
        Column::right("p50_us", "Median, us"),
        Column::right("p99_us", "99 %, us"),
    ];
    let mut block = Block::new("costs", segmenter.descriptor().title.get("en"), columns);
    block.rows.push(row("start", 0, &mut [started]));
    if state.is_some() {
        block.rows.push(row("fit", n_rows, &mut [fitted]));
    }
    for size in [1, n_rows] {
        let batch = made_up(size)?;
        let mut spent = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            let answers = bound.segment(&batch, &call());
            spent.push(began.elapsed());
            all_answered(answers)?;
        }
        block.rows.push(row("segment", size, &mut spent));
    }
    if segmenter.explains() {
        let batch = made_up(n_rows)?;
        let mut spent = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            let reasons = bound.explain(&batch, &call(), 4);
            spent.push(began.elapsed());
            some_reasons(reasons)?;
        }
        block.rows.push(row("explain", n_rows, &mut spent));
    }
    if let Some(usage) = usage {
        block.note = format!(
            "Its process takes {} KiB once it is loaded.",
            usage.resident_bytes >> 10
        );
    }
    Ok(block)
}

/// What is not done takes no time.
fn all_answered(answers: Result<Assignments, CallError>) -> Result<(), Error> {
    let unanswered = answers
        .map_err(|error| Error::usage(error.to_string()))?
        .unanswered;
    let Some(first) = unanswered.first() else {
        return Ok(());
    };
    let (rows, row, trouble) = (unanswered.len(), first.row, &first.trouble);
    let message = format!("no answer for {rows} rows, the first is row {row}: {trouble}");
    Err(Error::usage(message))
}

/// The same of reasons, of which some rows may have none.
fn some_reasons(reasons: Result<Vec<Vec<Reason>>, CallError>) -> Result<(), Error> {
    let reasons = reasons.map_err(|error| Error::usage(error.to_string()))?;
    if reasons.iter().any(|reasons| !reasons.is_empty()) {
        return Ok(());
    }
    let n_rows = reasons.len();
    let message = format!("it gives no reason for any of {n_rows} rows, or not in time");
    Err(Error::usage(message))
}

fn row(what: &str, rows: usize, spent: &mut [Duration]) -> Vec<Cell> {
    spent.sort_unstable();
    let at = |percent: usize| {
        let place = spent.len().saturating_sub(1) * percent / 100;
        let micros = spent.get(place).map_or(0, Duration::as_micros);
        Cell::Count(u64::try_from(micros).unwrap_or(u64::MAX))
    };
    let rows = if rows == 0 {
        Cell::Nothing
    } else {
        Cell::Count(rows as u64)
    };
    vec![Cell::text(what), rows, at(50), at(99)]
}
