//! The command line: parses, calls the API, prints. Data goes to standard output, everything else to standard error.

mod account;
mod args;
mod context;
mod corrections;
mod evaluated;
mod export;
mod import;
mod intake;
mod key_origin;
mod metrics;
mod plugin;
mod read;
mod serving;
mod system;
mod tenants;
pub(crate) mod words;

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::ArgMatches;

use sextant_runtime::config::Environment;

pub use crate::cli::args::command;

use crate::cli::context::Context;
use crate::demo;
use crate::error::{Error, Exit, with_causes};
use crate::installation::Installation;

/// Runs the command that the arguments ask for, and gives the exit code.
pub async fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: Environment,
    installation: &dyn Installation,
) -> u8 {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // Whoever closed the stream does not want to read it.
            error.print().unwrap_or(());
            return code as u8;
        },
    };
    match Box::pin(dispatch(&matches, environment, installation)).await {
        Ok(code) => code,
        Err(error) => {
            if !error.is_silent() {
                report(&error);
            }
            error.exit() as u8
        },
    }
}

/// Shows an error with its causes and where to read on.
pub fn report(error: &Error) {
    let mut text = format!("error: {}", with_causes(error));
    let hint = error.hint();
    if !hint.is_empty() {
        text.push_str(&format!("\n  more: {hint}"));
    }
    // What others have written is in it, perhaps for a terminal.
    note(&text.replace(|c: char| c.is_control() && c != '\n', " "));
}

/// A line on standard error; nobody is there to be told if that is closed.
pub(crate) fn note(text: &str) {
    writeln!(io::stderr(), "{text}").unwrap_or(());
}

async fn dispatch(
    matches: &ArgMatches,
    environment: Environment,
    installation: &dyn Installation,
) -> Result<u8, Error> {
    let Some((name, chosen)) = matches.subcommand() else {
        return Err(Error::usage("name a command; `sextant --help` lists them"));
    };
    if name == "explain" {
        return system::explain(chosen).map(done);
    }
    if let ("import", Some(("plan", chosen))) = (name, chosen.subcommand()) {
        let context = Context::new(chosen, environment, installation)?;
        return import::plan(&context, chosen).map(done);
    }
    if name == "generate" {
        return interruptible(import::generate(chosen)).await;
    }
    let context = Context::new(chosen, environment, installation)?;
    let outcome = match name {
        "serve" => system::serve(&context, chosen).await,
        "demo" => demo::run(&context.demo(chosen)?, installation).await,
        _ => interruptible(client_command(name, chosen, &context)).await,
    };
    outcome.map_err(|error| context.explained(error))
}

/// Ends a command on Ctrl-C. What was acknowledged until then is stored.
async fn interruptible(work: impl Future<Output = Result<(), Error>>) -> Result<u8, Error> {
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(Error::Interrupted),
            Err(source) => Err(Error::Installation(source.into())),
        },
        outcome = Box::pin(work) => outcome.map(done),
    }
}

fn done((): ()) -> u8 {
    Exit::Ok as u8
}

async fn client_command(
    name: &str,
    matches: &ArgMatches,
    context: &Context<'_>,
) -> Result<(), Error> {
    let nested = matches.subcommand();
    match (name, nested) {
        ("import", _) => import::import(context, matches).await,
        ("export", _) => export::export(context, matches).await,
        ("accounts", _) => read::accounts(context, matches).await,
        ("account", _) => account::account(context, matches).await,
        ("hierarchy", _) => read::hierarchy(context, matches).await,
        ("timeline", _) => read::timeline(context, matches).await,
        ("segments", _) => read::segments(context, matches).await,
        ("members", _) => read::members(context, matches).await,
        ("changes", _) => read::changes(context, matches).await,
        ("features", _) => read::features(context, matches).await,
        ("models", _) => read::models(context, matches).await,
        ("segmenters", _) => tenants::segmenters(context, matches).await,
        ("rejections", _) => intake::rejections(context, matches).await,
        ("replay", _) => corrections::replay(context, matches).await,
        ("held", _) => intake::held(context, matches).await,
        ("event-types", _) => intake::event_types(context, matches).await,
        ("sources", _) => intake::sources(context, matches).await,
        ("metrics", Some((metric, matches))) => metrics::run(metric, context, matches).await,
        ("tenants" | "keys" | "segmentations", Some((action, matches))) => {
            tenants::run(name, action, context, matches).await
        },
        ("plugin", Some((action, matches))) => plugin::run(action, context, matches).await,
        ("config", Some((_, matches))) => system::config(context, matches),
        ("migrate", _) => system::migrate(context, matches).await,
        ("backup", _) => system::backup(context, matches).await,
        ("restore", _) => system::restore(context, matches).await,
        ("doctor", _) => system::doctor(context, matches).await,
        _ => Err(Error::usage("name a command; `sextant --help` lists them")),
    }
}

#[cfg(test)]
mod tests;
