//! What a handler does when its store fails.

use sextant_store::Error;
use sextant_wire::status::Problem;

/// A store's failure as the caller sees it. What the engine said goes to the log, here and nowhere else.
pub(crate) fn of_store(error: Error) -> Problem {
    match &error {
        Error::Unavailable { source, .. } => {
            tracing::warn!(%error, source = %source, "call refused")
        },
        Error::Full { .. } => tracing::error!(%error, "call refused"),
        // Said with its cause where the call is answered.
        Error::Unreadable { .. } => {},
        Error::Fenced
        | Error::AlreadyExists { .. }
        | Error::NotReady { .. }
        | Error::RequestIdReused
        | Error::NoImport => {},
    }
    error.into()
}
