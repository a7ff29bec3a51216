//! sextant-ingestion
