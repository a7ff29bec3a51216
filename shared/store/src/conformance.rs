//! Suites that every engine must pass.
