//! How a test ended, and what there is to say.

use std::fmt;

use arrow_schema::ArrowError;

use crate::conformance::Outcome;
use crate::{CallError, FailureCode, Trouble};

/// What a test found: how it ended, and what there is to say. An error fails it.
pub(super) type Found = Result<(Outcome, String), Wrong>;

/// What is wrong with a segmenter.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    what: String,
    pub(super) matter: Matter,
}

/// What it has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    /// What the test is about.
    Test,
    /// It refuses a configuration, and says so.
    Refusal,
    /// A call was not done in time: what it was to give is not known.
    Call,
    /// Its process went down, and so did what the test is about.
    Crash,
    /// It has failed, or its answer is none.
    Answer,
    /// It starts so slowly that no more tests are made.
    Start,
    /// There is no time for more tests.
    Tests,
}

impl Wrong {
    /// What has become of a call, told in these words and those of the process that went down.
    pub(super) fn of_trouble(what: String, trouble: &Trouble) -> Self {
        let details = match trouble {
            Trouble::Crashed(crash) => crash.details(),
            _ => String::new(),
        };
        Self {
            what: what + &details,
            matter: match trouble {
                Trouble::Overran => Matter::Call,
                Trouble::Crashed(_) => Matter::Crash,
                Trouble::Failed(_) => Matter::Answer,
                _ => Matter::Test,
            },
        }
    }

    /// Whether it refuses a configuration.
    pub(super) fn is_refusal(&self) -> bool {
        self.matter == Matter::Refusal
    }

    /// Its processes take so long to start, told in these words, that no more tests are made.
    pub(super) fn slow_to_start(what: String) -> Self {
        Self {
            what,
            matter: Matter::Start,
        }
    }

    /// The tests take too long.
    pub(super) fn out_of_time() -> Self {
        Self {
            what: "the tests have taken too long by now".to_owned(),
            matter: Matter::Tests,
        }
    }

    /// The same, said of something.
    pub(super) fn of(mut self, of: impl fmt::Display) -> Self {
        self.what = format!("{of}: {}", self.what);
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self {
            what,
            matter: Matter::Test,
        }
    }
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}

impl From<ArrowError> for Wrong {
    fn from(error: ArrowError) -> Self {
        error.to_string().into()
    }
}

impl From<CallError> for Wrong {
    fn from(error: CallError) -> Self {
        let what = error.to_string();
        match &error {
            CallError::Lost(trouble) => Self::of_trouble(what, trouble),
            CallError::Plugin(failure) if failure.code == FailureCode::InvalidConfig => Self {
                what,
                matter: Matter::Refusal,
            },
            CallError::Plugin(_) | CallError::Output { .. } => Self {
                what,
                matter: Matter::Answer,
            },
            _ => what.into(),
        }
    }
}

pub(super) fn pass(what: impl Into<String>) -> Found {
    Ok((Outcome::Pass, what.into()))
}

pub(super) fn fail(what: impl Into<Wrong>) -> Found {
    Err(what.into())
}

pub(super) fn skipped(what: impl Into<String>) -> Found {
    Ok((Outcome::Skipped, what.into()))
}

pub(super) fn warning(what: impl Into<String>) -> Found {
    Ok((Outcome::Warning, what.into()))
}
