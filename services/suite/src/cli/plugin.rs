//! Commands for segmenters: those for their authors need no service, the others publish them and put them to work.

mod bench;
mod check;
mod compare;
pub(crate) mod new;
mod publish;
mod revise;
mod run;
mod sign;

use clap::ArgMatches;

use sextant_plugin_host::{Allowance, Hosts};

use crate::cli::context::{Context, text_of};
use crate::error::Error;

/// Runs a command of the group.
pub(crate) async fn run(
    action: &str,
    context: &Context<'_>,
    matches: &ArgMatches,
) -> Result<(), Error> {
    match action {
        "new" => new::new(context, matches),
        "check" => check::check(context, matches).await,
        "run" => run::run(context, matches).await,
        "keygen" => sign::keygen(context, matches),
        "sign" => sign::sign(context, matches),
        "verify" => sign::verify(context, matches),
        "push" => publish::push(context, matches).await,
        "register" => publish::register(context, matches).await,
        "list" => publish::list(context, matches).await,
        "report" => publish::report(context, matches).await,
        "approve" | "quarantine" | "release" | "retire" => {
            publish::change(action, context, matches).await
        },
        "logs" => publish::logs(context, matches).await,
        "events" => publish::events(context, matches).await,
        "propose" => revise::propose(context, matches).await,
        "bench" => bench::bench(context, matches).await,
        "diff" => match (text_of(matches, "segmentation"), text_of(matches, "new")) {
            (_, new) if new.is_empty() => revise::diff(context, matches).await,
            files => compare::diff(context, matches, files).await,
        },
        "activate" => revise::activate(context, matches).await,
        "rollback" => revise::roll_back(context, matches).await,
        _ => Err(Error::usage(
            "name a command; `sextant plugin --help` lists them",
        )),
    }
}

/// Does work that waits for other processes.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|broke_off| Error::Installation(broke_off.into()))?
}

/// Host processes, and what a segmenter may have here: what its descriptor asks for.
fn hosts() -> Result<(Hosts, Allowance), Error> {
    let hosts = Hosts::of_this_program().map_err(|error| Error::Installation(error.into()))?;
    let allowance = Allowance {
        memory_mb: u32::MAX,
        ..Allowance::default()
    };
    Ok((hosts, allowance))
}
