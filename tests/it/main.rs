//! Tests of the whole repository, in one binary.

mod run;
mod tidy;
mod worlds;
