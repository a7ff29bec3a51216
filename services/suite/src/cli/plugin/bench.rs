//! `sextant plugin bench`: what a segmenter costs, in a process of its own as the service runs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use tokio::time::Instant;

use sextant_domain::time::Zone;
use sextant_plugin_host::{Call, Deadline, External, Segmenter, Verified, conformance, rows};

use crate::cli::context::{Context, number_of, text_of};
use crate::cli::plugin::{hosts, waiting};
use crate::error::Error;
use crate::output::{Block, Cell, Column};

const LONGEST: Duration = Duration::from_secs(60);
/// Calls that are measured of each size.
const CALLS: usize = 101;

/// Measures it.
pub(crate) async fn bench(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let config = text_of(matches, "segmenter-config");
    let n_rows = usize::try_from(number_of(matches, "rows")).unwrap_or(1_000);
    let block = waiting(move || measure(&path, &config, n_rows.clamp(1, 16_384))).await?;
    context.print(matches, &Zone::utc(), &block.into())
}

fn measure(path: &Path, config: &str, n_rows: usize) -> Result<Block, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::usage(error.to_string());
    let (hosts, allowance) = hosts()?;
    let file = Verified::read(path).map_err(|error| refused(&error))?;
    let began = Instant::now();
    let plugin = External::start(&hosts, file, allowance).map_err(|error| refused(&error))?;
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
            bound
                .segment(&batch, &call())
                .map_err(|error| refused(&error))?;
            spent.push(began.elapsed());
        }
        block.rows.push(row("segment", size, &mut spent));
    }
    if segmenter.explains() {
        let batch = made_up(n_rows)?;
        let mut spent = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            bound
                .explain(&batch, &call(), 4)
                .map_err(|error| refused(&error))?;
            spent.push(began.elapsed());
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
