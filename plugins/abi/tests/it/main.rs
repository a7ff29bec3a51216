//! The header and its Rust mirror describe the same memory.

#[cfg(test)]
mod layout;
