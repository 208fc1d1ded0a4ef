//! equivalent
