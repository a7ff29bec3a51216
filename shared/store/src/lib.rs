//! sextant-store
