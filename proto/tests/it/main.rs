//! Tests of the public contract.

mod fresh;
