//! After a history is imported: who asks next is to be answered with it.

use clap::ArgMatches;

use sextant_proto::common::v1::ErrorReason;

use crate::cli::context::Context;
use crate::cli::note;
use crate::client::{Client, is};
use crate::error::Error;
use crate::import::history;
use crate::progress::{Progress, Visibility};

/// What is stored and not evaluated yet. If it is when this is dropped, by a failure or because the command is interrupted, that is
/// said: nothing has to be done again.
struct Stored<'p> {
    position: &'p str,
    is_told: bool,
}

impl Drop for Stored<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            note(&format!(
                "everything is stored, and its evaluation goes on: nothing has to be sent again. Pass --at-least {} to read what includes it; until \
                 then an answer may lack it",
                self.position
            ));
        }
    }
}

/// Waits until the services have evaluated the history at that position, unless the caller does not want to.
pub(crate) async fn wait(
    context: &Context<'_>,
    matches: &ArgMatches,
    client: &Client,
    position: &str,
) -> Result<(), Error> {
    if matches.get_flag("no-wait") {
        return Ok(());
    }
    let mut stored = Stored {
        position,
        is_told: false,
    };
    let progress = Progress::open(context.visibility, "evaluating the history");
    let evaluated = history::evaluated(client, position, |news| progress.tell(news)).await;
    drop(progress);
    match evaluated {
        Ok(()) => stored.is_told = true,
        Err(status) if is(&status, ErrorReason::ScopeMissing) => {
            stored.is_told = true;
            if context.visibility == Visibility::Terminal {
                note(
                    "note: the key may send and not read, so the evaluation is not waited for; --at-least with the position waits for it",
                );
            }
        },
        Err(status) => return Err(status.into()),
    }
    Ok(())
}
