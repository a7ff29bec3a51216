//! sextant-tests
