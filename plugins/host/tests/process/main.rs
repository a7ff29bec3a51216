//! A host process and nothing else, for this crate's tests and benches; the `sextant` program is one, too.

use std::process::ExitCode;

use sextant_plugin_host::process;

fn main() -> ExitCode {
    process::run()
}
