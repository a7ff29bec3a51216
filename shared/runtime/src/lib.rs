//! sextant-runtime
