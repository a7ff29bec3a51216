//! sextant-backends
