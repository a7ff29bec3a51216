//! sextant

pub mod generate;
