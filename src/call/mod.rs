//! The call pipeline: the one way from a host function to a system.

mod broken;
mod content;
pub mod context;
mod forms;
pub mod frame;
pub mod function;
pub mod history;
pub mod latch;
pub mod ledger;
mod long;
pub mod mask;
pub mod pipeline;
pub mod policy;
mod record;
mod short;
pub mod ui;

pub use context::{Cx, Look};
pub use frame::Frame;
pub use function::{Body, Done, Function};
pub use latch::Latch;
pub use ledger::Change;
pub use pipeline::{Mode, Pipeline};
pub use record::about_bytes;
pub use ui::Ui;
