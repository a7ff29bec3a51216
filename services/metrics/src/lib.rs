//! sextant-metrics
