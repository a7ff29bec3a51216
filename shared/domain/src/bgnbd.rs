//! bgnbd
