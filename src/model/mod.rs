//! The words of the tool as data: values, calls, operations, specifications, failures. No I/O here.

pub mod call;
pub mod difference;
pub mod duration;
pub mod failure;
pub mod headers;
mod map;
pub mod operation;
pub mod resource;
pub mod spec;
pub mod suggest;
pub mod text;
pub mod value;

pub use call::{Call, CallId, Effect, InStep, Position, Provenance, Tier};
pub use failure::{Failure, Kind, Sent};
pub use map::{Key, Map};
pub use operation::{Answer, Prepared, Read, Write};
pub use resource::{ObjectRef, ResourceKind};
pub use spec::Spec;
pub use value::{Secret, Unsent, Value};
