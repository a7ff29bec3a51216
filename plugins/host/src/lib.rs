//! sextant-plugin-host
