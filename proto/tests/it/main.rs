//! Tests of the public contract.

mod encoded;
mod fresh;
