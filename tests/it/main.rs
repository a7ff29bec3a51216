//! Tests of the whole repository, in one binary.

mod tidy;
mod worlds;
