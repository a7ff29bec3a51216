//! sextant-columns
