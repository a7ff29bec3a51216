//! Measures the product as it is released: each number beside its comparator, which runs in the same run on the same data.
//!
//! The product runs as its own program and is called through its public API. Nothing here fails for being slow; it fails for
//! a wrong answer.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking and prints its result"
)]

mod author;
mod company;
mod delivery;
mod demo;
mod echo;
mod ingest;
mod inside;
#[path = "../../../shared/backends/benches/commit/keyed_copy.rs"]
mod keyed_copy;
mod load;
mod plugins;
mod program;
#[path = "../../../shared/store/examples/ingest_rate/raw_inserts.rs"]
mod raw_inserts;
mod reads;
mod report;
#[path = "../../../shared/store/examples/ingest_rate/rows.rs"]
mod rows;
#[path = "../../it/worlds/seats.rs"]
mod seats;
mod session;
mod swaps;
mod transitions;

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::runtime::Builder;

use crate::report::Report;

const USAGE: &str = "usage: sextant-bench [--json FILE] [--rounds N] [reads|ingest|transitions|demo|inside|plugins|swaps|delivery|author]...";
const ROWS: [&str; 9] = [
    "inside",
    "plugins",
    "author",
    "swaps",
    "delivery",
    "reads",
    "ingest",
    "transitions",
    "demo",
];
/// Odd, so that a median is a measured value.
const ROUNDS: usize = 3;

/// What the command line asks for.
struct Plan {
    json: Option<PathBuf>,
    rounds: usize,
    rows: Vec<String>,
}

impl Plan {
    fn of(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut plan = Self {
            json: None,
            rounds: ROUNDS,
            rows: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => plan.json = Some(arguments.next()?.into()),
                "--rounds" => {
                    plan.rounds = arguments
                        .next()?
                        .parse()
                        .ok()
                        .filter(|rounds| *rounds > 0)?;
                },
                row if ROWS.contains(&row) => plan.rows.push(argument),
                _ => return None,
            }
        }
        if plan.rows.is_empty() {
            plan.rows = ROWS.map(str::to_owned).to_vec();
        }
        Some(plan)
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    // A comparator and a client that run as processes of their own, on a core of their own.
    match arguments.peek().map(String::as_str) {
        Some(echo::MODE) => return echo::serve(arguments.skip(1)),
        Some(load::MODE) => return load::run(),
        _ => {},
    }
    let Some(plan) = Plan::of(arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let mut report = Report::default();
    runtime.block_on(async {
        for row in &plan.rows {
            eprintln!("measuring: {row}, {} rounds", plan.rounds);
            match row.as_str() {
                "inside" => inside::measure(&mut report, plan.rounds).await,
                "plugins" => plugins::measure(&mut report, plan.rounds),
                "author" => author::measure(&mut report, plan.rounds),
                "delivery" => delivery::measure(&mut report, plan.rounds).await,
                "swaps" => swaps::measure(&mut report, plan.rounds).await,
                "reads" => reads::measure(&mut report, plan.rounds).await,
                "ingest" => ingest::measure(&mut report, plan.rounds).await,
                "transitions" => transitions::measure(&mut report, plan.rounds).await,
                _ => demo::measure(&mut report, plan.rounds).await,
            }
        }
    });
    report.print();
    if let Some(path) = plan.json {
        std::fs::write(&path, report.json()).expect("the JSON file cannot be written");
    }
    ExitCode::SUCCESS
}
