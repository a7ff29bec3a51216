//! mrr
