//! What is said of an import that stops before its end.

use std::mem;

use crate::cli::note;
use crate::import::RESUME;
use crate::import::tally::{Run, Tally};
use crate::import::upload::Knowledge;
use crate::output::format;

/// How far an import got that has stopped.
pub(super) fn stopped(tally: &Tally) -> String {
    let judged = format::count(tally.rows_judged());
    match tally.run() {
        Run::Real => format!(
            "the import stopped after {judged} rows, of which {} are stored; of those under way, some may be stored, too",
            format::count(tally.rows.stored())
        ),
        Run::Dry => {
            format!("the check stopped after {judged} rows; nothing was stored")
        },
    }
}

/// An import under way. If it is dropped before it has ended, the command was interrupted, and how far it got is said.
#[derive(Debug)]
pub(super) struct Underway {
    tally: Tally,
    knowledge: Knowledge,
    has_ended: bool,
}

impl Underway {
    pub(super) fn new(tally: Tally, knowledge: Knowledge) -> Self {
        Self {
            tally,
            knowledge,
            has_ended: false,
        }
    }

    /// What became of the rows until now.
    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// It has ended, well or with an error.
    pub(super) fn ended(mut self) -> Tally {
        self.has_ended = true;
        mem::take(&mut self.tally)
    }

    /// What is said when it is interrupted. How history goes on, [`LeftOpen`] says.
    pub(super) fn interrupted(&self) -> String {
        let stopped = stopped(&self.tally);
        match (self.tally.run(), self.knowledge) {
            (Run::Real, Knowledge::Now) => format!("{stopped}; {RESUME}"),
            (Run::Real, Knowledge::Historical) | (Run::Dry, _) => stopped,
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.has_ended {
            note(&self.interrupted());
        }
    }
}

/// Whether an import of history is open. If it is when this is dropped, by a failure or because the command is interrupted, that
/// is said: until it is completed, nothing of the tenant is evaluated.
#[derive(Debug, Default)]
pub(super) struct LeftOpen(pub(super) bool);

impl Drop for LeftOpen {
    fn drop(&mut self) {
        if self.0 {
            note(
                "the import stays open, and nothing of the tenant is evaluated until it is completed: repeat this command with --resume to go on \
                 in it, or complete it as it is with `sextant tenants complete-import`",
            );
        }
    }
}
