//! Tests of the whole. They are in `it/`; see the README.
