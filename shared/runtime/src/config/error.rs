//! Where a value came from, and what can be wrong with it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A file named by an environment variable that ends in `_FILE`.
    EnvFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A command-line flag, as the user typed it: `--set`, `--listen`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(variable) => write!(f, "environment variable {variable}"),
            Self::EnvFile { variable, path } => {
                write!(f, "file {} named by {variable}", path.display())
            },
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum Error {
    /// The configuration file cannot be read.
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration file is not TOML. The offending text is not repeated: it may be a secret.
    FileMalformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// A file named by a `_FILE` variable cannot be read.
    SecretUnreadable {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such key.
    KeyUnknown {
        /// The key, or the variable, as given.
        key: String,
        /// Who gave it.
        origin: Origin,
        /// Keys or variables that may have been meant.
        did_you_mean: Vec<String>,
    },
    /// A section is given a value of its own.
    SectionWithValue {
        /// The section.
        section: String,
        /// Who gave it.
        origin: Origin,
    },
    /// A variable and its `_FILE` twin are both set.
    GivenTwice {
        /// The key.
        key: &'static str,
        /// The variable with the value.
        variable: String,
    },
    /// The value is of the wrong kind or out of range.
    ValueInvalid {
        /// The key.
        key: &'static str,
        /// Who gave it.
        origin: Origin,
        /// What is allowed.
        expected: String,
        /// The value; `(redacted)` for secrets.
        got: String,
    },
    /// Another value makes this key necessary.
    KeyNeeded {
        /// The missing key.
        key: &'static str,
        /// The value that needs it.
        because: &'static str,
    },
    /// The embedded engine would be served to other machines, and nothing says that it may be.
    Exposed {
        /// The key of the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The key list and the typed configuration disagree: a defect of this program.
    Inconsistent {
        /// What serde said.
        source: Box<toml::de::Error>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileUnreadable { path, .. } => write!(
                f,
                "configuration file \"{}\" cannot be read",
                path.display()
            ),
            Self::FileMalformed {
                path,
                line,
                message,
            } => {
                write!(
                    f,
                    "configuration file \"{}\" is not TOML: line {line}: {message}",
                    path.display()
                )
            },
            Self::SecretUnreadable { variable, path, .. } => {
                write!(
                    f,
                    "{variable} names \"{}\", which cannot be read",
                    path.display()
                )
            },
            Self::KeyUnknown {
                key,
                origin,
                did_you_mean,
            } => {
                write!(f, "unknown key \"{key}\" ({origin})")?;
                match did_you_mean.split_last() {
                    None => write!(f, "; `sextant config show` lists all keys"),
                    Some((last, [])) => write!(f, "; did you mean \"{last}\"?"),
                    Some((last, others)) => {
                        let others = others.join("\", \"");
                        write!(f, "; did you mean \"{others}\" or \"{last}\"?")
                    },
                }
            },
            Self::SectionWithValue { section, origin } => write!(
                f,
                "\"{section}\" is a section and has no value of its own ({origin}); give its keys values, such as [{section}] in a file with them below it; \
                 `sextant config show` lists all keys"
            ),
            Self::GivenTwice { key, variable } => {
                write!(
                    f,
                    "{key} is given by both {variable} and {variable}_FILE; unset one of them"
                )
            },
            Self::ValueInvalid {
                key,
                origin,
                expected,
                got,
            } => {
                write!(f, "{key} must be {expected}, not \"{got}\" ({origin})")
            },
            Self::KeyNeeded { key, because } => {
                write!(f, "{key} is missing; it is needed because {because}")
            },
            Self::Exposed { key, address } => write!(
                f,
                "{key} is {address}, which other machines may reach, and nothing is encrypted there; set it to 127.0.0.1:{}, or set server.expose to true where the network is trusted",
                address.port()
            ),
            Self::Inconsistent { .. } => write!(f, "key list and configuration types disagree"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::FileUnreadable { source, .. } | Self::SecretUnreadable { source, .. } => {
                Some(source)
            },
            Self::Inconsistent { source } => Some(source),
            Self::FileMalformed { .. }
            | Self::KeyUnknown { .. }
            | Self::SectionWithValue { .. }
            | Self::GivenTwice { .. }
            | Self::ValueInvalid { .. }
            | Self::KeyNeeded { .. }
            | Self::Exposed { .. } => None,
        }
    }
}
