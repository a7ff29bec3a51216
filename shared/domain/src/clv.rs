//! clv
