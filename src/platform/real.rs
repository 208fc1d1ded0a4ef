//! The real systems.
