//! Answers as people and programs read them: one document of titled blocks, printed as aligned tables, one JSON object, or
//! one JSON line per row. Standard output carries nothing else.

mod cell;
mod document;
pub mod format;
mod table;

pub use crate::output::cell::Cell;
pub use crate::output::document::{Block, Column, Document, Format, Layout};
pub use crate::output::table::{Look, Style};

#[cfg(test)]
mod tests;
