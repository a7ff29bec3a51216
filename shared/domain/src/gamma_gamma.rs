//! gamma_gamma
