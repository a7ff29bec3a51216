//! Why a command failed, and the exit code that says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tonic::{Code, Status};

use sextant_runtime::config;
use sextant_runtime::lifecycle::BoxError;
use sextant_runtime::link::{LinkError, UNREACHABLE};
use sextant_wire::status::reason_of;

use crate::cli::words::spoken;
use crate::{generate, import};

/// How the process ends: the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// It did not work.
    Failure = 1,
    /// The command or a value in it makes no sense.
    Usage = 2,
    /// What was asked for does not exist.
    NotFound = 3,
    /// No key, or not a good enough one.
    Auth = 4,
    /// Try again.
    Unavailable = 5,
    /// It exists already, or the state does not allow it.
    Conflict = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The exit code of a refused call.
    #[must_use]
    pub fn of_status(status: &Status) -> Self {
        match status.code() {
            Code::Ok => Self::Ok,
            Code::InvalidArgument | Code::OutOfRange => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::Unauthenticated | Code::PermissionDenied => Self::Auth,
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted => Self::Unavailable,
            Code::AlreadyExists | Code::FailedPrecondition => Self::Conflict,
            Code::Cancelled
            | Code::Unknown
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => Self::Failure,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub enum Error {
    /// A service refused a call.
    Refused {
        /// What it said.
        status: Box<Status>,
        /// What only the caller knows, such as where it called and whose key it sent; empty where that is no matter.
        aside: String,
    },
    /// A value on the command line makes no sense.
    Usage {
        /// What is wrong and how to mend it.
        message: String,
    },
    /// What was asked for does not exist.
    NotFound {
        /// What, and what there is instead.
        message: String,
    },
    /// What is there already is in the way.
    Conflict {
        /// What, and what to do instead.
        message: String,
    },
    /// The configuration is wrong.
    Config(config::Error),
    /// An address is wrong.
    Address(LinkError),
    /// The key cannot be a key. It is not repeated.
    KeyUnreadable {
        /// Where it came from.
        origin: String,
    },
    /// A file cannot be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output does not take the answer.
    Output(io::Error),
    /// A file cannot be imported.
    Import(import::Error),
    /// A company cannot be generated.
    Generate(generate::Error),
    /// The services or stores of this process failed.
    Installation(BoxError),
    /// The work was done, and part of it did not succeed; the answer says which.
    Incomplete,
    /// Ctrl-C.
    Interrupted,
}

impl Error {
    /// A usage error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
        }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused { status, .. } => Exit::of_status(status),
            Self::Usage { .. } | Self::Config(_) | Self::Address(_) | Self::Generate(_) => {
                Exit::Usage
            },
            Self::NotFound { .. } => Exit::NotFound,
            Self::Conflict { .. } => Exit::Conflict,
            Self::KeyUnreadable { .. } => Exit::Auth,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            // Whoever read the output has seen enough.
            Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Self::Import(error) => error.exit(),
            Self::File { .. } | Self::Output(_) | Self::Installation(_) | Self::Incomplete => {
                Exit::Failure
            },
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// What to try next; empty where the message says it all.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Refused { status, .. } if is_unreachable(status) => {
                "sextant serve all starts one here; --address says where another one runs"
                    .to_owned()
            },
            Self::Refused { status, .. } => reason_of(status)
                .map_or_else(String::new, |reason| format!("sextant explain {reason}")),
            Self::Config(_) => "sextant config show --origin".to_owned(),
            Self::KeyUnreadable { .. } => "sextant explain KEY_INVALID".to_owned(),
            Self::Import(error) => error.hint(),
            Self::Usage { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Address(_)
            | Self::File { .. }
            | Self::Output(_)
            | Self::Generate(_)
            | Self::Installation(_)
            | Self::Incomplete
            | Self::Interrupted => String::new(),
        }
    }

    /// Whether the user needs to be told: not of an answer that was cut off by its reader, nor of what was said already.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Incomplete | Self::Interrupted) || self.exit() == Exit::Ok
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, aside } => {
                let message = spoken(status.message());
                match reason_of(status) {
                    Some(reason) => write!(f, "{message} ({reason})")?,
                    None => write!(f, "{message} ({:?})", status.code())?,
                }
                if !aside.is_empty() {
                    write!(f, "; {aside}")?;
                }
                Ok(())
            },
            Self::Usage { message } | Self::NotFound { message } | Self::Conflict { message } => {
                f.write_str(message)
            },
            Self::Config(error) => error.fmt(f),
            Self::Address(error) => error.fmt(f),
            Self::KeyUnreadable { origin } => write!(
                f,
                "{origin} is not a key of the form sx_<16 hexadecimal digits>_<64 hexadecimal digits>"
            ),
            Self::File { path, .. } => write!(f, "file \"{}\"", path.display()),
            Self::Output(_) => f.write_str("the answer cannot be written"),
            Self::Import(error) => error.fmt(f),
            Self::Generate(error) => error.fmt(f),
            Self::Installation(error) => error.fmt(f),
            Self::Incomplete => f.write_str("part of it did not succeed"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            Self::Address(error) => error.source(),
            Self::File { source, .. } | Self::Output(source) => Some(source),
            Self::Import(error) => error.source(),
            Self::Generate(error) => error.source(),
            Self::Installation(error) => error.source(),
            Self::Refused { .. }
            | Self::Usage { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::KeyUnreadable { .. }
            | Self::Incomplete
            | Self::Interrupted => None,
        }
    }
}

/// What an error says, and each of its causes that says something else.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text.push_str(&format!(": {said}"));
        }
        cause = source.source();
    }
    text
}

/// Nothing answered where this program called, as against a service that answers and has to be asked again, also where that is
/// because it does not reach another one.
pub(crate) fn is_unreachable(status: &Status) -> bool {
    let message = status.message();
    status.code() == Code::Unavailable
        && message.ends_with(UNREACHABLE)
        && message.contains(" at http")
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused {
            status: Box::new(status),
            aside: String::new(),
        }
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        Self::Config(error)
    }
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        Self::Address(error)
    }
}

impl From<import::Error> for Error {
    fn from(error: import::Error) -> Self {
        Self::Import(error)
    }
}

impl From<generate::Error> for Error {
    fn from(error: generate::Error) -> Self {
        Self::Generate(error)
    }
}

impl From<BoxError> for Error {
    fn from(error: BoxError) -> Self {
        Self::Installation(error)
    }
}

#[cfg(test)]
mod tests;
