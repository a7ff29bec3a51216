//! Runtime through its public interface.
