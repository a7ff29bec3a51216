//! sextant-wire
