//! sextant-scoring
