//! The demo: real and generated data through the public API into a running installation, and what comes out of it.
//!
//! Every request carries an id that depends on nothing but the data set, and every record its own: a demo that was
//! interrupted goes on where it was when it is started again on the same data. Nothing in the answer depends on the wall
//! clock, on ids that are drawn, or on the mode in which the services run, so two fresh runs print the same bytes.

mod cdnow;
mod load;
mod saas;

use std::io;
use std::path::Path;

use futures_util::future::BoxFuture;

use sextant_domain::time::Zone;
use sextant_proto::segmentation::v1::ListSegmentsResponse;
use sextant_runtime::auth::Key;
use sextant_runtime::config::Loaded;

use crate::cli::note;
use crate::client::Client;
use crate::demo::load::Setup;
use crate::error::{Error, Exit};
use crate::generate;
use crate::installation::{Installation, Role, Running};
use crate::output::{Document, Format, Look, Style};
use crate::progress::Visibility;

/// Which data is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dataset {
    /// The purchase log of an online store.
    Cdnow,
    /// A generated software company.
    Saas,
}

impl Dataset {
    /// The data sets of a name: one, or all of them.
    #[must_use]
    pub fn parse(name: &str) -> &'static [Self] {
        match name {
            "cdnow" => &[Self::Cdnow],
            "saas" => &[Self::Saas],
            _ => &[Self::Cdnow, Self::Saas],
        }
    }

    /// The tenant that it is loaded into.
    fn setup(self, company: generate::Options) -> Setup {
        match self {
            Self::Cdnow => cdnow::setup(),
            Self::Saas => saas::setup(company),
        }
    }
}

/// What comes after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The end.
    Exit,
    /// Serving until Ctrl-C.
    Serve,
}

/// What the demo is asked to do.
#[derive(Debug)]
pub struct Plan {
    /// Configuration of the services.
    pub loaded: Loaded,
    /// Data sets in the order in which they are shown.
    pub datasets: &'static [Dataset],
    /// The generated company.
    pub company: generate::Options,
    /// How the answer is printed.
    pub format: Format,
    /// How titles look.
    pub style: Style,
    /// Whether progress is shown.
    pub visibility: Visibility,
    /// What comes after the answer.
    pub exit: Then,
    /// A running installation to use instead of starting one.
    pub remote: Option<Client>,
}

/// Runs the demo and gives the exit code.
///
/// # Errors
/// A call that is refused, or services that do not start.
pub async fn run(plan: &Plan, installation: &dyn Installation) -> Result<u8, Error> {
    if let Some(client) = &plan.remote {
        return tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) => Err(Error::Interrupted),
                Err(source) => Err(Error::Installation(source.into())),
            },
            shown = Box::pin(show(plan, client)) => shown.map(|()| Exit::Ok as u8),
        };
    }
    let Running {
        links,
        address,
        key,
        lifecycle,
        mut ended,
        ..
    } = installation.start(&plan.loaded, Role::All).await?;
    let parsed = key.as_deref().map(Key::parse).transpose();
    let parsed = parsed.map_err(|_malformed| Error::KeyUnreadable {
        origin: "the installation's key".to_owned(),
    })?;
    let client = Client::new(links, parsed.as_ref());
    let shown = tokio::select! {
        biased;
        code = &mut ended => return interrupted_with(code),
        shown = Box::pin(show(plan, &client)) => shown,
    };
    if shown.is_ok() && plan.exit == Then::Serve {
        try_next(plan, &format!("http://{address}"), key.as_deref());
        return Ok(ended.await);
    }
    lifecycle.shut_down();
    finish(shown, ended).await
}

/// The services ended before the demo did: by a signal, or because they broke.
fn interrupted_with(code: u8) -> Result<u8, Error> {
    if code == Exit::Ok as u8 {
        Err(Error::Interrupted)
    } else {
        Ok(code)
    }
}

async fn finish(shown: Result<(), Error>, ended: BoxFuture<'static, u8>) -> Result<u8, Error> {
    let code = ended.await;
    shown.map(|()| code)
}

async fn show(plan: &Plan, client: &Client) -> Result<(), Error> {
    // Before anything is stored.
    for dataset in plan.datasets {
        load::find(client, &dataset.setup(plan.company)).await?;
    }
    let mut document = Document::default();
    for dataset in plan.datasets {
        let blocks = match dataset {
            Dataset::Cdnow => cdnow::show(client, plan.visibility).await?,
            Dataset::Saas => saas::show(client, plan.company, plan.visibility).await?,
        };
        document.blocks.extend(blocks);
    }
    // Its tenants count days in UTC.
    let look = Look {
        style: plan.style,
        zone: Zone::utc(),
    };
    document
        .print(plan.format, &look, &mut io::stdout().lock())
        .map_err(Error::Output)
}

/// Without segments that no account is in: what is shown is for reading.
fn occupied(mut answer: ListSegmentsResponse) -> ListSegmentsResponse {
    answer.segments.retain(|summary| summary.accounts > 0);
    answer
}

/// What to try next, on standard error: address and key are not part of the answer.
fn try_next(plan: &Plan, address: &str, key: Option<&str>) {
    // What each data set has: a segmentation and perhaps a segment of it, an account, the feature that tells its accounts' worth.
    let (tenant, members, account, worth) = match plan.datasets {
        [Dataset::Saas] => (
            saas::tenant_name(plan.company),
            "lifecycle",
            "acc-000000",
            "revenue.mrr_minor",
        ),
        _ => (
            cdnow::TENANT.to_owned(),
            "rfm at_risk",
            "00001",
            "clv.value_12m_minor",
        ),
    };
    let key_line = key.map_or_else(String::new, |key| format!("  key      {key}\n"));
    // Behind the command, which is what they belong to.
    let flags = format!("--address {address} --tenant {tenant}");
    let data = plan.loaded.config.store.data_dir.display();
    let program = program();
    note(&format!(
        "\nServing until Ctrl-C.\n  address  {address}\n{key_line}  data     {data}\n\nTry next, in another terminal of this directory:\n  \
         export SEXTANT_KEY={}\n  \
         {program} members {members} --order-by {worth} --limit 10 {flags}\n  \
         {program} changes --since 30d {flags}\n  \
         {program} account {account} {flags}",
        key.unwrap_or("KEY"),
    ));
}

/// This program as it is called from the working directory.
fn program() -> String {
    let relative = || {
        let program = std::env::current_exe().ok()?;
        let here = std::env::current_dir().ok()?;
        let below = program.strip_prefix(here).map(Path::to_owned);
        Some(below.unwrap_or(program).display().to_string())
    };
    relative().unwrap_or_else(|| "sextant".to_owned())
}

#[cfg(test)]
mod tests;
