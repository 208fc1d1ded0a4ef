//! Runbooks and runs as documents for people.

pub mod view;
